"""Nested records say what a network is made of, and nothing else decides its first weights."""

import pickle
from dataclasses import FrozenInstanceError, replace

import pytest
import torch
from networks import MIXED, TOKENS, make_spec, random_values
from test_label_chain import ALLOWED
from torch import nn

from sklearn_rnn.networks.heads import ChainHead, ChainHeadSpec, PooledHead, PooledHeadSpec, StepHead, StepHeadSpec
from sklearn_rnn.networks.network import build_network
from sklearn_rnn.networks.pooling import MaxPooling
from sklearn_rnn.networks.specs import BackboneSpec, DropoutSpec, InputsSpec, NetworkSpec

SPECS = {
    "defaults": NetworkSpec(InputsSpec(2), BackboneSpec("gru", (3,)), StepHeadSpec(1)),
    "tokens": make_spec(layout=TOKENS, cell_type="lstm", proj_size=2, bidirectional=True, pooling="attention", seed=3),
    "characters": make_spec(
        layout=MIXED,
        char_encoder="lstm",
        cell_type="rnn",
        nonlinearity="relu",
        hidden_sizes=(3, 4),
        residual=True,
        layer_norm=True,
        pooling="max",
        weight_init="auto",
        dropout=0.5,
        word_dropout=0.25,
        dtype=torch.float32,
    ),
    "labels": make_spec(n_outputs=3, pooling=None, chain="crf", allowed=ALLOWED, cell_type="mgu", tbptt_steps=5),
}
every_spec = pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)


def assert_equal_networks(one, other):
    """They have the same parts and weights, to the last bit."""
    assert repr(one) == repr(other)
    assert [name for name, _ in one.named_parameters()] == [name for name, _ in other.named_parameters()]
    mine, theirs = one.state_dict(), other.state_dict()
    assert list(mine) == list(theirs)
    for name, value in mine.items():
        assert value.dtype == theirs[name].dtype
        assert torch.equal(value, theirs[name]), name


def test_a_network_of_plain_numbers():
    network = build_network(SPECS["defaults"])
    (layer,) = network.backbone.layers
    (direction,) = layer.directions
    assert network.inputs is None
    assert isinstance(direction, nn.GRU)
    assert (direction.input_size, direction.hidden_size) == (2, 3)
    assert type(network.head) is StepHead
    assert network.head.linear.weight.shape == (1, 3)
    assert network.backbone.tbptt_steps is None
    drops = [network.backbone.dropout.p, network.head.dropout.p, layer.recurrent_dropout, layer.weight_dropout]
    assert drops == [0, 0, 0, 0]
    assert next(network.parameters()).dtype == torch.float32


def test_a_network_of_tokens():
    network = build_network(SPECS["tokens"])
    (layer,) = network.backbone.layers
    assert network.inputs.token_embedding.weight.shape == (5, 3)
    assert network.inputs.character_encoder is None
    assert [direction.proj_size for direction in layer.directions] == [2, 2]
    assert network.head.linear.weight.shape == (2, 4)
    assert network.head.pooling.project.weight.shape == (4, 4)
    assert next(network.parameters()).dtype == torch.float64


def test_a_network_of_characters_and_other_columns():
    network = build_network(SPECS["characters"])
    characters = network.inputs.character_encoder
    assert (characters.kind, characters.output_size) == ("lstm", 4)
    assert characters.embedding.weight.shape == (6, 2)
    assert [embedding.weight.shape for embedding in network.inputs.embeddings] == [(5, 3), (4, 2)]
    sizes = [(layer.directions[0].input_size, layer.output_size) for layer in network.backbone.layers]
    assert sizes == [(3 + 2 + 4 + 2, 3), (3, 4)]
    assert {layer.directions[0].nonlinearity for layer in network.backbone.layers} == {"relu"}
    assert [norm.normalized_shape for norm in network.backbone.norms] == [(3,), (4,)]
    assert [skip.weight.shape for skip in network.backbone.skips] == [(3, 11), (4, 3)]
    assert type(network.head) is PooledHead
    assert type(network.head.pooling) is MaxPooling
    assert (network.head.dropout.p, network.inputs.word_dropout) == (0.5, 0.25)


