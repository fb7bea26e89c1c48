"""A first state from a context: against torch, beside padding, and through all that trains, predicts and writes."""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import make_network
from streaming import ENGINES

from sklearn_rnn import RNNClassifier, RNNLanguageModel, stream
from sklearn_rnn.data.batching import Batch
from sklearn_rnn.networks.losses import CROSS_ENTROPY, LossSettings, WeightedLoss
from sklearn_rnn.networks.specs import FirstStateSpec
from sklearn_rnn.networks.truncated import TruncatedPass

TEXTS, LABELS = ["ababab", "cdcdcd", "ab"] * 10, ["x", "z", "x"] * 10
VECTORS = np.array([[0.0, 30.0], [1.0, 50.0], [0.2, 20.0]] * 10)
LABEL, NUMBERS = FirstStateSpec(n_labels=4, label_size=3), FirstStateSpec(n_numbers=2)
LAYERS = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}


def network_with(spec, **parameters):
    return make_network(pooling=None, hidden_sizes=(3, 3), first_state=spec, **parameters)


def values_of(spec, lengths, seed=0, n_extra=0):
    """Steps of two numbers with the same context in front of each."""
    generator = torch.Generator().manual_seed(seed)
    n_steps = max(lengths) + n_extra
    steps = torch.randn(len(lengths), n_steps, 2, generator=generator, dtype=torch.float64)
    if spec.n_labels:
        context = torch.randint(spec.n_labels, (len(lengths), 1), generator=generator).double()
    else:
        context = torch.randn(len(lengths), 2, generator=generator, dtype=torch.float64)
    return torch.cat([context[:, None].expand(-1, n_steps, -1), steps], dim=2), torch.tensor(lengths)


def small(**parameters):
    defaults = {"hidden_size": 6, "max_epochs": 2, "random_state": 0, "context": "state"}
    return RNNLanguageModel(**{**defaults, **parameters})


@pytest.mark.parametrize("spec", [LABEL, NUMBERS])
@pytest.mark.parametrize("cell_type", ["lstm", "gru", "rnn"])
def test_states_are_those_of_torch(cell_type, spec):
    network = network_with(spec, cell_type=cell_type)
    values, lengths = values_of(spec, [4, 4, 4])
    first = network.first_state
    context = values[:, 0, : spec.n_columns]
    vectors = first.embedding.weight[context[:, 0].long()] if spec.n_labels else context
    units = torch.tanh(vectors @ first.linear.weight.t() + first.linear.bias)
    n_parts = 2 if cell_type == "lstm" else 1
    parts = units.view(3, 2, n_parts, 3).permute(2, 1, 0, 3).contiguous()  # shape: (n_parts, n_layers, batch, units)
    oracle = LAYERS[cell_type](2, 3, 2, batch_first=True).double()
    for k, layer in enumerate(network.backbone.layers):
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            getattr(oracle, f"{name}_l{k}").data = getattr(layer.directions[0], f"{name}_l0").detach()
    wanted = oracle(values[:, :, spec.n_columns :], tuple(parts) if n_parts == 2 else parts[0])[0]
    found = network.hidden_states(values, lengths)
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(network.advance(values, lengths)[0], wanted)
    weights = list(first.parameters())
    torch.testing.assert_close(
        torch.autograd.grad(found.square().sum(), weights), torch.autograd.grad(wanted.square().sum(), weights)
    )


@settings(max_examples=30, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    n_extra=st.integers(0, 3),
    cell_type=st.sampled_from(["lstm", "gru", "rnn", "mgu"]),
    spec=st.sampled_from([LABEL, NUMBERS]),
)
def test_padding_is_invisible(lengths, n_extra, cell_type, spec):
    network = network_with(spec, cell_type=cell_type).eval()
    values, n_steps = values_of(spec, lengths, n_extra=n_extra)
    with torch.no_grad():
        hidden, state = network.advance(values, n_steps)
        for i, n in enumerate(lengths):
            alone, last = network.advance(values[i : i + 1, :n], n_steps[i : i + 1])
            torch.testing.assert_close(hidden[i, :n], alone[0])
            for layer, other in zip(state.layers, last.layers, strict=True):
                for part, one in zip(layer, other, strict=True):
                    torch.testing.assert_close(part[:, i], one[:, 0])


