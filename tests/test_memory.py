"""A network that is too large for the machine is refused before any of it is made."""

import numpy as np
import pytest
import torch

from sklearn_rnn import RNNClassifier, RNNSequenceTagger
from sklearn_rnn.exceptions import OutOfMemoryError
from sklearn_rnn.networks.cells import CELLS
from sklearn_rnn.networks.heads import PooledHeadSpec
from sklearn_rnn.networks.inputs import InputLayout
from sklearn_rnn.networks.network import build_network
from sklearn_rnn.networks.specs import BackboneSpec, InputsSpec, NetworkSpec
from sklearn_rnn.training import memory
from sklearn_rnn.training.memory import least_weights, memory_of

X = np.random.default_rng(0).normal(size=(20, 5, 2))
TOKENS = [["a", "b"], ["c"]] * 10
y = np.arange(20) % 2


@pytest.mark.parametrize(
    ("parameters", "data"),
    [
        ({"hidden_size": 10**9}, X),
        ({"hidden_size": [4, 10**7]}, X),
        ({"hidden_size": 10**9, "cell_type": "mgu"}, X),
        ({"hidden_size": 10**12, "cell_type": "lstm", "proj_size": 2}, X),
        ({"hidden_size": 10**40}, X),
        ({"num_layers": 10**12}, X),
        ({"embedding_dim": 10**11}, TOKENS),
        ({"char_encoder": "cnn", "char_hidden_size": 10**11}, TOKENS),
        ({"char_encoder": "lstm", "char_hidden_size": 10**7}, TOKENS),
    ],
    ids=str,
)
def test_too_large(parameters, data):
    message = r"take [\d,]+\.\d TB, and this machine has [\d,.]+ GB: lower hidden_size, num_layers"
    with pytest.raises(OutOfMemoryError, match=message):
        RNNClassifier(device="cpu", **parameters).fit(data, y)


def test_how_much_is_wanted(monkeypatch):
    monkeypatch.setattr(memory, "memory_of", lambda device: 10**6)
    said = r"has [\d,]+ weights, which with their gradients take 10\.\d MB, and this machine has 1\.0 MB"
    with pytest.raises(OutOfMemoryError, match=said):
        RNNSequenceTagger(hidden_size=460, device="cpu").fit(X, [["a"] * 5, ["b"] * 5] * 10)
    RNNSequenceTagger(hidden_size=32, max_epochs=1, device="cpu").fit(X, [["a"] * 5, ["b"] * 5] * 10)


@pytest.mark.parametrize("cell_type", sorted(CELLS))
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("char_encoder", [None, "cnn", "lstm"])
def test_nothing_is_counted_that_is_not_there(cell_type, bidirectional, char_encoder):
    layout = InputLayout(((50, 8), (5, 3)), max_characters=6 if char_encoder else 0, n_characters=20, n_numeric=2)
    spec = NetworkSpec(
        InputsSpec(3, layout, char_encoder, 7, 10),
        BackboneSpec(cell_type, (30, 20), bidirectional, proj_size=4 if cell_type == "lstm" else 0),
        PooledHeadSpec(5),
    )
    there = sum(weight.numel() for weight in build_network(spec).parameters())
    assert 0.85 * there < least_weights(spec) <= there


def test_memory_of_this_machine():
    assert memory_of(torch.device("cpu")) > 10**8
