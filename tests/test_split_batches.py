"""A batch in parts is what it is in one: losses, gradients, scores, and what callbacks see of it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skorch.callbacks import Callback
from torch import nn

from sklearn_rnn import RNNClassifier, RNNRegressor, RNNSequenceTagger
from sklearn_rnn.data import splitting
from sklearn_rnn.data.batching import SequenceDataset, SplitBatch
from sklearn_rnn.data.orders import BatchIterator, Buckets, InOrder
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.networks.dropout import one_batch
from sklearn_rnn.networks.engines import kernels_installed
from sklearn_rnn.networks.layer import RecurrentLayer

ENGINES = ["torch", "fused"] if kernels_installed() else ["torch"]
NEVER = 10**9
rng = np.random.default_rng(0)
LENGTHS = [1, 2, 40, 3, 2, 9, 1, 5, 17, 2, 2, 3]
X = [rng.normal(size=(length, 2)) for length in LENGTHS]
LABELS = np.array([int(x[:, 0].sum() > 0) for x in X])
NUMBERS = np.array([x[:, 0].sum() for x in X])
STEPS = [np.where(rng.random(len(x)) < 0.2, np.nan, x[:, 0]) for x in X]
TAGS = [np.where(x[:, 0] > 0, "B-up", "O").tolist() for x in X]
WEIGHT = rng.uniform(0.5, 2, size=len(X))
SMALL = {"hidden_size": 3, "batch_size": 6, "max_epochs": 3, "random_state": 0, "dtype": "float64", "dropout": 0.0}


class Sees(Callback):
    """Keeps the shapes of what a batch consists of, and the loss and the outputs of each."""

    def initialize(self):
        self.rows = []
        return self

    def on_batch_end(self, net, batch, training=False, loss=None, y_pred=None, **kwargs):
        read, learned = batch
        shapes = [tuple(part.shape) for part in (*read.values(), *learned.values(), y_pred)]
        self.rows.append((len(batch), training, shapes, float(loss), y_pred.detach().clone(), read["lengths"].clone()))


def seen(model):
    return next(callback.rows for _, callback in model.net_.callbacks_ if isinstance(callback, Sees))


@pytest.fixture
def fits(monkeypatch):
    """Fits one estimator with batches that are never split, and with those that are wherever padding allows it."""

    def both(estimator, y, *, fit_parameters=None, make_callbacks=lambda: None, **parameters):
        models = []
        for most_padding in (NEVER, 0):
            monkeypatch.setattr(splitting, "MOST_PADDING", most_padding)
            model = estimator(**{**SMALL, **parameters}, callbacks=make_callbacks())
            models.append(model.fit(X, y, **(fit_parameters or {})))
        return models

    return both


def assert_same(one, other):
    np.testing.assert_allclose(one.loss_curve_, other.loss_curve_, rtol=1e-9)
    for name, value in one.module_.state_dict().items():
        torch.testing.assert_close(other.module_.state_dict()[name], value, rtol=1e-6, atol=1e-9, msg=name)


MODELS = [
    pytest.param(RNNClassifier, LABELS, {"class_weight": "balanced", "label_smoothing": 0.1}, id="classifier"),
    pytest.param(RNNClassifier, LABELS, {"pooling": "attention", "layer_norm": True}, id="attention"),
    pytest.param(RNNClassifier, LABELS, {"tbptt_steps": 4, "pooling": "mean"}, id="truncated"),
    pytest.param(RNNRegressor, NUMBERS, {"cell_type": "lstm", "num_layers": 2, "residual": True}, id="regressor"),
    pytest.param(RNNRegressor, STEPS, {}, id="steps with gaps"),
    pytest.param(RNNSequenceTagger, TAGS, {}, id="crf"),
    pytest.param(RNNSequenceTagger, TAGS, {"class_weight": "balanced", "tbptt_steps": 3}, id="uneven crf"),
    pytest.param(RNNSequenceTagger, TAGS, {"decoder": "softmax", "cell_type": "rnn"}, id="softmax"),
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("looks", [False, True])
@pytest.mark.parametrize(("estimator", "y", "parameters"), MODELS)
def test_training_is_that_of_whole_batches(fits, estimator, y, parameters, looks, engine):
    """With weights, and by the loop of this package and by skorch's."""
    callbacks = (lambda: [Sees()]) if looks else (lambda: None)
    weighted = {"sample_weight": WEIGHT}
    one, other = fits(
        estimator, y, engine=engine, make_callbacks=callbacks, fit_parameters=weighted, bidirectional=True, **parameters
    )
    assert_same(one, other)
    if looks:
        for (*wanted, loss, outputs, lengths), (*found, own_loss, own_outputs, own_lengths) in zip(
            seen(one), seen(other), strict=True
        ):
            assert found == wanted
            assert own_loss == pytest.approx(loss, rel=1e-6)
            assert torch.equal(own_lengths, lengths)
            inside = torch.ones(len(outputs), dtype=torch.bool)
            if outputs.ndim > 2:
                inside = torch.arange(outputs.shape[1]) < lengths[:, None]
            torch.testing.assert_close(own_outputs[inside], outputs[inside], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("looks", [False, True])
@pytest.mark.parametrize(
    ("estimator", "y"), [(RNNClassifier, LABELS), (RNNRegressor, NUMBERS), (RNNSequenceTagger, TAGS)]
)
def test_validation_is_that_of_whole_batches(fits, estimator, y, looks):
    callbacks = (lambda: [Sees()]) if looks else (lambda: None)
    held_out = {"X_val": X[::-1], "y_val": y[::-1]}
    one, other = fits(estimator, y, make_callbacks=callbacks, fit_parameters=held_out, batch_size=12)
    assert_same(one, other)
    np.testing.assert_allclose(one.validation_scores_, other.validation_scores_, rtol=1e-9)
    losses = [[row["valid_loss"] for row in model.history_] for model in (one, other)]
    np.testing.assert_allclose(*losses, rtol=1e-9)


@pytest.mark.parametrize("optimizer", ["sgd", torch.optim.LBFGS])
def test_an_optimizer_makes_a_step_a_batch(fits, optimizer):
    one, other = fits(RNNClassifier, LABELS, optimizer=optimizer, weight_decay=0.0, clip_grad_norm=0.1)
    assert_same(one, other)


@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=14),
    batch_size=st.integers(1, 14),
    alignment=st.sampled_from(["sequence", "step", "own"]),
    seed=st.none() | st.integers(0, 9),
)
@settings(deadline=None)
def test_parts_are_the_batch(lengths, batch_size, alignment, seed):
    """Each sequence is in one part, with what belongs to it; joined outputs are in the order of the batch."""
    n = len(lengths)
    values = np.repeat(np.arange(1.0, n + 1), lengths)
    steps = Sequences(values, np.concatenate([[0], np.cumsum(lengths)]))
    target = np.arange(1.0, n + 1)[:, None] if alignment == "sequence" else steps
    data = TrainingSet(steps.with_values(values[:, None]), target, np.arange(1.0, n + 1), steps)
    dataset = SequenceDataset(data, alignment, dtype=torch.float64)

    def batches():
        order = InOrder() if seed is None else Buckets(np.random.RandomState(seed))
        return list(BatchIterator(dataset, batch_size, order))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(splitting, "MOST_PADDING", NEVER)
        whole = batches()
        patch.setattr(splitting, "MOST_PADDING", 0)
        split = batches()
    for one, other in zip(whole, split, strict=True):
        assert len(one) == len(other) == sum(map(len, other.parts))
        padded = sum(part.values.shape[:2].numel() for part in other.parts)
        assert padded <= 2 * int(one.lengths.sum())
        for joined, wanted in (
            (other.join([part.values for part in other.parts]), one.values),
            (other.join([part.lengths[:, None] for part in other.parts])[:, 0], one.lengths),
            (other.whole().values, one.values),
            (other.values, one.values),
            (other.weight, one.weight),
        ):
            assert torch.equal(joined, wanted)
        if alignment == "sequence":
            assert torch.equal(other.join([part.target for part in other.parts]), one.target)
        assert sum(float(part.weight.sum()) for part in other.parts) == pytest.approx(float(one.weight.sum()))
        scaled = sum(float(part.weight.sum()) / len(part) for part in other.shares)
        assert scaled == pytest.approx(float(one.weight.sum()) / len(one))
        outputs = [part.weight[..., None] for part in other.parts]
        for again, wanted in zip(other.separate(other.join(outputs)), outputs, strict=True):
            assert torch.equal(again, wanted)