@pytest.mark.parametrize("cell_type", ["lstm", "gru", "mgu"])
def test_gradients_that_are_cut_come_to_it_through_the_first_steps(cell_type):
    network = network_with(LABEL, cell_type=cell_type, tbptt_steps=3)
    values, lengths = values_of(LABEL, [8, 2, 5])
    target = torch.arange(24).reshape(3, 8) % 2
    weight = (torch.arange(8) < lengths[:, None]).double()
    loss, _ = TruncatedPass(network, WeightedLoss(CROSS_ENTROPY, LossSettings()))(
        Batch(values, lengths, target, weight)
    )
    found = [parameter.grad.clone() for parameter in network.first_state.parameters()]
    network.zero_grad()

    def chunk(start, state):
        n = (lengths - start).clamp(0, 3)
        hidden, state = network.advance(values[:, start : start + 3], n, state)
        rows = network.head(hidden, n).flatten(0, 1)
        losses = torch.nn.functional.cross_entropy(rows, target[:, start : start + 3].flatten(), reduction="none")
        return (losses * weight[:, start : start + 3].flatten()).sum(), state.detached()

    first, state = chunk(0, None)
    second, state = chunk(3, state)
    third, _ = chunk(6, state)
    total = (first + second + third) / len(values)
    total.backward()
    torch.testing.assert_close(loss, total.detach())
    torch.testing.assert_close(found, [parameter.grad for parameter in network.first_state.parameters()])


@pytest.mark.parametrize("y", [LABELS, VECTORS])
@pytest.mark.parametrize("cell_type", ["lstm", "gru", "rnn"])
def test_kernels_learn_as_torch_does(cell_type, y):
    models = [small(cell_type=cell_type, engine=engine, dtype="float64").fit(TEXTS, y) for engine in ("torch", "fused")]
    one, two = (model.module_.state_dict() for model in models)
    torch.testing.assert_close(one, two)
    np.testing.assert_allclose(*(model.score_samples(TEXTS, y) for model in models))


@pytest.mark.parametrize("engine", ENGINES)
def test_the_context_is_what_is_said_of_the_first_step(engine):
    model = small(hidden_size=12, max_epochs=40, learning_rate=0.02, engine=engine).fit(TEXTS, LABELS)
    assert model.predict(["", ""], ["x", "z"]).tolist() == ["a", "c"]
    assert set("".join(model.sample(5, y="z", random_state=0, max_new_tokens=3))) <= set("cd")
    assert model.generate(["", ""], y=["x", "z"], max_new_tokens=2).tolist() == ["ab", "cd"]
    assert model.generate(["", ""], y=["x", "z"], num_beams=3, max_new_tokens=2).tolist() == ["ab", "cd"]
    assert next(model.iter_sample(y="x", temperature=0)) == "a"
    assert stream(model, 2, y=["z", "x"]).predict().tolist() == ["c", "a"]
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.score_samples(TEXTS, LABELS), model.score_samples(TEXTS, LABELS))


def test_steps_do_not_read_it():
    inputs = small(context="input").fit(TEXTS, LABELS).module_.backbone.layers[0].directions[0].input_size
    model = small().fit(TEXTS, LABELS)
    own = model.module_.backbone.layers[0].directions[0].input_size
    assert own == model.module_.token_dim < inputs
    assert small().fit(TEXTS).module_.first_state is None


def test_long_sequences_and_more_data(monkeypatch):
    model = small().fit(TEXTS, VECTORS)
    before = model.score(TEXTS, VECTORS)
    texts = ["abcd" * 20, "", "a"]
    whole = model.score_steps(texts, VECTORS[:3])
    monkeypatch.setattr("sklearn_rnn.training.inference.PIECE", 7)
    for found, wanted in zip(model.score_steps(texts, VECTORS[:3]), whole, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)
    for _ in range(5):
        model.partial_fit(TEXTS, VECTORS)
    assert model.score(TEXTS, VECTORS) > before
    texts = ["ab"[: n % 3] * n for n in range(30)]
    assert len(small(early_stopping=True).fit(texts, LABELS).validation_scores_) == 2
    shown = small().fit(TEXTS, LABELS, X_val=TEXTS, y_val=LABELS)
    assert shown.validation_scores_[-1] == pytest.approx(shown.score(TEXTS, LABELS), abs=1e-5)


def test_a_classifier_goes_on_without_it():
    model = small().fit(TEXTS, LABELS)
    classifier = RNNClassifier(pretrained=model, bidirectional=False, max_epochs=1, random_state=0)
    classifier.fit([list(text) for text in TEXTS], LABELS)
    assert classifier.module_.first_state is None
