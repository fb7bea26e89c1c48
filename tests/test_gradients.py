"""Gradient norms against finite differences of the published equations."""

import networks
import numpy as np
import oracles
import pytest
import torch
from scipy.special import log_softmax, logsumexp, softmax
from test_label_chain import path_scores

from sklearn_rnn.data.batching import SequenceDataset
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.networks.heads import ChainHead, PooledHead
from sklearn_rnn.networks.losses import CHAIN, CROSS_ENTROPY, WeightedLoss
from sklearn_rnn.networks.specs import ConvolutionSpec
from sklearn_rnn.training import gradients
from sklearn_rnn.training.gradients import hidden_gradient_norms, mean_by_step

LENGTHS = [4, 1, 3]


def make_network(cell, **parameters):
    """A network of the cell named `cell` in the oracles, with all that training has and these norms must not see."""
    cell_type, options = oracles.CELLS[cell]
    training = {"dropout": 0.5, "recurrent_dropout": 0.5, "tbptt_steps": 2}
    return networks.make_network(**{"cell_type": cell_type, "n_outputs": 3, **training, **options, **parameters})


def make_data(*, per_step, lengths=LENGTHS):
    """Sequences with class codes and weights that all differ."""
    rng = np.random.default_rng(0)
    sequences = Sequences(rng.normal(size=(sum(lengths), 2)), np.concatenate([[0], np.cumsum(lengths)]))
    ones = np.ones(len(lengths))
    if per_step:
        target = sequences.with_values(rng.integers(0, 3, size=sum(lengths)))
        weight = sequences.with_values(rng.uniform(0.5, 2, size=sum(lengths)))
        data = TrainingSet(sequences, target, ones, step_weight=weight)
        return data, weight.values, SequenceDataset(data, "step", dtype=torch.float64)
    data = TrainingSet(sequences, np.array([0, 2, 1]), np.array([1.0, 2.0, 0.5]))
    return data, data.weight, SequenceDataset(data, dtype=torch.float64)


def run(cell, network, x, bump=None):
    """The last layer's states of one sequence, with `bump` = (layer, direction, step, change) added to a state."""
    for k, layer in enumerate(network.backbone.layers):
        outputs = []
        for direction, module in enumerate(layer.directions):
            weights = {name: parameter.detach().numpy() for name, parameter in module.named_parameters()}
            steps = x[::-1] if direction else x
            if bump is not None and bump[:2] == (k, direction):
                t = len(x) - 1 - bump[2] if direction else bump[2]
                states, end = oracles.states(cell, steps[: t + 1], weights)
                states[-1] += bump[3]
                end = (end[0] + bump[3], end[1]) if isinstance(end, tuple) else end + bump[3]
                if t + 1 < len(x):
                    states = np.concatenate([states, oracles.states(cell, steps[t + 1 :], weights, end)[0]])
            else:
                states, _ = oracles.states(cell, steps, weights)
            outputs.append(states[::-1] if direction else states)
        x = np.concatenate(outputs, axis=1)
    return x


def loss_of(network, states, target, weight):
    """The weighted loss of one sequence: cross-entropy of the mean of its states or of each, or that of a chain."""
    head = network.head
    vectors = states.mean(axis=0, keepdims=True) if isinstance(head, PooledHead) else states
    logits = vectors @ head.linear.weight.detach().numpy().T + head.linear.bias.detach().numpy()
    target, weight = np.atleast_1d(target), np.atleast_1d(weight)
    if isinstance(head, ChainHead):
        paths, scores = path_scores(logits, head.chain().detach().numpy())
        return weight.max() * (logsumexp(scores) - scores[(paths == target).all(axis=1)].item())
    return -(log_softmax(logits, axis=1)[np.arange(len(target)), target] * weight).sum()


def expected_norms(cell, network, data, weights, step=1e-6):
    """Shape (n_layers, n_directions, total_steps)."""
    layers = network.backbone.layers
    norms = np.zeros((len(layers), len(layers[0].directions), len(data.sequences.values)))
    row = 0
    for i, x in enumerate(data.sequences):
        rows = slice(row, row + len(x))
        target = data.target[i]
        weight = weights[i] if isinstance(network.head, PooledHead) else weights[rows]
        for k, layer in enumerate(layers):
            for direction in range(len(layer.directions)):
                for t in range(len(x)):
                    gradient = []
                    for change in np.eye(layer.direction_size) * step:
                        up, down = (
                            loss_of(network, run(cell, network, x, (k, direction, t, sign * change)), target, weight)
                            for sign in (1, -1)
                        )
                        gradient.append((up - down) / (2 * step))
                    norms[k, direction, row + t] = np.linalg.norm(gradient)
        row += len(x)
    return norms


