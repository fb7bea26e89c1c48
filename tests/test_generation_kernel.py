"""Symbols of many steps in a call of a kernel: those of one step after the other."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import make_network
from symbols import decoder_of, symbol_network

pytest.importorskip("numba")

from sklearn_rnn.networks import packed_weights
from sklearn_rnn.networks.decoding import Decoding, Draws
from sklearn_rnn.networks.engines import Engine, using_engine
from sklearn_rnn.networks.generating import CompiledWriter, StepWriter
from sklearn_rnn.networks.inputs import InputLayout

networks = st.fixed_dictionaries(
    {
        "n_symbols": st.integers(2, 40),
        "cell_type": st.sampled_from(["rnn", "lstm", "gru"]),
        "nonlinearity": st.sampled_from(["tanh", "relu"]),
        "hidden_sizes": st.lists(st.integers(1, 70), min_size=1, max_size=3).map(tuple),
        "residual": st.booleans(),
        "layer_norm": st.booleans(),
        "pooling": st.sampled_from([None, "last"]),
        "n_numeric": st.sampled_from([0, 2]),
        "sharpness": st.floats(0.5, 5),
        "dtype": st.sampled_from([torch.float32, torch.float64]),
        "seed": st.integers(0, 100),
    }
)
decodings = st.builds(
    Decoding,
    max_new_tokens=st.integers(5, 30),
    min_new_tokens=st.integers(0, 5),
    temperature=st.sampled_from([0, 1e-4, 0.5, 1, 2, 1e4]),
    top_k=st.none() | st.integers(1, 40),
    top_p=st.just(1.0) | st.floats(0.1, 1),
    min_p=st.none() | st.floats(0, 0.5),
    repetition_penalty=st.sampled_from([1.0, 0.7, 1.8]),
    no_repeat_ngram_size=st.integers(0, 3),
)


def both(network, n_rows=8, **options):
    """What writes by the kernel, and what takes single steps."""
    with using_engine(Engine("fused")):
        fast, slow = (decoder_of(network, n_rows, **options) for _ in range(2))
    slow._writer = StepWriter(slow._stepper, slow._writer.read)
    assert isinstance(fast._writer, CompiledWriter)
    return fast, slow


def assert_equal(fast, slow, prompts, decoding):
    """The same symbols; logarithms are those of the same outputs."""
    symbols, logarithms = fast.sample(prompts, decoding, Draws(1, range(len(prompts))))
    wanted, expected = slow.sample(prompts, decoding, Draws(1, range(len(prompts))))
    assert [text.tolist() for text in symbols] == [text.tolist() for text in wanted]
    for ours, theirs in zip(logarithms, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-13)
    return symbols


@settings(deadline=None, max_examples=30)
@given(networks, decodings, st.integers(1, 20), st.integers(1, 12), st.booleans())
def test_symbols_are_those_of_single_steps(parameters, decoding, n, n_rows, ends):
    rng = np.random.default_rng(parameters["seed"])
    parameters = dict(parameters)
    n_symbols = parameters.pop("n_symbols")
    network = symbol_network(n_symbols, **parameters)
    beside = rng.normal(size=(n, 2))
    options = {"never": [0]} if n_symbols > 2 else {}
    if parameters["n_numeric"]:
        options["read"] = lambda symbols, numbers: np.column_stack([symbols, beside[numbers]])
    if not ends:
        options["end"] = None
    fast, slow = both(network, n_rows, **options)
    prompts = [[n_symbols - 1, *rng.integers(0, n_symbols, rng.integers(0, 9))] for _ in range(n)]
    assert_equal(fast, slow, prompts, decoding)
    if n <= n_rows:
        ours, theirs = fast._stepper.to_arrays(), slow._stepper.to_arrays()
        for name in set(ours) - {"outputs"}:  # which the kernel makes no more of than are wanted
            np.testing.assert_array_equal(ours[name], theirs[name])


def test_a_large_vocabulary_has_no_table(monkeypatch):
    network, decoding = symbol_network(30, residual=True, hidden_sizes=(6, 6)), Decoding(20)
    tabled = assert_equal(*both(symbol_network(30)), [[1]] * 9, decoding)
    monkeypatch.setattr(packed_weights, "LARGEST_TABLE", 100)
    assert [text.tolist() for text in assert_equal(*both(symbol_network(30)), [[1]] * 9, decoding)] == [
        text.tolist() for text in tabled
    ]
    assert_equal(*both(network), [[1]] * 9, decoding)


def test_categories_beside_symbols(rng):
    layout = InputLayout(embedded=((9, 6), (3, 2)), n_numeric=1)
    network = make_network(layout=layout, pooling=None, n_outputs=9, hidden_sizes=(7,)).eval()
    beside = np.column_stack([rng.integers(0, 3, 12), rng.normal(size=12)])
    fast, slow = both(network, read=lambda symbols, numbers: np.column_stack([symbols, beside[numbers]]))
    assert_equal(fast, slow, [[8, 1]] * 12, Decoding(10))


@pytest.mark.parametrize("parameters", [{"pooling": "mean"}, {"cell_type": "mgu"}, {"char_encoder": "cnn"}], ids=str)
def test_what_the_kernel_does_not_compute_takes_single_steps(parameters):
    layout = InputLayout(embedded=((9, 6),), max_characters=3 * ("char_encoder" in parameters), n_characters=4)
    network = make_network(**{"layout": layout, "pooling": None, "n_outputs": 9, **parameters}).eval()
    with using_engine(Engine("fused")):
        assert isinstance(decoder_of(network)._writer, StepWriter)


@pytest.mark.parametrize("units", [5, 64, 130])
def test_hundreds_of_sequences(units):
    """More than a tile, and weights of several panels; each as it is alone."""
    network, decoding = symbol_network(70, hidden_sizes=(units,), dtype=torch.float32), Decoding(12)
    fast, slow = both(network, 200)
    symbols = assert_equal(fast, slow, [[1]] * 150, decoding)
    with using_engine(Engine("fused", n_threads=3)):
        shared, _ = fast.sample([[1]] * 150, decoding, Draws(1, range(150)))
    assert [text.tolist() for text in shared] == [text.tolist() for text in symbols]
    for k in (0, 77, 149):
        alone, _ = fast.sample([[1]], decoding, Draws(1, [k]))
        assert alone[0].tolist() == symbols[k].tolist()
