"""Sequences of symbols that networks write, against exact probabilities and all sequences that there are."""

import itertools
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax
from scipy.stats import chisquare
from streaming import ENGINES
from symbols import Bigrams, as_read, decoder_of, symbol_network, written

from sklearn_rnn.networks.decoding import Decoding, Draws, SymbolDecoder
from sklearn_rnn.networks.engines import Engine, using_engine

TABLE = np.array(
    [
        [0.1, 2.0, 1.0, -1.0, 0.5],
        [1.5, 0.2, -0.3, 0.9, 0.0],
        [0.4, 1.1, 1.1, -2.0, 0.3],
        [2.2, 0.0, 0.1, 0.6, -0.5],
        [0.3, 1.0, 0.7, 1.4, 0.2],
    ]
)
END = 4


@pytest.fixture(params=ENGINES)
def engine(request):
    """What computes all of a test."""
    with using_engine(Engine(request.param)):
        yield request.param


def bigrams(n_rows=8, *, end=END, table=TABLE, **options):
    return SymbolDecoder(Bigrams(table, n_rows), as_read, end=end, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_new_tokens": -1}, "max_new_tokens is -1, wanted an integer that is 0 or more"),
        ({"max_new_tokens": 2.5}, "max_new_tokens is 2.5"),
        ({"max_new_tokens": True}, "max_new_tokens is True"),
        ({"min_new_tokens": 9}, "min_new_tokens is 9, more than max_new_tokens, which is 5"),
        ({"temperature": -0.1}, "temperature is -0.1, wanted a number that is 0 or more"),
        ({"temperature": np.nan}, "temperature is nan"),
        ({"temperature": "warm"}, "temperature is 'warm'"),
        ({"top_k": 0}, "top_k is 0, wanted an integer from 1 on. None keeps all"),
        ({"top_p": 0.0}, r"top_p is 0.0, wanted a number in \(0, 1\]. 1.0 keeps all"),
        ({"top_p": 1.1}, "top_p is 1.1"),
        ({"min_p": -0.5}, r"min_p is -0.5, wanted a number in \[0, 1\]"),
        ({"repetition_penalty": 0}, "repetition_penalty is 0, wanted a number above 0"),
        ({"no_repeat_ngram_size": -2}, "no_repeat_ngram_size is -2"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Decoding(**{"max_new_tokens": 5, **options})


def test_random_numbers_are_those_of_the_sequence_alone():
    alone, together = Draws(7, [3]), Draws(7, range(10))
    together.uniform(range(10), 2)
    first = alone.uniform([0], 5)
    np.testing.assert_array_equal(together.uniform([9, 3, 0], 3)[1], first[0, 2:])
    assert len(np.unique(Draws(7, range(10)).uniform(range(10), 5))) == 50
    assert not np.isin(first, Draws(8, [3]).uniform([0], 5)).any()
    generator = np.random.Generator(np.random.Philox(key=[7, 3]))
    expected = generator.random(60)
    np.testing.assert_array_equal(first[0], expected[:5])
    for begin, end in ((5, 6), (6, 9), (9, 16), (16, 33), (33, 60)):
        np.testing.assert_array_equal(alone.uniform([0], end - begin)[0], expected[begin:end])


def probabilities(scores, seen=(), *, temperature=1.0, top_k=None, top_p=1.0, min_p=None, repetition_penalty=1.0):
    """What one symbol is drawn with, (K,): each rule as its definition says."""
    scores = np.array(scores)
    for symbol in set(seen):
        scores[symbol] *= 1 / repetition_penalty if scores[symbol] > 0 else repetition_penalty
    p = softmax(scores / temperature)
    if top_k is not None:
        p = np.where(p >= np.sort(p)[-top_k], p, 0)
        p = p / p.sum()
    if top_p < 1:
        likely = np.argsort(-p, kind="stable")
        n = next(n for n in range(1, len(p) + 1) if p[likely[:n]].sum() >= top_p)
        p[likely[n:]] = 0
        p = p / p.sum()
    if min_p is not None:
        p = np.where(p >= min_p * p.max(), p, 0)
    return p / p.sum()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 0.5},
        {"temperature": 3.0},
        {"top_k": 2},
        {"top_p": 0.6},
        {"min_p": 0.3},
        {"repetition_penalty": 1.7},
        {"repetition_penalty": 0.6, "temperature": 1.3},
        {"temperature": 1.5, "top_k": 4, "top_p": 0.8, "min_p": 0.25},
    ],
    ids=str,
)
def test_pairs_of_symbols_come_as_often_as_their_probability(options):
    n = 4000
    counts = dict.fromkeys(itertools.product(range(5), repeat=2), 0)
    for symbols in written(bigrams(64, end=None), [[1]] * n, Decoding(max_new_tokens=2, **options), seed=3):
        counts[tuple(symbols)] += 1
    expected = {}
    first = probabilities(TABLE[1], [1], **options)
    for pair in counts:
        expected[pair] = first[pair[0]] * probabilities(TABLE[pair[0]], [1, pair[0]], **options)[pair[1]]
    assert all(counts[pair] == 0 for pair, p in expected.items() if p == 0)
    there = [pair for pair, p in expected.items() if p > 0]
    assert chisquare([counts[pair] for pair in there], [n * expected[pair] for pair in there]).pvalue > 0.01


