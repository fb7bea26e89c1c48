"""Each cell is held to its published equations, forward and gradient, in float64."""

import numpy as np
import oracles
import pytest
import torch
from joblib import parallel_config
from networks import make_network

from sklearn_rnn import RNNClassifier
from sklearn_rnn.networks.cells import CELLS, Cell, make_weights, scan
from sklearn_rnn.networks.layer import RecurrentLayer
from sklearn_rnn.testing import check_sequence_estimator

N_STEPS, BATCH, N_IN, N_UNITS = 5, 3, 2, 3
every_cell = pytest.mark.parametrize("cell", oracles.CELLS)


def make_cell(cell, seed=0):
    """A layer with random weights, and them as arrays."""
    cell_type, options = oracles.CELLS[cell]
    generator = torch.Generator().manual_seed(seed)
    layer = make_weights(cell_type, N_IN, N_UNITS, **options).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(-1, 1, generator=generator)
    return layer, {name: parameter.detach().numpy().copy() for name, parameter in layer.named_parameters()}


def random_steps(seed=1):
    return torch.randn(N_STEPS, BATCH, N_IN, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def run(cell, x, layer, **options):
    return torch.stack(scan(CELLS[oracles.CELLS[cell][0]], x, layer, **options)[0])


def gradients(outputs, coefficients, layer):
    """Gradient of a weighted sum of all hidden states, by name."""
    names, parameters = zip(*layer.named_parameters(), strict=True)
    return dict(zip(names, torch.autograd.grad((outputs * coefficients).sum(), parameters), strict=True))


@every_cell
def test_forward_equals_the_published_equations(cell):
    layer, weights = make_cell(cell)
    x = random_steps()
    hidden = run(cell, x, layer).detach().numpy()
    fused = layer(x)[0].detach().numpy()
    for b in range(BATCH):
        expected, _ = oracles.states(cell, x[:, b].numpy(), weights)
        np.testing.assert_allclose(hidden[:, b], expected, rtol=0, atol=1e-14)
        np.testing.assert_allclose(fused[:, b], expected, rtol=0, atol=1e-14)


@every_cell
def test_gradient_equals_finite_differences_of_the_published_equations(cell):
    layer, weights = make_cell(cell)
    x = random_steps()
    hidden = run(cell, x, layer)
    coefficients = torch.randn(hidden.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)

    def loss(moved):
        return sum(
            (oracles.states(cell, x[:, b].numpy(), moved)[0] * coefficients[:, b].numpy()).sum() for b in range(BATCH)
        )

    expected = oracles.finite_differences(loss, weights)
    for name, gradient in gradients(hidden, coefficients, layer).items():
        np.testing.assert_allclose(gradient.numpy(), expected[name], rtol=1e-6, atol=1e-8)


@every_cell
def test_gradient_with_respect_to_the_input(cell):
    layer, _ = make_cell(cell)
    assert torch.autograd.gradcheck(lambda x: run(cell, x, layer), random_steps().requires_grad_())


@every_cell
def test_scan_equals_the_fused_layer(cell):
    layer, _ = make_cell(cell)
    x = random_steps()
    hidden, fused = run(cell, x, layer), layer(x)[0]
    torch.testing.assert_close(hidden, fused, rtol=0, atol=1e-14)
    coefficients = torch.randn(hidden.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    expected = gradients(fused, coefficients, layer)
    for name, gradient in gradients(hidden, coefficients, layer).items():
        torch.testing.assert_close(gradient, expected[name], rtol=0, atol=1e-13)


@every_cell
def test_scan_goes_on_from_a_state(cell):
    layer, weights = make_cell(cell)
    x = random_steps()
    _, middle = oracles.states(cell, x[:2, 0].numpy(), weights)
    parts = middle if isinstance(middle, tuple) else (middle,)
    state = tuple(torch.from_numpy(part)[None] for part in parts)
    torch.testing.assert_close(run(cell, x[2:, :1], layer, state=state), run(cell, x[:, :1], layer)[2:])
    _, last = scan(CELLS[oracles.CELLS[cell][0]], x[:2, :1], layer)
    torch.testing.assert_close(last, state)


@every_cell
def test_scan_keeps_the_state_of_a_sequence_that_has_ended(cell):
    layer, _ = make_cell(cell)
    x = random_steps()
    lengths = torch.tensor([5, 1, 3])
    hidden, free = run(cell, x, layer, lengths=lengths), run(cell, x, layer)
    for b, length in enumerate(lengths.tolist()):
        torch.testing.assert_close(hidden[:length, b], free[:length, b])
        assert (hidden[length:, b] == hidden[length - 1, b]).all()


@pytest.mark.parametrize(("cell_type", "n_gates"), [("rnn", 1), ("gru", 3), ("lstm", 4)])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_parameter_count_is_that_of_the_literature_and_a_second_bias(cell_type, n_gates, bidirectional):
    n_in, n_u = 7, 5
    layer = RecurrentLayer(cell_type, n_in, n_u, bidirectional=bidirectional)
    literature = n_gates * (n_in * n_u + n_u**2 + n_u)
    second_bias = n_gates * n_u
    n_directions = 2 if bidirectional else 1
    count = sum(parameter.numel() for parameter in layer.parameters())
    assert count == n_directions * (literature + second_bias)
    without = sum(parameter.numel() for name, parameter in layer.named_parameters() if "bias_hh" not in name)
    assert without == n_directions * literature


def indrnn_step(x, state, weights):
    """Li et al. (2018): each unit sees its own past alone, through a weight that is a number."""
    return (torch.relu(x + weights.weight_hh_l0 * state[0]),)


def indrnn_shapes(n_in, n_units):
    return {"weight_ih_l0": (n_units, n_in), "weight_hh_l0": (n_units,), "bias_ih_l0": (n_units,)}


def indrnn_first_weights(weights, generator):
    weights.weight_hh_l0.uniform_(0, 1, generator=generator)


INDRNN = Cell(("hidden",), indrnn_step, shapes=indrnn_shapes, initialize=indrnn_first_weights)


def sru_step(x, state, weights):
    """Lei et al. (2018), equations 1 to 4 with a projected highway: all matrices are those of the inputs."""
    _, cell = state
    x_f, x_r, candidate, highway = x.chunk(4, dim=1)
    v_f, v_r = weights.weight_hh_l0.chunk(2)
    forget_gate = torch.sigmoid(x_f + v_f * cell)
    reset_gate = torch.sigmoid(x_r + v_r * cell)
    cell = forget_gate * cell + (1 - forget_gate) * candidate
    return reset_gate * cell + (1 - reset_gate) * highway, cell


def sru_shapes(n_in, n_units):
    return {"weight_ih_l0": (4 * n_units, n_in), "weight_hh_l0": (2 * n_units,), "bias_ih_l0": (4 * n_units,)}


SRU = Cell(("forget", "reset", "candidate", "highway"), sru_step, parts=("hidden", "cell"), shapes=sru_shapes)


@pytest.fixture
def own_cells(monkeypatch):
    """Cells as a user adds them. A new process would not know them, so that jobs are threads."""
    monkeypatch.setitem(CELLS, "indrnn", INDRNN)
    monkeypatch.setitem(CELLS, "sru", SRU)
    with parallel_config(backend="threading"):
        yield


@pytest.mark.usefixtures("own_cells")
@pytest.mark.parametrize("cell_type", ["indrnn", "sru", "mgu"])
def test_a_cell_without_a_kernel_works_everywhere(cell_type):
    options = {"hidden_size": 4, "max_epochs": 2, "cell_type": cell_type, "num_layers": 2}
    results = check_sequence_estimator(RNNClassifier(recurrent_dropout=0.1, tbptt_steps=3, **options))
    results += check_sequence_estimator(RNNClassifier(weight_dropout=0.1, residual=True, layer_norm=True, **options))
    assert {result["status"] for result in results} == {"passed"}


@pytest.mark.usefixtures("own_cells")
@pytest.mark.parametrize("cell_type", ["indrnn", "sru"])
def test_own_cells_go_on_from_a_state_and_have_gradients(cell_type):
    layer = RecurrentLayer(cell_type, N_IN, N_UNITS).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(-1, 1, generator=torch.Generator().manual_seed(0))
    x, lengths = random_steps(), torch.full((BATCH,), N_STEPS)
    whole, last = layer.advance(x, lengths)
    first, state = layer.advance(x[:2], lengths - 3)
    second, end = layer.advance(x[2:], lengths - 2, state)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    torch.testing.assert_close(end, last)
    assert torch.autograd.gradcheck(lambda x: layer(x, lengths), x.requires_grad_())


def test_unknown_cells_are_refused_by_name():
    with pytest.raises(ValueError, match=r"The 'cell_type' parameter of RNNClassifier must be a str among .*'mgu'"):
        RNNClassifier(cell_type="indrnn").fit(np.zeros((4, 3, 2)), [0, 1, 0, 1])


class TestWorkedExample:
    """A vanilla RNN with three units reads "he" out of the vocabulary h, e, l, o."""

    W_XH = np.array(
        [
            [0.287027, 0.84606, 0.572392, 0.486813],
            [0.902874, 0.871522, 0.691079, 0.18998],
            [0.537524, 0.09224, 0.558159, 0.491528],
        ]
    )
    W_HY = np.array(
        [
            [0.37168, 0.974829459, 0.830034886],
            [0.39141, 0.282585823, 0.659835709],
            [0.64985, 0.09821557, 0.334287084],
            [0.91266, 0.32581642, 0.144630018],
        ]
    )
    RECURRENT_WEIGHT, BIAS = 0.427043, 0.567001
    PRINTED_HIDDEN = np.array([0.936534, 0.949104, 0.762341])
    PRINTED_LOGITS = np.array([1.90607732, 1.13779113, 0.95666016, 1.27422602])
    PRINTED_SOFTMAX = np.array([0.419748, 0.194682, 0.162429, 0.223141])

    def network(self, w_hy):
        """The package's own network with the weights of the example."""
        network = make_network(n_features=4, n_outputs=4, pooling=None, cell_type="rnn", weight_init="auto")
        recurrence = network.backbone.layers[0].directions[0]
        with torch.no_grad():
            recurrence.weight_ih_l0.copy_(torch.from_numpy(self.W_XH))
            recurrence.weight_hh_l0.copy_(self.RECURRENT_WEIGHT * torch.eye(3))
            recurrence.bias_ih_l0.fill_(self.BIAS)
            recurrence.bias_hh_l0.zero_()
            network.head.linear.weight.copy_(torch.from_numpy(w_hy))
            network.head.linear.bias.zero_()
        return network.eval()

    def run(self, w_hy):
        """Hidden state and logits after "h" and "e"."""
        network = self.network(w_hy)
        he, lengths = torch.eye(4, dtype=torch.float64)[None, :2], torch.tensor([2])
        with torch.no_grad():
            hidden = network.hidden_states(he, lengths)
            return hidden[0, -1].numpy(), network(he, lengths)[0, -1].numpy()

    def test_hidden_state_to_the_printed_digits(self):
        np.testing.assert_array_equal(self.run(self.W_HY)[0].round(6), self.PRINTED_HIDDEN)

    def test_printed_softmax_is_that_of_the_printed_logits(self):
        exponentials = np.exp(self.PRINTED_LOGITS)
        np.testing.assert_array_equal((exponentials / exponentials.sum()).round(6), self.PRINTED_SOFTMAX)

    def test_printed_logits_do_not_follow_from_the_printed_weights(self):
        """No hidden state that rounds to the printed one gives them, so no rounding of it explains the difference."""
        _, logits = self.run(self.W_HY)
        np.testing.assert_array_equal(logits.round(8), [1.90607489, 1.13779168, 0.95666393, 1.27422796])
        lowest = self.W_HY @ (self.PRINTED_HIDDEN - 5e-7)  # all weights are positive
        highest = self.W_HY @ (self.PRINTED_HIDDEN + 5e-7)
        assert np.all((lowest <= logits) & (logits <= highest))
        assert np.all((lowest > self.PRINTED_LOGITS) | (highest < self.PRINTED_LOGITS))

    def test_five_decimals_of_the_first_column_explain_the_difference(self):
        """The first column of W_hy is printed with five decimals, the others with nine: what it was before rounding
        gives every printed digit."""
        hidden, _ = self.run(self.W_HY)
        first_column = (self.PRINTED_LOGITS - self.W_HY[:, 1:] @ hidden[1:]) / hidden[0]
        np.testing.assert_array_equal(first_column.round(5), self.W_HY[:, 0])
        _, logits = self.run(np.column_stack([first_column, self.W_HY[:, 1:]]))
        np.testing.assert_array_equal(logits.round(8), self.PRINTED_LOGITS)
        softmax = torch.softmax(torch.from_numpy(logits), 0).numpy()
        np.testing.assert_array_equal(softmax.round(6), self.PRINTED_SOFTMAX)
