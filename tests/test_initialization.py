"""The first weights are what `weight_init` says."""

import math

import pytest
import torch
from torch import nn

from sklearn_rnn.networks.cells import CELLS
from sklearn_rnn.networks.heads import PooledHead
from sklearn_rnn.networks.initialization import EMBEDDING_STD, initialize
from sklearn_rnn.networks.inputs import CharacterEncoder, InputLayout, StepInputs
from sklearn_rnn.networks.label_chain import LabelChain
from sklearn_rnn.networks.network import RecurrentNetwork
from sklearn_rnn.networks.recurrent import RecurrentStack

N_IN, N_UNITS = 5, 4
CELL_TYPES = ("rnn", "lstm", "gru", "mgu")


class Head(PooledHead):
    """A head with every kind of weights that heads have."""

    def __init__(self, backbone):
        super().__init__("attention", backbone.output_size, backbone.direction_size, 3)
        self.chain = LabelChain(3, learned=True)


def initialized(weight_init, cell_type="lstm", seed=0, **options):
    backbone = RecurrentStack(cell_type, N_IN, [N_UNITS, N_UNITS], bidirectional=True, **options)
    inputs = StepInputs(InputLayout(embedded=((7, N_IN),)))
    network = RecurrentNetwork(backbone, Head(backbone), inputs).double()
    initialize(network, weight_init, torch.Generator().manual_seed(seed))
    return network


def directions(network):
    return [weights for layer in network.backbone.layers for weights in layer.directions]


def is_identity(matrix):
    return torch.allclose(matrix, torch.eye(len(matrix), dtype=matrix.dtype), atol=1e-12)


@pytest.mark.parametrize("cell_type", CELL_TYPES)
@pytest.mark.parametrize("weight_init", ["auto", "orthogonal"])
def test_recurrent_matrix_of_each_gate_is_orthogonal(cell_type, weight_init):
    for weights in directions(initialized(weight_init, cell_type)):
        gates = weights.weight_hh_l0.chunk(len(CELLS[cell_type].gates))
        assert all(is_identity(gate @ gate.T) and not is_identity(gate) for gate in gates)


def test_recurrent_matrix_behind_a_projection_has_orthonormal_columns():
    for weights in directions(initialized("auto", proj_size=2)):
        assert all(is_identity(gate.T @ gate) for gate in weights.weight_hh_l0.chunk(4))


def test_auto_is_the_identity_for_relu():
    for weights in directions(initialized("auto", "rnn", nonlinearity="relu")):
        assert is_identity(weights.weight_hh_l0)


@pytest.mark.parametrize("cell_type", CELL_TYPES)
def test_identity(cell_type):
    for weights in directions(initialized("identity", cell_type)):
        assert all(is_identity(gate) for gate in weights.weight_hh_l0.chunk(len(CELLS[cell_type].gates)))


@pytest.mark.parametrize("cell_type", CELL_TYPES)
@pytest.mark.parametrize("weight_init", ["auto", "orthogonal", "identity"])
def test_input_matrix_of_each_gate_is_glorot_uniform(cell_type, weight_init):
    first = directions(initialized(weight_init, cell_type))[0]
    bound = math.sqrt(6 / (N_IN + N_UNITS))
    for gate in first.weight_ih_l0.chunk(len(CELLS[cell_type].gates)):
        assert gate.abs().max() <= bound
        assert gate.abs().max() > 0.7 * bound, "the bound is that of a gate, not of all gates together"


@pytest.mark.parametrize("weight_init", ["auto", "orthogonal", "identity"])
def test_forget_gate_starts_at_1_and_all_other_biases_at_0(weight_init):
    for weights in directions(initialized(weight_init)):
        _, forget, *_ = gates = (weights.bias_ih_l0 + weights.bias_hh_l0).chunk(4)
        assert (forget == 1).all()
        assert all((gate == 0).all() for gate in gates if gate is not forget)
    for cell_type in ("rnn", "gru"):
        for weights in directions(initialized(weight_init, cell_type)):
            assert (weights.bias_ih_l0 == 0).all()
            assert (weights.bias_hh_l0 == 0).all()


@pytest.mark.parametrize("cell_type", CELL_TYPES)
def test_torch_is_uniform_in_the_bounds_of_torch(cell_type):
    for weights in directions(initialized("torch", cell_type)):
        drawn = torch.cat([parameter.flatten() for parameter in weights.parameters()])
        bound = 1 / math.sqrt(N_UNITS)
        assert drawn.abs().max() <= bound
        assert drawn.abs().max() > 0.9 * bound
        assert drawn.min() < 0 < drawn.max()


@pytest.mark.parametrize("weight_init", ["auto", "torch"])
def test_every_weight_is_drawn_from_the_generator(weight_init):
    """What holds NaN before holds none after, and two seeds agree on no matrix."""
    networks = []
    for seed in (0, 0, 1):
        network = initialized(weight_init, seed=seed, residual=True, layer_norm=True)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.fill_(torch.nan)
        initialize(network, weight_init, torch.Generator().manual_seed(seed))
        networks.append(dict(network.named_parameters()))
    one, same, other = networks
    for name, parameter in one.items():
        assert torch.isfinite(parameter).all(), name
        assert torch.equal(parameter, same[name])
        if name == "head.chain.scores":
            assert (parameter == 0).all()
        elif parameter.ndim == 2:
            assert not torch.equal(parameter, other[name]), name


def test_unknown_tokens_start_at_0():
    embedding = initialized("auto").inputs.token_embedding.weight
    assert (embedding[0] == 0).all()
    assert (embedding[1:] != 0).all()


def test_every_embedding_is_normal_with_a_small_spread():
    """Of a token, of other inputs and of characters alike."""
    layout = InputLayout(embedded=((2000, 5), (400, 20)), max_characters=3, n_characters=300)
    inputs = StepInputs(layout, character_encoder=CharacterEncoder("cnn", 300, 25, 4))
    initialize(inputs, "auto", torch.Generator().manual_seed(0))
    embeddings = [part.weight.detach() for part in inputs.modules() if isinstance(part, nn.Embedding)]
    assert len(embeddings) == 3
    for weight in embeddings:
        drawn = weight[1:] / EMBEDDING_STD
        assert (weight[0] == 0).all()
        assert abs(float(drawn.mean())) < 0.05
        assert abs(float(drawn.std()) - 1) < 0.05
        assert 2 < float(drawn.abs().max()) < 6


def test_a_chain_starts_at_0():
    assert (initialized("torch").head.chain.scores == 0).all()


def test_global_generator_is_left_alone():
    network = initialized("auto")
    before = torch.get_rng_state()
    initialize(network, "auto", torch.Generator().manual_seed(0))
    assert torch.equal(torch.get_rng_state(), before)
