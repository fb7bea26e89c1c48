"""Outputs do not depend on how sequences are put into batches."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_rnn import RNNClassifier, RNNSequenceTagger
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.stored import StoredSequences
from sklearn_rnn.networks.engines import Engine, current_engine, using_engine
from sklearn_rnn.networks.fused import MOST_UNITS
from sklearn_rnn.networks.heads import PooledHeadSpec, StepHeadSpec
from sklearn_rnn.networks.network import build_network
from sklearn_rnn.networks.specs import BackboneSpec, DropoutSpec, InputsSpec, NetworkSpec
from sklearn_rnn.training import inference
from sklearn_rnn.training.inference import Predictor, evaluation_copy

LENGTHS = [5, 1, 9, 3, 3, 7]


def make_network(pooling="mean", dtype=torch.float32, **options):
    options = {"cell_type": "gru", "hidden_sizes": (4,), "bidirectional": True, **options}
    n_features, n_outputs = options.pop("n_features", 2), options.pop("n_outputs", 3)
    spec = NetworkSpec(
        InputsSpec(n_features),
        BackboneSpec(**options),
        StepHeadSpec(n_outputs) if pooling is None else PooledHeadSpec(n_outputs, pooling=pooling),
        DropoutSpec(dropout=0.5, recurrent_dropout=0.5),
        tbptt_steps=2,
        weight_init="torch",
        dtype=dtype,
    )
    return build_network(spec)


def make_sequences(lengths=LENGTHS, dtype=np.float32):
    values = np.random.default_rng(0).normal(size=(sum(lengths), 2)).astype(dtype)
    return Sequences(values, np.concatenate([[0], np.cumsum(lengths)]))


def outputs(network, sequences, *, per_step, **settings):
    with Predictor(network, **settings) as compute:
        return compute(lambda net, x, n: net(x, n), sequences, per_step=per_step)


def needs_kernels(engine="auto"):
    """Skip where there is no numba, and where torch stands in for "auto" in all tests of this run."""
    pytest.importorskip("numba")
    if Engine(engine).name == "torch":
        pytest.skip("this run forces torch")


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


@pytest.mark.parametrize("wide", [{"hidden_sizes": (40,)}, {"n_features": 80}, {"n_outputs": 80}])
def test_batches_of_wide_networks_have_fewer_steps(monkeypatch, wide):
    monkeypatch.setattr(inference, "NUMBER_BUDGET", 800)
    network, rows = make_network(pooling=None, **wide), []
    sequences = Sequences(np.zeros((60, wide.get("n_features", 2)), np.float32), np.arange(0, 63, 3))
    with Predictor(network) as compute:
        found = compute(lambda net, x, n: rows.append(x.shape[:2].numel()) or net(x, n), sequences, per_step=True)
    assert found.shape == (60, wide.get("n_outputs", 3))
    assert max(rows) == 9  # of the ten steps that 800 numbers are
    assert sum(rows) == 60


@pytest.mark.parametrize("lengths", [[5, 1, 9, 3], [4, 4, 4]])
@pytest.mark.parametrize("budget", [1, 8, inference.STEP_BUDGET])
@pytest.mark.parametrize("stored", [False, True])
def test_arrays_beside_the_steps_come_with_them(monkeypatch, lengths, budget, stored):
    """Each of its own type, codes as integers, padded like the steps."""
    monkeypatch.setattr(inference, "STEP_BUDGET", budget)
    sequences, total = make_sequences(lengths), sum(lengths)
    codes, rows = np.arange(total), np.random.default_rng(1).normal(size=(total, 2))
    inside = np.random.default_rng(2).random(total) > 0.5
    types = set()

    def joined(net, x, n, codes, rows, inside):
        types.add((x.dtype, codes.dtype, rows.dtype, inside.dtype))
        return torch.cat([x, codes[:, :, None], rows, inside[:, :, None]], dim=2)

    given = StoredSequences.join([sequences]) if stored else sequences
    with Predictor(make_network(pooling=None)) as compute:
        of_steps = compute(joined, given, codes, rows, inside, per_step=True)
        sums = compute(lambda net, x, n, codes: codes.sum(1), given, codes, per_step=False)
    np.testing.assert_array_equal(of_steps, np.column_stack([sequences.values, codes, rows, inside]))
    np.testing.assert_array_equal(sums, [part.sum() for part in sequences.with_values(codes)])
    assert types == {(torch.float32, torch.int64, torch.float64, torch.bool)}


@pytest.mark.parametrize("estimator", [RNNClassifier, RNNSequenceTagger])
def test_one_evaluation_copy_serves_a_whole_prediction(monkeypatch, estimator):
    """A tagger computes emissions, best labels and probabilities of entities with it."""
    copies = []
    original = inference.evaluation_copy
    monkeypatch.setattr(inference, "evaluation_copy", lambda network: copies.append(original(network)) or copies[-1])
    X = [np.random.default_rng(n).normal(size=(n, 2)) for n in (3, 1, 4)] * 4
    y = [["O", "B-x", "I-x", "O"][: len(x)] for x in X] if estimator is RNNSequenceTagger else [0, 1, 1] * 4
    model = estimator(hidden_size=3, max_epochs=1, random_state=0).fit(X, y)
    compute = model.predict_entities if estimator is RNNSequenceTagger else model.predict_proba
    copies.clear()
    compute(X)
    assert len(copies) == 1
    network = make_network()
    copies.clear()
    with Predictor(network) as predictor:
        assert predictor.network is copies[0]
        used = []
        for _ in range(3):
            predictor(lambda net, x, n: used.append(net) or net(x, n), make_sequences(), per_step=False)
    assert len(copies) == 1
    assert all(net is copies[0] for net in used)


def test_settings_hold_inside_a_predictor_alone():
    """Threads, engine and inference mode are those of before when it is over, also by an error."""
    before = torch.get_num_threads(), current_engine()
    inside = []

    def fail():
        inside.append((torch.is_inference_mode_enabled(), torch.get_num_threads(), current_engine().name))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), Predictor(make_network(), n_threads=1, engine="torch"):
        fail()
    assert inside == [(True, 1, "torch")]
    assert not torch.is_inference_mode_enabled()
    assert (torch.get_num_threads(), current_engine()) == before


@pytest.mark.parametrize("engine", ["auto", "fused", "torch"])
def test_a_float32_network_predicts_about_as_in_float64(engine):
    """Of the recurrences alone, and only where kernels compute them, a float32 network has float32 numbers."""
    if engine == "fused":
        pytest.importorskip("numba")
    network, sequences = make_network(), make_sequences()
    exact = outputs(copy.deepcopy(network).double(), sequences, per_step=False, engine=engine)
    given = outputs(network, sequences, per_step=False, engine=engine)
    np.testing.assert_allclose(given, exact, rtol=1e-12 if engine == "torch" else 1e-5)
    assert np.any(given != given.astype(np.float32))


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
    with using_engine(Engine("torch")):
        frozen, expected = evaluation_copy(network), copy.deepcopy(network).eval().double()
        assert [name for name, _ in frozen.named_modules()] == [name for name, _ in expected.named_modules()]
        assert not any(part.training for part in frozen.modules())
        assert network.training
        for name, value in expected.state_dict().items():
            assert torch.equal(frozen.state_dict()[name], value)
        values, lengths = torch.randn(2, 3, 2, dtype=torch.float64), torch.tensor([3, 2])
        torch.testing.assert_close(frozen(values, lengths), expected(values, lengths), rtol=1e-12, atol=1e-14)


def test_an_evaluation_copy_for_kernels_keeps_the_type_of_the_recurrences():
    needs_kernels()
    network = make_network(residual=True, layer_norm=True)
    frozen = evaluation_copy(network)
    for name, value in frozen.state_dict().items():
        assert value.dtype == (torch.float32 if name.startswith("backbone.layers") else torch.float64)
    assert {p.dtype for p in evaluation_copy(make_network(dtype=torch.float64)).parameters()} == {torch.float64}


@pytest.mark.parametrize("options", [{"hidden_sizes": (4, MOST_UNITS + 1)}, {"cell_type": "lstm", "proj_size": 2}])
def test_an_evaluation_copy_is_in_float64_where_a_layer_is_left_to_torch(options):
    assert {p.dtype for p in evaluation_copy(make_network(**options)).parameters()} == {torch.float64}


def predict_by_all_means(network, sequences, engine, monkeypatch):
    """Outputs of all sequences at once, of each alone, in a random order, and in small batches."""
    n = len(sequences)
    yield np.arange(n), outputs(network, sequences, per_step=False, engine=engine)
    alone = [outputs(network, sequences.take([i]), per_step=False, engine=engine) for i in range(n)]
    yield np.arange(n), np.concatenate(alone)
    order = np.random.default_rng(0).permutation(n)
    yield order, outputs(network, sequences.take(order), per_step=False, engine=engine)
    monkeypatch.setattr(inference, "STEP_BUDGET", 7)
    yield np.arange(n), outputs(network, sequences, per_step=False, engine=engine)
    monkeypatch.undo()


cells = [("rnn", "tanh"), ("rnn", "relu"), ("gru", "tanh"), ("lstm", "tanh")]


@pytest.mark.parametrize("engine", ["auto", "fused"])
@pytest.mark.parametrize("cell", cells)
@given(
    lengths=st.lists(st.integers(1, 30), min_size=2, max_size=24),
    sizes=st.lists(st.integers(1, 70), min_size=1, max_size=2),
    bidirectional=st.booleans(),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
@settings(deadline=None, max_examples=12)
def test_kernels_predict_the_same_to_the_last_bit(engine, cell, lengths, sizes, bidirectional, dtype):
    needs_kernels(engine)
    network = make_network(
        "last",
        dtype,
        cell_type=cell[0],
        nonlinearity=cell[1],
        hidden_sizes=tuple(sizes),
        bidirectional=bidirectional,
    )
    sequences = make_sequences(lengths)
    with pytest.MonkeyPatch.context() as monkeypatch:
        (_, expected), *others = predict_by_all_means(network, sequences, engine, monkeypatch)
        for order, found in others:
            np.testing.assert_array_equal(found, expected[order])


@pytest.mark.parametrize("options", [{"pooling": "max"}, {"residual": True, "layer_norm": True}])
def test_kernels_predict_the_same_to_the_last_bit_also_with(options, monkeypatch):
    needs_kernels()
    network = make_network(**{"pooling": "last", "hidden_sizes": (21, 21), **options})
    (_, expected), *others = predict_by_all_means(network, make_sequences(LENGTHS * 5), "auto", monkeypatch)
    for order, found in others:
        np.testing.assert_array_equal(found, expected[order])


@pytest.mark.parametrize("estimator", [RNNClassifier, RNNSequenceTagger])
@pytest.mark.parametrize("engine", ["auto", "fused"])
def test_probabilities_are_the_same_to_the_last_bit(estimator, engine):
    needs_kernels(engine)
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n, 3)).astype(np.float32) for n in rng.integers(1, 30, 40)]
    y = [["a", "b", "c"][k % 3] for k in range(40)]
    if estimator is RNNSequenceTagger:
        y = [["ab"[int(step[0] > 0)] for step in x] for x in X]
    of_the_last = {"pooling": "last", "conv_branch": False} if estimator is RNNClassifier else {}
    model = estimator(hidden_size=20, max_epochs=1, engine=engine, random_state=0, **of_the_last).fit(X, y)
    together = model.predict_proba(X)
    order = rng.permutation(40)
    moved = model.predict_proba([X[i] for i in order])
    for k, i in enumerate(order):
        np.testing.assert_array_equal(moved[k], together[i])
        np.testing.assert_array_equal(model.predict_proba([X[i]])[0], together[i])


def test_gradients_of_an_evaluation_copy_do_not_reach_the_network():
    """Also where nothing had to be converted, so that both share the memory of the weights."""
    network = make_network(dtype=torch.float64).requires_grad_(False)
    frozen = evaluation_copy(network).requires_grad_(True)
    assert frozen.head.linear.weight.data_ptr() == network.head.linear.weight.data_ptr()
    frozen(torch.ones(1, 3, 2, dtype=torch.float64), torch.tensor([3])).sum().backward()
    assert frozen.head.linear.weight.grad is not None
    assert network.head.linear.weight.grad is None
    assert not network.head.linear.weight.requires_grad


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
    rough = outputs(network, sequences, per_step=False, autocast=True)
    assert 1e-6 < np.abs(rough - exact).max() < 0.05


def test_autocast_changes_nothing_on_a_cpu():
    network, sequences = make_network(), make_sequences()
    exact = outputs(network, sequences, per_step=False)
    given = outputs(network, sequences, per_step=False, autocast=True)
    np.testing.assert_array_equal(given, exact)
