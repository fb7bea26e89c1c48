"""Packed batches: the order of torch's own PackedSequence, and back."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence

from sklearn_rnn.networks.packing import Packing

ragged = st.lists(st.integers(0, 6), min_size=1, max_size=6)


def random_batch(lengths, n_extra=0):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(max(lengths) + n_extra, len(lengths), 3, generator=generator, dtype=torch.float64)


@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=6), n_extra=st.integers(0, 2))
def test_rows_are_those_of_torch(lengths, n_extra):
    x = random_batch(lengths, n_extra)
    packing = Packing(torch.tensor(lengths))
    wanted = pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False)
    sizes = packing.offsets[1:] - packing.offsets[:-1]
    assert sizes.tolist() == wanted.batch_sizes.tolist()
    assert sorted(packing.pack(x).flatten().tolist()) == sorted(wanted.data.flatten().tolist())
    for t, start in enumerate(packing.offsets[:-1]):
        for i in range(sizes[t]):
            assert torch.equal(packing.pack(x)[start + i], x[t, packing.order[i]])


@given(lengths=ragged, n_extra=st.integers(0, 2))
def test_unpacking_is_the_reverse_and_pads_with_zeros(lengths, n_extra):
    x = random_batch(lengths, n_extra)
    packing = Packing(torch.tensor(lengths))
    inside = torch.arange(x.shape[0])[:, None] < torch.tensor(lengths)
    assert packing.n_rows == sum(lengths)
    assert torch.equal(packing.unpack(packing.pack(x), x.shape[0]), torch.where(inside[:, :, None], x, 0))


@given(lengths=ragged.filter(any))
def test_values_of_sequences_are_spread_over_their_rows(lengths):
    packing = Packing(torch.tensor(lengths))
    values = torch.arange(len(lengths) * 3, dtype=torch.float64).view(-1, 3)
    wanted = packing.pack(values.expand(max(lengths), -1, -1))
    assert torch.equal(packing.spread(values), wanted)


@pytest.mark.parametrize("lengths", [[3, 3], [2, 0, 3], [1]])
def test_gradients(lengths):
    packing = Packing(torch.tensor(lengths))
    x = random_batch(lengths, n_extra=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: packing.unpack(packing.pack(x) ** 2, x.shape[0]), (x,))
