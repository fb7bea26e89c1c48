"""Beams of many sequences side by side, against a search that is written out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax
from symbols import Bigrams, as_read, decoder_of, symbol_network, written

from sklearn_rnn.networks.beams import _greatest
from sklearn_rnn.networks.decoding import Decoding, SymbolDecoder, rows_of_beams

END = 4


def plain_search(table, first, num_beams, limit, penalty):
    """The search as its rules say, with lists, for probabilities that depend on the last symbol."""
    beams, ended = [((), 0.0)], []
    for n in range(1, limit + 1):
        grown = [
            ((*text, symbol), total + log_softmax(table[text[-1] if text else first])[symbol])
            for text, total in beams
            for symbol in range(len(table))
        ]
        grown = sorted(grown, key=lambda one: -one[1])[: 2 * num_beams]
        going = [one for one in grown if one[0][-1] != END][:num_beams]
        done = [one for one in grown[:num_beams] if one[0][-1] == END] + (going if n == limit else [])
        ended = sorted([*ended, *done], key=lambda one: -one[1] / len(one[0]) ** penalty)[:num_beams]
        beams = going
        if len(ended) == num_beams and ended[-1][1] / len(ended[-1][0]) ** penalty >= beams[0][1] / n**penalty:
            break
    return ended


@pytest.mark.parametrize("penalty", [0.0, 1.0])
@pytest.mark.parametrize("num_beams", [1, 2, 3])
def test_a_search_is_that_of_its_rules(num_beams, penalty, rng):
    table = 2 * rng.normal(size=(5, 5))
    prompts, limits = rng.integers(0, 4, (40, 1)), rng.integers(1, 7, 40)
    for n_rows in (num_beams, 2 * num_beams + 1, rows_of_beams(num_beams)):
        decoder = SymbolDecoder(Bigrams(table, n_rows), as_read, end=END, limits=limits)
        symbols, scores = decoder.beams(prompts, Decoding(9), num_beams, penalty, num_beams)
        for prompt, limit, found, values in zip(prompts, limits, symbols, scores, strict=True):
            wanted = plain_search(table, prompt[0], num_beams, limit, penalty)
            assert [tuple(text) for text in found] == [text for text, _ in wanted]
            np.testing.assert_allclose(values, [total / len(text) ** penalty for text, total in wanted], atol=1e-12)


def test_a_sequence_may_have_fewer_symbols_than_others(rng):
    network, prompts = symbol_network(5), [[4, k % 4] for k in range(9)]
    limits = np.arange(9) % 4
    decoder = decoder_of(network, 3, limits=limits)
    found = written(decoder, prompts, Decoding(6))
    unlimited = written(decoder_of(network, 3), prompts, Decoding(6))
    assert found == [symbols[:limit] for symbols, limit in zip(unlimited, limits, strict=True)]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0]), min_size=1, max_size=12), st.integers(1, 6))
def test_of_equal_values_the_first_ones_are_taken(values, n):
    wanted = sorted(range(len(values)), key=lambda place: (-values[place], place))[:n]
    assert _greatest(np.array(values), n)[:n].tolist() == wanted


@pytest.mark.parametrize(("num_beams", "rows"), [(1, 128), (5, 125), (128, 128), (200, 200)])
def test_rows_are_some_times_as_many_as_beams(num_beams, rows):
    assert rows_of_beams(num_beams) == rows