@pytest.mark.parametrize("cell", oracles.CELLS)
@pytest.mark.parametrize("pooling", ["mean", None])
@pytest.mark.parametrize(("hidden_sizes", "bidirectional"), [((3,), False), ((3,), True), ((2, 3), True)])
def test_norms_equal_finite_differences(cell, pooling, hidden_sizes, bidirectional):
    if cell == "lstm-projected" and hidden_sizes == (2, 3):
        hidden_sizes = (3, 3)
    network = make_network(cell, pooling=pooling, hidden_sizes=hidden_sizes, bidirectional=bidirectional)
    data, weights, dataset = make_data(per_step=pooling is None)
    norms = hidden_gradient_norms(network, dataset, WeightedLoss(CROSS_ENTROPY))
    np.testing.assert_allclose(norms, expected_norms(cell, network, data, weights), rtol=1e-6, atol=1e-9)


def test_norms_of_joined_labels_equal_finite_differences():
    network = make_network("gru", pooling=None, bidirectional=True, chain="crf")
    with torch.no_grad():
        network.head.chain.scores.normal_(generator=torch.Generator().manual_seed(0))
    data, weights, dataset = make_data(per_step=True)
    norms = hidden_gradient_norms(network, dataset, WeightedLoss(CHAIN))
    np.testing.assert_allclose(norms, expected_norms("gru", network, data, weights), rtol=1e-6, atol=1e-9)


def test_last_step_of_last_pooling_is_the_gradient_of_the_head():
    network = make_network("gru", pooling="last")
    data, weights, dataset = make_data(per_step=False)
    norms = hidden_gradient_norms(network, dataset, WeightedLoss(CROSS_ENTROPY))[0, 0]
    linear = network.head.linear
    head, bias = linear.weight.detach().numpy(), linear.bias.detach().numpy()
    for i, x in enumerate(data.sequences):
        logits = run("gru", network, x)[-1] @ head.T + bias
        gradient = weights[i] * (softmax(logits) - np.eye(3)[data.target[i]]) @ head
        np.testing.assert_allclose(norms[data.sequences.offsets[i + 1] - 1], np.linalg.norm(gradient))


def test_size_of_the_batches_makes_no_difference(monkeypatch):
    network = make_network("lstm", bidirectional=True)
    _, _, dataset = make_data(per_step=False)
    loss = WeightedLoss(CROSS_ENTROPY)
    whole = hidden_gradient_norms(network, dataset, loss)
    monkeypatch.setattr(gradients, "STEP_BUDGET", 1)
    np.testing.assert_allclose(hidden_gradient_norms(network, dataset, loss), whole, rtol=1e-12)


def test_norms_of_a_strided_network_belong_to_the_steps_that_it_takes():
    _, _, dataset = make_data(per_step=False)
    network = networks.make_network(n_outputs=3, stride=2, convolutions=ConvolutionSpec((3,), (3,), (1,)))
    norms = hidden_gradient_norms(network, dataset, WeightedLoss(CROSS_ENTROPY))
    lengths = network.shortened(dataset.n_steps)
    assert lengths.tolist() == [-(-length // 2) for length in LENGTHS]
    assert norms.shape == (1, 1, lengths.sum())
    linear = network.head.linear.weight.detach()[:, : network.backbone.output_size]
    batch = dataset.batch(np.arange(len(LENGTHS)))
    with torch.no_grad():
        error = network.eval()(batch.values, batch.lengths).softmax(1) - torch.eye(3)[batch.target]
    expected = (error @ linear).norm(dim=1) * batch.weight / torch.from_numpy(lengths)  # of the mean, at its last step
    np.testing.assert_allclose(norms[0, 0, np.cumsum(lengths) - 1], expected, rtol=1e-9)


def test_network_is_left_as_it_was():
    network = make_network("gru", dtype=torch.float32).train()
    _, _, dataset = make_data(per_step=False)
    hidden_gradient_norms(network, dataset, WeightedLoss(CROSS_ENTROPY))
    assert network.training
    assert all(parameter.grad is None and parameter.dtype == torch.float32 for parameter in network.parameters())
    assert all(layer.recorded is None for layer in network.backbone.layers)


def test_mean_by_step():
    values = np.array([[1.0, 2.0, 3.0, 10.0, 20.0, 30.0], [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]])
    lengths = np.array([3, 1, 2])
    np.testing.assert_allclose(mean_by_step(values, lengths, align="start"), [[31 / 3, 16, 3], [2 / 3, 0.5, 0]])
    np.testing.assert_allclose(mean_by_step(values, lengths, align="end"), [[1, 11, 43 / 3], [0, 0.5, 2 / 3]])
