"""Sequences in pieces: training goes on from the state of the piece before, and its gradient does not."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_rnn import RNNRegressor
from sklearn_rnn.data.batching import Batch, SequenceDataset
from sklearn_rnn.data.orders import InOrder, Lanes
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.networks.direct import DirectPass
from sklearn_rnn.networks.heads import PooledHeadSpec, StepHeadSpec
from sklearn_rnn.networks.losses import SQUARED_ERROR, LossSettings, WeightedLoss
from sklearn_rnn.networks.network import build_network
from sklearn_rnn.networks.specs import BackboneSpec, InputsSpec, NetworkSpec
from sklearn_rnn.training.epoch import run_epoch
from sklearn_rnn.training.loop import build_net

CELLS = ["rnn", "lstm", "gru", "mgu"]


def spec_of(cell, head, **backbone):
    sizes = backbone.pop("hidden_sizes", (4, 3))
    return NetworkSpec(InputsSpec(2), BackboneSpec(cell, sizes, **backbone), head, dtype=torch.float64, seed=3)


def steps(lengths, seed=0):
    rng = np.random.default_rng(seed)
    total = int(np.sum(lengths))
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return Sequences(rng.normal(size=(total, 2)), offsets), Sequences(rng.normal(size=(total, 1)), offsets)


def dataset(lengths):
    X, y = steps(lengths)
    ones = Sequences(np.ones(len(X.values)), X.offsets)
    return SequenceDataset(TrainingSet(X, y, np.ones(len(X)), ones), "step", dtype=torch.float64)


@pytest.mark.parametrize("cell", CELLS)
def test_training_on_pieces_is_truncated_back_propagation(cell):
    """An epoch of plain gradient steps by the package's loop, against the same written down with torch alone."""
    data = dataset([7, 5, 7, 2])
    spec = spec_of(cell, StepHeadSpec(1))
    options = RNNRegressor(
        optimizer=torch.optim.SGD, learning_rate=0.1, lr_schedule=None, clip_grad_norm=None, batch_size=4
    )._training_options(torch.device("cpu"), np.random.RandomState(0), partial=False)
    net = build_net(spec, (SQUARED_ERROR, LossSettings()), options, training=data, order=Lanes(3, InOrder()))
    run_epoch(net, data)

    network = build_network(spec).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    whole = data.batch(np.arange(4))
    state, running = None, torch.arange(4)
    for start in range(0, 7, 3):
        kept = whole.lengths[running] > start
        running = running[kept]
        state = None if state is None else state.detached().take(kept)
        part = [x[running, start : start + 3] for x in (whole.values, whole.target, whole.weight)]
        lengths = (whole.lengths[running] - start).clamp(max=3)
        hidden, state = network.advance(part[0], lengths, state)
        loss = (torch.square(network.head(hidden, lengths) - part[1])[:, :, 0] * part[2]).sum() / len(running)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for (name, found), wanted in zip(net.module_.named_parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(found, wanted, msg=name)


@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=5), size=st.integers(1, 4))
@settings(deadline=None, max_examples=25)
def test_a_network_in_pieces_is_the_whole(lengths, size):
    network = build_network(spec_of("lstm", StepHeadSpec(1), residual=True)).eval()
    data = dataset(lengths)
    whole = data.batch(np.arange(len(lengths)))
    wanted = network(whole.values, whole.lengths).detach()
    state, rows, found = None, torch.arange(len(lengths)), torch.zeros_like(wanted)
    for k, piece in enumerate(Lanes(size, InOrder()).batches(data, len(lengths))):
        if piece.goes_on is not None:
            rows, state = rows[piece.goes_on], state.take(piece.goes_on)
        hidden, state = network.advance(piece.values, piece.lengths, state)
        found[rows, k * size : k * size + hidden.shape[1]] = network.head(hidden, piece.lengths).detach()
    inside = torch.arange(wanted.shape[1]) < whole.lengths[:, None]
    torch.testing.assert_close(found[inside], wanted[inside])


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_the_pass_without_autograd_goes_on_from_a_state(cell):
    network = build_network(spec_of(cell, PooledHeadSpec(1))).train()
    criterion = WeightedLoss(SQUARED_ERROR)
    assert DirectPass.serves(network, criterion)
    X, _ = steps([6, 4, 5])
    lengths = torch.tensor([6, 4, 5])
    values = torch.zeros(3, 6, 2, dtype=torch.float64)
    for k, x in enumerate(X):
        values[k, : len(x)] = torch.from_numpy(x)
    batch = Batch(values, lengths, torch.ones(3, 1, dtype=torch.float64), torch.ones(3, dtype=torch.float64))
    state = network.advance(values[:, :2], torch.tensor([2, 2, 2]))[1].detached()
    loss, outputs, last = DirectPass(network, criterion)(batch, state, last=True)
    found = [parameter.grad.clone() for parameter in network.parameters()]
    network.zero_grad()
    hidden, wanted = network.advance(values, lengths, state)
    expected = network.head(hidden, lengths)
    plain = criterion(expected, batch, network.head)
    plain.backward()
    torch.testing.assert_close(outputs, expected)
    torch.testing.assert_close(loss, plain)
    for one, other in zip(last.layers, wanted.layers, strict=True):
        torch.testing.assert_close(one, other)
    for grad, parameter in zip(found, network.parameters(), strict=True):
        torch.testing.assert_close(grad, parameter.grad)