def test_symbols_as_probable_as_the_last_of_the_best_are_kept():
    table = np.zeros((5, 5))
    table[:, 0] = 1
    found = {tuple(s) for s in written(bigrams(end=None, table=table), [[0]] * 200, Decoding(1, top_k=2))}
    assert found == {(k,) for k in range(5)}


def test_log_probabilities_are_those_of_the_model():
    decoding = Decoding(6, temperature=0.3, top_k=2, repetition_penalty=2.0, min_new_tokens=3)
    symbols, found = bigrams().sample([[END], [END, 2, 1]], decoding, Draws(0, range(2)))
    for last, text, logarithms in zip([END, 1], symbols, found, strict=True):
        before = [last, *text[:-1]]
        np.testing.assert_allclose(logarithms, log_softmax(TABLE, axis=1)[before, text], rtol=0, atol=1e-14)


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("cell", ["gru", "mgu"])
def test_sequences_do_not_depend_on_their_company(cell, rng):
    prompts = [[4, *rng.integers(0, 4, k % 4)] for k in range(10)]
    network, decoding = symbol_network(5, cell_type=cell), Decoding(12, top_p=0.95)
    decoder = decoder_of(network, 3)
    found = written(decoder, prompts, decoding)
    assert len({tuple(symbols) for symbols in found}) > 5
    assert written(decoder_of(network, 64), prompts[:3], decoding) == found[:3]
    order = rng.permutation(10)
    assert written(decoder, [prompts[k] for k in order], decoding, numbers=order) == [found[k] for k in order]
    for k in (0, 7):
        assert written(decoder, [prompts[k]], decoding, numbers=[k]) == [found[k]]
        assert list(decoder.iterate(prompts[k], decoding, Draws(0, [k]))) == found[k]


@pytest.mark.usefixtures("engine")
def test_a_prompt_is_read_before_anything_follows(rng):
    network, prompt = symbol_network(6), rng.integers(0, 6, 90)
    decoder = decoder_of(network)
    together = written(decoder, [prompt, prompt[:70]], Decoding(20, temperature=0, min_new_tokens=20))
    step_by_step = []
    for _ in range(20):
        read = np.concatenate([prompt, step_by_step]).astype(int)
        step_by_step += written(decoder, [read], Decoding(1, temperature=0, min_new_tokens=1))[0]
    assert together[0] == step_by_step


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("temperature", [0, 1e-300, 1e-4, 1e4])
def test_extreme_temperatures(temperature):
    symbols, found = decoder_of(symbol_network(5), 64, end=None).sample(
        [[0]] * 30, Decoding(30, temperature=temperature), Draws(0, range(30))
    )
    assert np.isfinite(np.concatenate(found)).all()
    if temperature < 1:
        assert all((text == symbols[0]).all() for text in symbols)
    else:
        counts = np.bincount(np.concatenate(symbols), minlength=5)
        assert chisquare(counts).pvalue > 0.01


@pytest.mark.usefixtures("engine")
def test_the_end_ends_a_sequence_and_comes_not_too_early():
    found = written(decoder_of(symbol_network(5, sharpness=1)), [[4]] * 80, Decoding(9, min_new_tokens=4))
    lengths = {len(symbols) for symbols in found}
    assert lengths >= {5, 6, 9}
    assert min(lengths) >= 5
    assert all(4 not in symbols[:-1] and (len(symbols) == 9 or symbols[-1] == 4) for symbols in found)


