"""Networks that go on step by step: every prefix has the outputs that the whole network gives it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import MIXED, POOLINGS, TOKENS, make_network, make_spec, random_values
from streaming import ENGINES

from sklearn_rnn.networks.engines import Engine, using_engine
from sklearn_rnn.networks.heads import VocabularyHeadSpec
from sklearn_rnn.networks.network import build_network
from sklearn_rnn.networks.stepping import CompiledStepper, TorchStepper, make_stepper

networks = st.fixed_dictionaries(
    {
        "cell_type": st.sampled_from(["rnn", "lstm", "gru"]),
        "nonlinearity": st.sampled_from(["tanh", "relu"]),
        "hidden_sizes": st.sampled_from([[1], [3], [3, 2], [3, 3, 3]]),
        "residual": st.booleans(),
        "layer_norm": st.booleans(),
        "pooling": st.sampled_from(POOLINGS),
        "layout": st.sampled_from([None, TOKENS, MIXED]),
        "char_encoder": st.sampled_from(["cnn", "lstm"]),
        "seed": st.integers(0, 2**16),
    }
)


def stepper_of(network, n_streams=1, engine="fused"):
    with using_engine(Engine(engine)):
        return make_stepper(network.eval(), n_streams)


def outputs_after(network, values):
    """The outputs (n_outputs,) of torch after the last step of `values` (n_steps, n_columns)."""
    with torch.inference_mode(), using_engine(Engine("torch")):
        found = network.eval()(torch.from_numpy(values)[None], torch.tensor([len(values)]))
    return (found[0, -1] if found.ndim == 3 else found[0]).double().numpy()


def some_values(network, n_steps, seed=0):
    """Encoded steps (n_steps, n_columns) of one sequence."""
    return random_values(network, [n_steps], seed)[0].numpy()


@pytest.mark.parametrize("engine", ENGINES)
@settings(deadline=None, max_examples=50)
@given(networks, st.integers(1, 6))
def test_every_prefix_has_the_outputs_of_the_whole_network(engine, parameters, n_steps):
    network = make_network(**parameters)
    values = some_values(network, n_steps, parameters["seed"])
    stepper = stepper_of(network, engine=engine)
    assert isinstance(stepper, TorchStepper if engine == "torch" else CompiledStepper)
    for t in range(n_steps):
        with using_engine(Engine(engine)):
            assert stepper.advance(values[t : t + 1], np.array([0])) == -1
        np.testing.assert_allclose(stepper.outputs[0], outputs_after(network, values[: t + 1]), rtol=0, atol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("cell_type", ["rnn", "lstm", "gru"])
def test_in_float32_too(cell_type, pooling, engine):
    network = make_network(cell_type=cell_type, pooling=pooling, hidden_sizes=[20, 9], dtype=torch.float32)
    values = some_values(network, 8).astype(np.float32)
    stepper = stepper_of(network, engine=engine)
    for t in range(8):
        stepper.advance(values[t : t + 1].astype(np.float64), np.array([0]))
        np.testing.assert_allclose(stepper.outputs[0], outputs_after(network, values[: t + 1]), rtol=0, atol=2e-6)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_streams_at_their_own_pace_are_each_as_if_alone(pooling, engine, rng):
    network = make_network(pooling=pooling, hidden_sizes=[3, 2])
    values = rng.normal(size=(4, 9, 2))
    stepper = stepper_of(network, 4, engine)
    taken = [[] for _ in range(4)]
    for t in range(9):
        rows = np.flatnonzero(rng.random(4) < 0.6)[::-1].copy()
        stepper.advance(values[rows, t], rows)
        for row in rows:
            taken[row].append(values[row, t])
        if t == 4:
            stepper.reset(np.array([1]))
            taken[1].clear()
    assert stepper.n_steps.tolist() == [len(steps) for steps in taken]
    for row, steps in enumerate(taken):
        if steps:
            np.testing.assert_allclose(stepper.outputs[row], outputs_after(network, np.array(steps)), atol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("cell_type", ["lstm", "gru"])
def test_arrays_go_on_in_another_stepper(cell_type, engine, rng):
    network = make_network(cell_type=cell_type, hidden_sizes=[3, 2], pooling="attention")
    values = rng.normal(size=(6, 2, 2))
    first, second = stepper_of(network, 2, engine), stepper_of(network, 2, engine)
    for step in values[:3]:
        first.advance(step, np.arange(2))
    second.from_arrays(first.to_arrays())
    for stepper in (first, second):
        for step in values[3:]:
            stepper.advance(step, np.arange(2))
    np.testing.assert_array_equal(second.outputs, first.outputs)
    for one, other in zip(first.state.layers, second.state.layers, strict=True):
        for mine, theirs in zip(one, other, strict=True):
            assert mine.shape[:2] == (1, 2)
            torch.testing.assert_close(mine, theirs, rtol=0, atol=0)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("pooling", ["attention", None])
def test_copies_go_on_as_what_they_were_copied_from(pooling, engine, rng):
    network = make_network(cell_type="lstm", hidden_sizes=[3, 2], pooling=pooling)
    values = rng.normal(size=(6, 3, 2))
    stepper, sources, targets = stepper_of(network, 3, engine), np.array([1, 0]), np.array([0, 2])
    for step in values[:4]:
        stepper.advance(step, np.arange(3))
    before = stepper.to_arrays()
    stepper.copy(sources, targets)
    for name, array in stepper.to_arrays().items():
        np.testing.assert_array_equal(array, before[name][[1, 1, 0]])
    for step in values[4:]:
        stepper.advance(step, np.arange(3))
    past = np.concatenate([values[:4, [1, 1, 0]], values[4:]])
    for row in range(3):
        np.testing.assert_allclose(stepper.outputs[row], outputs_after(network, past[:, row]), rtol=0, atol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
def test_arrays_of_another_network_are_refused(engine):
    arrays = stepper_of(make_network(hidden_sizes=[3]), 2, engine).to_arrays()
    other = stepper_of(make_network(hidden_sizes=[4]), 2, engine)
    with pytest.raises(ValueError, match=r"'layer 0 part 0' has shape \(2, 3\), wanted \(2, 4\)"):
        other.from_arrays(arrays)
    del arrays["n_steps"]
    with pytest.raises(ValueError, match="'n_steps' is missing"):
        stepper_of(make_network(hidden_sizes=[3]), 2, engine).from_arrays(arrays)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e39])
def test_a_number_that_is_not_finite_changes_nothing(value, engine, rng):
    stepper = stepper_of(make_network(dtype=torch.float32), 2, engine)
    x = rng.normal(size=(2, 2))
    stepper.advance(x, np.arange(2))
    before = stepper.to_arrays()
    x[1, 0] = value
    assert stepper.advance(x, np.arange(2)) == 2
    for name, array in stepper.to_arrays().items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("tied", [False, True])
def test_logits_of_a_vocabulary(tied, engine):
    spec = replace(make_spec(layout=TOKENS, hidden_sizes=(4,)), head=VocabularyHeadSpec(5, tied=tied))
    network = build_network(spec)
    stepper, values = stepper_of(network, engine=engine), some_values(network, 6)
    assert isinstance(stepper, TorchStepper if engine == "torch" else CompiledStepper)
    for t in range(6):
        stepper.advance(values[t : t + 1], np.array([0]))
        np.testing.assert_allclose(stepper.outputs[0], outputs_after(network, values[: t + 1]), rtol=0, atol=1e-12)


@pytest.mark.parametrize("cell", [{"cell_type": "lstm", "proj_size": 2}, {"cell_type": "mgu"}])
def test_what_the_kernels_do_not_have_is_left_to_torch(cell, rng):
    network = make_network(**cell)
    stepper = stepper_of(network)
    assert isinstance(stepper, TorchStepper)
    values = rng.normal(size=(4, 2))
    for t in range(4):
        stepper.advance(values[t : t + 1], np.array([0]))
        np.testing.assert_allclose(stepper.outputs[0], outputs_after(network, values[: t + 1]), atol=1e-12)


def test_two_directions_are_refused():
    with pytest.raises(ValueError, match="bidirectional=False"):
        stepper_of(make_network(bidirectional=True))
