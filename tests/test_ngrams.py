"""N-grams of ragged batches, against dictionaries of them."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import MIXED, TOKENS, make_network, random_values

from sklearn_rnn.networks import ngrams
from sklearn_rnn.networks.ngrams import HASHED_ROWS, NgramBranch, n_rows

N_TOKENS = 5

rows = st.lists(st.lists(st.integers(0, N_TOKENS - 1), min_size=1, max_size=7), min_size=1, max_size=4)


def branch(longest, dropout=0.0, seed=0):
    made = NgramBranch(longest, N_TOKENS, 2, dropout=dropout).double()
    with torch.no_grad():
        made.weight.normal_(generator=torch.Generator().manual_seed(seed))
    return made


def padded(sequences, n_extra, garbage):
    """The sequences as one batch with `garbage` behind each, and their lengths."""
    batch = torch.full((len(sequences), max(map(len, sequences)) + n_extra), garbage)
    for row, sequence in zip(batch, sequences, strict=True):
        row[: len(sequence)] = torch.tensor(sequence)
    return batch, torch.tensor([len(sequence) for sequence in sequences])


def row_of(gram):
    """Where the weights of an n-gram are, by the arithmetic of Python."""
    if len(gram) == 1:
        return gram[0]
    code = 0
    for token in gram:
        code = (code * ngrams.FACTOR + token) % ngrams.PRIME
    return N_TOKENS + code % HASHED_ROWS


def expected(made, sequence):
    """The sum of the weights of all n-grams of known tokens, over the root of their number."""
    grams = Counter(
        tuple(sequence[start : start + length])
        for length in range(1, made.longest + 1)
        for start in range(len(sequence) - length + 1)
    )
    known = {gram: count for gram, count in grams.items() if 0 not in gram}
    weight, total = made.weight.detach().numpy(), sum(known.values())
    added = sum((count * weight[row_of(gram)] for gram, count in known.items()), np.zeros(2))
    return ngrams.SCALE * added / max(total, 1) ** 0.5


@given(sequences=rows, longest=st.integers(1, 4), n_extra=st.integers(0, 3), garbage=st.integers(-9, 99))
@settings(deadline=None, max_examples=60)
def test_each_ngram_adds_its_weights_and_padding_has_none(sequences, longest, n_extra, garbage):
    made = branch(longest).eval()
    values, lengths = padded(sequences, n_extra, garbage)
    found = made(values, lengths).detach().numpy()
    for own, sequence in zip(found, sequences, strict=True):
        np.testing.assert_allclose(own, expected(made, sequence), atol=1e-12)


@given(sequences=rows, longest=st.integers(1, 4))
@settings(deadline=None, max_examples=20)
def test_weights_are_learned_of_the_ngrams_that_there_are(sequences, longest):
    made = branch(longest)
    made(*padded(sequences, 2, 3)).sum().backward()
    touched = set(made.weight.grad.abs().sum(dim=1).nonzero()[:, 0].tolist())
    grams = {
        tuple(sequence[start : start + length])
        for sequence in sequences
        for length in range(1, longest + 1)
        for start in range(len(sequence) - length + 1)
    }
    assert touched == {row_of(gram) for gram in grams if 0 not in gram}


def test_the_order_of_tokens_tells_pairs_apart():
    values, lengths = torch.tensor([[1, 2], [2, 1]]), torch.tensor([2, 2])
    single, pairs = branch(1).eval(), branch(2).eval()
    assert torch.equal(*single(values, lengths))
    assert not torch.allclose(*pairs(values, lengths))


def test_dropout_leaves_out_whole_ngrams_in_training():
    made = branch(1, dropout=0.4)
    made.generator = torch.Generator().manual_seed(0)
    values, lengths = torch.full((4000, 1), 2), torch.ones(4000, dtype=torch.long)
    found = made.train()(values, lengths)
    kept = found.abs().sum(dim=1) > 0
    assert kept.double().mean().item() == pytest.approx(0.6, abs=0.03)
    weight = ngrams.SCALE * made.weight[2]
    torch.testing.assert_close(found[kept], (weight / 0.6).expand(int(kept.sum()), 2))
    torch.testing.assert_close(made.eval()(values, lengths), weight.expand(4000, 2))


def test_rows_of_weights():
    assert n_rows(1, 7) == 7
    assert n_rows(2, 7) == n_rows(3, 7) == 7 + HASHED_ROWS == len(NgramBranch(3, 7, 1).weight)


@pytest.mark.parametrize("layout", [TOKENS, MIXED], ids=["tokens", "mixed"])
def test_a_network_adds_them_to_its_outputs(layout):
    network = make_network(layout=layout, bidirectional=True, ngrams=2).eval()
    plain = make_network(layout=layout, bidirectional=True).eval()
    lengths = torch.tensor([4, 1, 3])
    values = random_values(network, lengths.tolist(), seed=0)
    assert torch.equal(network(values, lengths), plain(values, lengths)), "weights begin at 0"
    with torch.no_grad():
        network.ngrams.weight.normal_(generator=torch.Generator().manual_seed(1))
    added = network.ngrams(values, lengths)
    assert added.abs().min() > 0 or (values == 0).any()
    torch.testing.assert_close(network(values, lengths), plain(values, lengths) + added)
    assert torch.equal(network.hidden_states(values, lengths), plain.hidden_states(values, lengths))
    for own, row, length in zip(network(values, lengths), values, lengths, strict=True):
        torch.testing.assert_close(network(row[None, :length], length[None])[0], own)