def test_some_symbols_never_come():
    found = written(bigrams(never=[0, 3]), [[END]] * 50, Decoding(9, temperature=5.0))
    assert set().union(*found) == {1, 2, END}


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 3), st.lists(st.integers(0, 3), max_size=12), st.sampled_from([0.0, 1.0, 9.0]))
def test_no_run_of_symbols_repeats_itself(size, prompt, temperature):
    decoding = Decoding(40, no_repeat_ngram_size=size, temperature=temperature)
    (symbols,) = written(bigrams(end=END), [[END, *prompt]], decoding)
    text = prompt + symbols
    runs = [tuple(text[k : k + size]) for k in range(len(text) - size + 1)]
    new = runs[max(0, len(prompt) - size + 1) :]
    assert len(set(new)) == len(new)
    assert not set(new) & set(runs[: len(runs) - len(new)])
    assert symbols[-1] == END  # which is no part of the text where it begins, and so may follow


def test_a_sequence_stops_where_nothing_may_follow():
    assert written(bigrams(end=None), [[0, 1], [2]], Decoding(9, no_repeat_ngram_size=1, temperature=0)) == [
        [3, 2, 4],
        [1, 0, 4, 3],
    ]


def test_a_penalty_counts_no_beginning():
    table = np.tile([0.5, 0.5, 0.5, 0.5, 1.0], (5, 1))
    options = {"temperature": 0, "repetition_penalty": 1e9}
    assert written(bigrams(table=table), [[END], [END, END]], Decoding(1, **options)) == [[END], [0]]


@pytest.mark.usefixtures("engine")
def test_a_caller_ends_sequences():
    decoder, decoding = decoder_of(symbol_network(5), 4, end=None), Decoding(50)
    whole = written(decoder, [[0]] * 9, decoding)
    seen = []

    def stop(number, symbols):
        seen.append((number, symbols.tolist()))
        return len(symbols) > number and symbols[-2:].tolist() == [1, 2]

    cut = written(decoder, [[0]] * 9, decoding, stop=stop)
    for number, (text, full) in enumerate(zip(cut, whole, strict=True)):
        ends = [k for k in range(2, 51) if k > number and full[k - 2 : k] == [1, 2]]
        assert text == full[: min(ends, default=50)]
        assert [symbols for k, symbols in seen if k == number] == [text[:k] for k in range(1, len(text) + 1)]


@pytest.mark.usefixtures("engine")
def test_what_is_read_beside_symbols_belongs_to_the_sequence(rng):
    network = symbol_network(5, n_numeric=2)
    context, decoding = rng.normal(size=(9, 2)), Decoding(20)

    def reads(context):
        return lambda symbols, numbers: np.column_stack([symbols, context[numbers]])

    together = written(decoder_of(network, 4, read=reads(context)), [[4, 1]] * 9, decoding)
    for k in range(9):
        alone = decoder_of(network, read=reads(context[k : k + 1]))
        assert written(alone, [[4, 1]], decoding, numbers=[k]) == [together[k]]
    for value, name in ((np.inf, "inf"), (1e39, "1e")):
        context[3, 1] = value
        narrow = symbol_network(5, n_numeric=2, dtype=torch.float32)
        with pytest.raises(ValueError, match=f"sequence 3 reads {name}.* beside its symbols"):
            written(decoder_of(narrow, read=reads(context)), [[4]] * 9, decoding)


@pytest.mark.usefixtures("engine")
def test_a_caller_says_where_sequences_begin(rng):
    decoder = decoder_of(symbol_network(5), 4)
    stepper, starts = decoder._stepper, rng.normal(size=(6, 7))

    def begin(rows, numbers):
        stepper.reset(rows)
        arrays = stepper.to_arrays()
        arrays["layer 0 part 1"][rows] = starts[numbers]
        stepper.from_arrays(arrays)

    begun = SymbolDecoder(stepper, as_read, end=4, begin=begin)
    found = written(begun, [[4]] * 6, Decoding(20))
    assert found != written(decoder, [[4]] * 6, Decoding(20))
    starts = starts[::-1]
    assert written(begun, [[4]] * 6, Decoding(20), numbers=range(5, -1, -1)) == found[::-1]


def test_nothing_is_written_where_nothing_is_wanted():
    assert written(bigrams(), [[END], [1, 2]], Decoding(0)) == [[], []]
    assert bigrams().sample([], Decoding(5), Draws(0, [])) == ([], [])
    symbols, scores = bigrams().beams([[END]], Decoding(0), 3)
    assert (len(symbols[0]), scores) == (1, [[0.0]])