def test_a_network_of_labels():
    network = build_network(SPECS["labels"])
    assert type(network.head) is ChainHead
    assert network.head.chain.learned
    assert torch.equal(network.head.chain.allowed, ALLOWED)
    assert network.backbone.tbptt_steps == 5
    assert network.backbone.layers[0].cell_type == "mgu"


def test_an_encoder_of_characters_needs_columns_of_them():
    spec = make_spec(layout=TOKENS, char_encoder="cnn")
    assert build_network(spec).inputs.character_encoder is None


@every_spec
def test_equal_records_build_equal_networks(spec):
    before = torch.get_rng_state()
    one = build_network(spec)
    parts = {"inputs": replace(spec.inputs), "backbone": replace(spec.backbone), "dropout": replace(spec.dropout)}
    copied = replace(spec, head=replace(spec.head), **parts)
    assert copied == spec
    assert_equal_networks(build_network(copied), one)
    assert torch.equal(torch.get_rng_state(), before)


@every_spec
def test_a_record_can_be_pickled_and_builds_the_same(spec):
    assert_equal_networks(build_network(pickle.loads(pickle.dumps(spec))), build_network(spec))


def test_networks_of_one_record_share_no_memory():
    one, other = build_network(SPECS["labels"]), build_network(SPECS["labels"])
    with torch.no_grad():
        for value in one.state_dict().values():
            value.zero_()
    assert_equal_networks(other, build_network(SPECS["labels"]))
    assert ALLOWED.any(), "nor is the record's mask in the network"


def test_the_head_does_not_change_what_lies_below():
    """Inputs and layers are drawn first, so that networks of different tasks begin alike."""
    networks = [
        build_network(make_spec(layout=TOKENS, hidden_sizes=(3, 3), weight_init="auto", n_outputs=n, **head))
        for n, head in [(2, {}), (5, {"pooling": None}), (3, {"pooling": None, "chain": "crf"})]
    ]
    for part in ("inputs", "backbone"):
        first, *others = (getattr(network, part).state_dict() for network in networks)
        for other in others:
            assert all(torch.equal(other[name], value) for name, value in first.items())


def test_weights_fit_a_network_that_took_over_the_records():
    """As an estimator does that begins with the layers of one that is fitted."""
    source = SPECS["characters"]
    original, taken = build_network(source).eval(), build_network(replace(source, head=StepHeadSpec(7), seed=1)).eval()
    lengths = torch.tensor([4, 2])
    values = random_values(original, [4, 2], 0).float()
    assert not torch.equal(taken.hidden_states(values, lengths), original.hidden_states(values, lengths))
    for part in ("inputs", "backbone"):
        getattr(taken, part).load_state_dict(getattr(original, part).state_dict())
    assert torch.equal(taken.hidden_states(values, lengths), original.hidden_states(values, lengths))
    assert taken(values, lengths).shape == (2, 4, 7)


@every_spec
def test_records_do_not_change(spec):
    for record, name in [
        (spec, "seed"),
        (spec.inputs, "n_features"),
        (spec.backbone, "cell_type"),
        (spec.head, "n_outputs"),
        (spec.dropout, "dropout"),
    ]:
        with pytest.raises(FrozenInstanceError):
            setattr(record, name, None)


@pytest.mark.parametrize("head", [PooledHeadSpec, StepHeadSpec, ChainHeadSpec])
def test_the_first_biases_of_the_outputs(head):
    spec = replace(SPECS["defaults"], head=head(2, first_bias=(0.5, -2.0)), dropout=DropoutSpec(0.1))
    network, without = build_network(spec), build_network(replace(spec, head=head(2)))
    assert network.head.linear.bias.tolist() == [0.5, -2]
    assert without.head.linear.bias.tolist() == [0, 0]
    assert torch.equal(network.head.linear.weight, without.head.linear.weight)
