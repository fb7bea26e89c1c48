"""Outputs do not depend on how sequences are put into batches."""

import copy

import numpy as np
import pytest
import torch

from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.stored import StoredSequences
from sklearn_rnn.networks.network import build_network
from sklearn_rnn.training import inference
from sklearn_rnn.training.inference import compute_outputs, evaluation_copy

LENGTHS = [5, 1, 9, 3, 3, 7]


def make_network(pooling="mean", dtype=torch.float32):
    return build_network(
        input_size=2,
        layout=None,
        hidden_sizes=[4],
        n_outputs=3,
        pooling=pooling,
        cell_type="gru",
        bidirectional=True,
        nonlinearity="tanh",
        proj_size=0,
        dropout=0.5,
        recurrent_dropout=0.5,
        residual=False,
        layer_norm=False,
        tbptt_steps=2,
        weight_init="torch",
        dtype=dtype,
        seed=0,
    )


def make_sequences(lengths=LENGTHS, dtype=np.float32):
    values = np.random.default_rng(0).normal(size=(sum(lengths), 2)).astype(dtype)
    return Sequences(values, np.concatenate([[0], np.cumsum(lengths)]))


def outputs(network, sequences, *, per_step):
    return compute_outputs(network, sequences, lambda net, x, n: net(x, n), per_step=per_step)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_are_in_the_order_of_the_sequences(dtype):
    network, sequences = make_network(), make_sequences(dtype=dtype)
    together = outputs(network, sequences, per_step=False)
    assert together.shape == (len(LENGTHS), 3)
    for i in range(len(LENGTHS)):
        np.testing.assert_allclose(together[i], outputs(network, sequences.take([i]), per_step=False)[0], rtol=1e-13)


def test_steps_are_in_the_order_of_the_container():
    network, sequences = make_network(pooling=None), make_sequences([4, 0, 2, 6])
    together = outputs(network, sequences, per_step=True)
    assert together.shape == (12, 3)
    for i in (0, 2, 3):
        alone = outputs(network, sequences.take([i]), per_step=True)
        rows = slice(sequences.offsets[i], sequences.offsets[i + 1])
        np.testing.assert_allclose(together[rows], alone, rtol=1e-12)


def test_only_empty_sequences_have_no_steps():
    sequences = Sequences(np.empty((0, 2), dtype=np.float32), [0, 0, 0])
    assert outputs(make_network(pooling=None), sequences, per_step=True).shape == (0, 3)


@pytest.mark.parametrize("per_step", [False, True])
def test_size_of_the_batches_makes_no_difference(monkeypatch, per_step):
    network, sequences = make_network(pooling=None if per_step else "last"), make_sequences()
    whole = outputs(network, sequences, per_step=per_step)
    for budget in (1, 6, 20):
        monkeypatch.setattr(inference, "STEP_BUDGET", budget)
        np.testing.assert_allclose(outputs(network, sequences, per_step=per_step), whole, rtol=1e-12)


def test_a_float32_network_predicts_in_float64():
    network, sequences = make_network(), make_sequences()
    exact = outputs(evaluation_copy(network), sequences, per_step=False)
    np.testing.assert_array_equal(outputs(network, sequences, per_step=False), exact)
    assert np.any(exact != exact.astype(np.float32))


def test_the_network_is_left_as_it_was():
    network = make_network().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    first = outputs(network, make_sequences(), per_step=False)
    np.testing.assert_array_equal(first, outputs(network, make_sequences(), per_step=False))  # no dropout
    assert network.training
    for name, value in network.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, before[name])


def test_an_evaluation_copy_is_what_a_deep_copy_would_be():
    network = make_network()
    frozen, expected = evaluation_copy(network), copy.deepcopy(network).eval().double()
    assert [name for name, _ in frozen.named_modules()] == [name for name, _ in expected.named_modules()]
    assert not any(part.training for part in frozen.modules())
    assert network.training
    for name, value in expected.state_dict().items():
        assert torch.equal(frozen.state_dict()[name], value)
    values, lengths = torch.randn(2, 3, 2, dtype=torch.float64), torch.tensor([3, 2])
    assert torch.equal(frozen(values, lengths), expected(values, lengths))


def test_gradients_of_an_evaluation_copy_do_not_reach_the_network():
    """Also where nothing had to be converted, so that both share the memory of the weights."""
    network = make_network(dtype=torch.float64).requires_grad_(False)
    frozen = evaluation_copy(network).requires_grad_(True)
    assert frozen.head.weight.data_ptr() == network.head.weight.data_ptr()
    frozen(torch.ones(1, 3, 2, dtype=torch.float64), torch.tensor([3])).sum().backward()
    assert frozen.head.weight.grad is not None
    assert network.head.weight.grad is None
    assert not network.head.weight.requires_grad


def test_values_on_disk_are_read_batch_by_batch(monkeypatch):
    network, sequences = make_network(), make_sequences(LENGTHS * 5)
    expected = outputs(network, sequences, per_step=False)
    stored = StoredSequences.join([sequences])
    sizes = []
    load = StoredSequences.load
    monkeypatch.setattr(StoredSequences, "load", lambda self, index: sizes.append(len(index)) or load(self, index))
    monkeypatch.setattr(inference, "STEP_BUDGET", 12)
    np.testing.assert_allclose(outputs(network, stored, per_step=False), expected, rtol=1e-12)
    assert max(sizes) <= 12
    assert sum(sizes) == len(sequences)


@pytest.mark.gpu
def test_autocast_on_a_gpu_is_rough():
    network, sequences = make_network().to("cuda"), make_sequences()
    exact = outputs(network, sequences, per_step=False)
    rough = compute_outputs(network, sequences, lambda net, x, n: net(x, n), per_step=False, autocast=True)
    assert 1e-6 < np.abs(rough - exact).max() < 0.05


def test_autocast_changes_nothing_on_a_cpu():
    network, sequences = make_network(), make_sequences()
    exact = outputs(network, sequences, per_step=False)
    given = compute_outputs(network, sequences, lambda net, x, n: net(x, n), per_step=False, autocast=True)
    np.testing.assert_array_equal(given, exact)