@pytest.mark.parametrize("prompt", [[], [0, 5], [-1]])
def test_prompts_that_cannot_be_read_are_refused(prompt):
    message = f"prompt 1 is {re.escape(str(prompt))}, wanted one or more integers from 0 to 4"
    for write in (bigrams().sample, lambda *given: bigrams().beams(*given, 2)):
        with pytest.raises(ValueError, match=message):
            write([[1], prompt], Decoding(3, temperature=0))
    with pytest.raises(ValueError, match="prompt 0 is"):
        list(bigrams().iterate(prompt, Decoding(3, temperature=0)))


def all_sequences(stepper, prompt, n_new, end):
    """Every sequence of up to `n_new` symbols after `prompt` that may be written, and its logarithm."""
    found = {}

    def go_on(text, total):
        stepper.reset(np.array([0]))
        for symbol in [*prompt, *text]:
            stepper.advance(np.array([symbol]), np.array([0]))
        for symbol, logarithm in enumerate(log_softmax(stepper.outputs[0].copy())):
            longer = (*text, symbol)
            if symbol == end or len(longer) == n_new:
                found[longer] = total + logarithm
            else:
                go_on(longer, total + logarithm)

    go_on((), 0.0)
    return found


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("length_penalty", [0.0, 1.0, 2.5])
def test_beams_are_the_best_of_all_sequences(length_penalty):
    decoder, prompt = decoder_of(symbol_network(4), 128, end=3), [3, 1]
    scores = {
        text: total / len(text) ** length_penalty
        for text, total in all_sequences(decoder._stepper, prompt, 4, end=3).items()
    }
    best = sorted(scores, key=scores.__getitem__, reverse=True)[:20]
    symbols, found = decoder.beams([prompt], Decoding(4), 121, length_penalty, num_return=20)
    assert [tuple(text) for text in symbols[0]] == best
    np.testing.assert_allclose(found[0], [scores[text] for text in best], rtol=0, atol=1e-12)


@pytest.mark.usefixtures("engine")
def test_beams_do_not_depend_on_their_company(rng):
    decoder = decoder_of(symbol_network(5), 16)
    prompts = [[4, *rng.integers(0, 4, k % 3)] for k in range(9)]
    options = {"num_beams": 4, "num_return": 3}
    symbols, scores = decoder.beams(prompts, Decoding(8), **options)
    order = rng.permutation(9)
    shuffled, others = decoder.beams([prompts[k] for k in order], Decoding(8), **options)
    for place, k in enumerate(order):
        (alone,), (score,) = decoder.beams([prompts[k]], Decoding(8), **options)
        for a, b, c in zip(alone, shuffled[place], symbols[k], strict=True):
            assert a.tolist() == b.tolist() == c.tolist()
        np.testing.assert_allclose(score, scores[k], rtol=0, atol=1e-12)
        np.testing.assert_allclose(score, others[place], rtol=0, atol=1e-12)


def test_one_beam_is_the_best_symbol_at_each_step():
    decoding = Decoding(9, min_new_tokens=2, repetition_penalty=1.5, no_repeat_ngram_size=2)
    text = [0]
    while len(text) < 10 and text[-1] != END:
        scores = log_softmax(TABLE[text[-1]])
        scores[list(set(text))] *= 1.5
        scores[[after for before, after in itertools.pairwise(text) if before == text[-1]]] = -np.inf
        scores[END] = -np.inf if len(text) < 3 else scores[END]
        text.append(int(scores.argmax()))
    (symbols,), _ = bigrams().beams([[END, 0]], decoding, 1)
    assert symbols[0].tolist() == text[1:]
    assert len(text) > 5


def test_beams_that_a_caller_ends_stay_as_they_are():
    def stop(number, symbols):
        return symbols[-1] == 2

    (symbols,), (scores,) = bigrams().beams([[END]], Decoding(4), 8, 0.0, num_return=8, stop=stop)
    assert all(2 not in text[:-1].tolist() for text in symbols)
    assert any(text[-1] == 2 and len(text) < 4 for text in symbols)
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), "num_beams is 0, wanted an integer from 1 on"),
        ((9,), r"num_beams is 9, but the stepper has 8 row\(s\)"),
        ((2, 1.0, 3), "num_return_sequences is 3, more than num_beams, which is 2"),
        ((2, np.nan), "length_penalty is nan"),
    ],
)
def test_searches_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        bigrams().beams([[END]], Decoding(4), *arguments)