def test_only_uneven_batches_are_split():
    lengths = [20] * 1000 + [20_000]
    sequences = Sequences(np.zeros((sum(lengths), 1)), np.concatenate([[0], np.cumsum(lengths)]))
    dataset = SequenceDataset(TrainingSet(sequences, np.zeros((1001, 1)), np.ones(1001)))
    batches = list(BatchIterator(dataset, 100))
    assert [isinstance(batch, SplitBatch) for batch in batches] == [False] * 11
    (batch,) = BatchIterator(dataset, 1001)
    assert [tuple(part.values.shape) for part in batch.parts] == [(1, 20_000, 1), (1000, 20, 1)]


def test_weights_are_dropped_once_a_batch():
    """Recurrent weights that are dropped are the same ones in all parts; the units of states are not."""
    layer = RecurrentLayer("gru", 2, 50, bidirectional=True, weight_dropout=0.5, recurrent_dropout=0.5)
    for weights in layer.parameters():
        nn.init.normal_(weights)

    def dropped():
        return torch.cat([weights.weight_hh_l0.flatten() == 0 for weights in layer._weights()])

    with one_batch(layer):
        first, second = dropped(), dropped()
        masks = [layer._mask_of_states(torch.zeros(1), 4, 0) for _ in range(2)]
    assert torch.equal(first, second)
    assert not torch.equal(masks[0], masks[1])
    assert not torch.equal(first, dropped())
    assert not torch.equal(dropped(), dropped())


@pytest.mark.parametrize("parameters", [{"weight_dropout": 0.3}, {"dropout": 0.3, "tied_dropout": True}], ids=str)
def test_dropout_in_parts_is_reproducible(fits, parameters):
    parameters = {"num_layers": 2, "bidirectional": True, "tbptt_steps": 4, **parameters}
    _, one = fits(RNNSequenceTagger, TAGS, **parameters)
    _, other = fits(RNNSequenceTagger, TAGS, **parameters)
    assert one.loss_curve_ == other.loss_curve_
    assert all(np.isfinite(one.loss_curve_))
