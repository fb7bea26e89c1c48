"""What happens inside an epoch: gradients are clipped, and validation outputs scored."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from skorch.callbacks import BatchScoring, Callback
from skorch.history import History

from sklearn_rnn import RNNClassifier, RNNRegressor, RNNSequenceTagger
from sklearn_rnn.data.batching import Batch
from sklearn_rnn.networks.heads import StepHead
from sklearn_rnn.networks.losses import CROSS_ENTROPY, WeightedLoss
from sklearn_rnn.training.callbacks import GradientClipping, ValidationScore

rng = np.random.default_rng(0)
X = [rng.normal(size=(length, 2)) for length in rng.integers(2, 7, size=40)]
y = np.array([float(x[:, 0].sum()) for x in X])
SMALL = {"hidden_size": 4, "batch_size": 8, "max_epochs": 2, "random_state": 0, "lr_schedule": None}


class RecordGradients(Callback):
    """Keeps norm and greatest entry of each gradient that the optimizer gets."""

    def initialize(self):
        self.norms, self.greatest = [], []
        return self

    def on_grad_computed(self, net, named_parameters, **kwargs):
        flat = torch.cat([parameter.grad.flatten() for _, parameter in named_parameters])
        self.norms.append(float(flat.norm()))
        self.greatest.append(float(flat.abs().max()))


def gradients(**clipping):
    fitted = RNNRegressor(callbacks=[RecordGradients()], **SMALL, **clipping).fit(X, y)
    (recorder,) = (callback for _, callback in fitted.net_.callbacks_ if isinstance(callback, RecordGradients))
    return np.array(recorder.norms), np.array(recorder.greatest)


def test_clip_grad_norm():
    free, _ = gradients(clip_grad_norm=None)
    assert free.max() > 0.5
    clipped, _ = gradients(clip_grad_norm=0.1)
    np.testing.assert_allclose(clipped, 0.1, rtol=1e-4)
    loose, _ = gradients(clip_grad_norm=1e6)
    np.testing.assert_array_equal(loose, free)


def test_clip_grad_value():
    _, free = gradients(clip_grad_norm=None)
    assert free.max() > 0.1
    _, clipped = gradients(clip_grad_norm=None, clip_grad_value=0.01)
    np.testing.assert_allclose(clipped, 0.01, rtol=1e-6)


def test_values_are_clipped_before_the_norm():
    norms, greatest = gradients(clip_grad_norm=0.02, clip_grad_value=0.01)
    assert norms.max() <= 0.02 * (1 + 1e-4)
    assert greatest.max() < 0.01


def test_clipping_is_per_optimizer_step():
    norms, _ = gradients(clip_grad_norm=1.0)
    assert len(norms) == SMALL["max_epochs"] * 5


class UnpackBatches(Callback):
    """Reads batches as skorch's own callbacks do."""

    def on_batch_end(self, net, batch, training, **kwargs):
        X, y = batch
        self.read = (*X["values"].shape[:1], *X["lengths"].shape, *y["target"].shape[:1], *y["weight"].shape)


def constant(net, X, y):
    return 3.0


def test_callbacks_of_skorch_unpack_batches():
    callbacks = [("unpack", UnpackBatches()), BatchScoring(constant, name="constant")]
    fitted = RNNRegressor(callbacks=callbacks, **SMALL).fit(X, y, X_val=X[:3], y_val=y[:3])
    assert dict(fitted.net_.callbacks_)["unpack"].read == (3, 3, 3, 3)
    assert [row["constant"] for row in fitted.history_] == [3.0, 3.0]


LABELS = np.where(y > 0, "up", "down")
TAGS = [np.where(x[:, 0] > 0, "up", "down").tolist() for x in X]


@pytest.mark.parametrize(
    ("estimator", "target"),
    [
        pytest.param(RNNClassifier, LABELS, id="binary"),
        pytest.param(RNNClassifier, np.digitize(y, [-1, 1]), id="multiclass"),
        pytest.param(RNNRegressor, y, id="regressor"),
        pytest.param(RNNRegressor, np.column_stack([y, -2 * y + 1]), id="two outputs"),
        pytest.param(RNNSequenceTagger, TAGS, id="tagger"),
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_last_validation_score_is_what_score_returns(estimator, target, weighted):
    weight = np.random.default_rng(1).uniform(0.5, 2, size=15) if weighted else None
    held_out = {"X_val": X[:15], "y_val": target[:15], "sample_weight_val": weight}
    fitted = estimator(**SMALL, dtype="float64").fit(X, target, **held_out)
    assert len(fitted.validation_scores_) == SMALL["max_epochs"]
    expected = fitted.score(X[:15], target[:15], sample_weight=weight)
    assert fitted.validation_scores_[-1] == pytest.approx(expected, rel=1e-6)


SPANS = [
    ["O" if now <= 0.3 else "I-x" if before > 0.3 else "B-x" for before, now in pairwise([0.0, *x[:, 0]])] for x in X
]


@pytest.mark.parametrize("decoder", ["crf", "softmax"])
@pytest.mark.parametrize(
    "parameters",
    [
        {"scoring": "span_f1"},
        {"scoring": "span_f1", "train_scheme": "BIOES"},
        {"train_scheme": "BILOU", "class_weight": "balanced"},
        {"constrain_transitions": False},
    ],
    ids=str,
)
@pytest.mark.parametrize("weighted", [False, True])
def test_last_validation_score_of_a_tagger_is_that_of_its_label_sequences(decoder, parameters, weighted):
    weight = np.random.default_rng(1).uniform(0.1, 2, size=15) if weighted else None
    options = {**SMALL, "max_epochs": 6, "learning_rate": 0.02, **parameters}
    tagger = RNNSequenceTagger(**options, decoder=decoder, dtype="float64")
    tagger.fit(X, SPANS, X_val=X[:15], y_val=SPANS[:15], sample_weight_val=weight)
    assert 0 < tagger.validation_scores_[-1] < 1
    expected = tagger.score(X[:15], SPANS[:15], sample_weight=weight)
    assert tagger.validation_scores_[-1] == pytest.approx(expected, rel=1e-6)


class OneMore:
    """Decides what it is given, and 1 more."""

    def decide(self, outputs, lengths, head):
        assert len(lengths) == len(outputs)
        assert head == "head"
        return outputs + 1


def validate(batches, criterion=None):
    """What a score is computed from, after an epoch with these `batches` and their outputs."""
    seen = []
    score = ValidationScore(lambda *parts: seen.append(parts) or 0.25)
    criterion = OneMore() if criterion is None else criterion
    net = SimpleNamespace(module_=SimpleNamespace(head="head"), criterion_=criterion, history=History())
    net.history.new_epoch()
    score.on_epoch_begin(net)
    for batch, outputs in batches:
        score.on_batch_end(net, batch=batch, training=False, y_pred=outputs)
        score.on_batch_end(net, batch=batch, training=True, y_pred=outputs + 9)
    score.on_epoch_end(net)
    assert (score.batches, score.inside) == ([], [])
    assert net.history[-1, "valid_score"] == 0.25
    (parts,) = seen
    return parts


def test_scores_of_steps_leave_padding_out():
    batches = []
    for lengths in ([2, 1], [3]):
        lengths = torch.tensor(lengths)
        target = torch.arange(len(lengths) * 3).view(-1, 3)
        batch = Batch(torch.zeros(len(lengths), 3, 2), lengths, target, weight=0.5 + target)
        batches.append((batch, target * 10))
    outputs, target, weight, lengths = validate(batches)
    assert target.tolist() == [0, 1, 3, 0, 1, 2]
    np.testing.assert_array_equal(outputs, 10 * target + 1)
    np.testing.assert_array_equal(weight, target + 0.5)
    assert lengths.tolist() == [2, 1, 3]


def test_scores_of_sequences_take_them_all():
    batch = Batch(torch.zeros(2, 3, 2), torch.tensor([3, 1]), torch.tensor([4, 5]), torch.tensor([1.0, 2.0]))
    outputs, target, weight, lengths = validate([(batch, torch.zeros(2, 3))] * 2)
    np.testing.assert_array_equal(outputs, np.ones((4, 3)))
    assert (target.tolist(), weight.tolist()) == ([4, 5, 4, 5], [1, 2, 1, 2])
    assert lengths.tolist() == [3, 1, 3, 1]


@pytest.mark.parametrize("per_step", [False, True])
def test_of_many_classes_only_the_codes_are_kept(per_step):
    """What is kept of a batch does not grow with the number of classes."""
    lengths, shape = torch.tensor([5, 2]), (2, 5) if per_step else (2,)
    generator = torch.Generator().manual_seed(0)
    kept, expected = [], []
    score = ValidationScore(lambda decided, *others: kept.append(decided) or 0.5)
    network = SimpleNamespace(head=StepHead(1, 10_000))
    net = SimpleNamespace(module_=network, criterion_=WeightedLoss(CROSS_ENTROPY), history=History())
    net.history.new_epoch()
    score.on_epoch_begin(net)
    for _ in range(3):
        logits = torch.randn(*shape, 10_000, generator=generator)
        batch = Batch(torch.zeros(2, 5, 1), lengths, torch.zeros(shape, dtype=torch.int64), torch.ones(shape))
        score.on_batch_end(net, batch=batch, y_pred=logits)
        best = logits.argmax(-1)
        expected += torch.cat([row[:n] for row, n in zip(best, lengths, strict=True)]) if per_step else best
    held = [part for batch in score.batches for part in batch] + score.inside
    assert max(part.numel() for part in held) == np.prod(shape)
    assert sum(part.untyped_storage().nbytes() for part in held) < 1000
    score.on_epoch_end(net)
    np.testing.assert_array_equal(kept[0], expected)


def test_steps_without_a_label_are_not_scored():
    tags = [["?", *part[1:]] for part in TAGS]
    tagger = RNNSequenceTagger(ignore_label="?", **SMALL).fit(X, tags, X_val=X[:15], y_val=tags[:15])
    assert tagger.validation_scores_[-1] == pytest.approx(tagger.score(X[:15], tags[:15]))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("max_norm", [None, 0.5, 50.0])
@pytest.mark.parametrize("max_value", [None, 0.1])
def test_clipping_is_torchs(scale, max_norm, max_value):
    generator = torch.Generator().manual_seed(0)
    gradients = [torch.randn(shape, generator=generator) * scale for shape in [(3, 4), (5,), ()]]
    parameters = [torch.zeros_like(gradient, requires_grad=True) for gradient in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient.clone()
    if max_value is not None:
        torch.nn.utils.clip_grad_value_(parameters, max_value)
    if max_norm is not None:
        torch.nn.utils.clip_grad_norm_(parameters, max_norm)
    GradientClipping(max_norm, max_value).clip(gradients)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        torch.testing.assert_close(gradient, parameter.grad, rtol=1e-6, atol=0)


def test_clipping_makes_a_diverged_gradient_no_smaller():
    gradients = [torch.tensor([float("nan"), 1.0]), torch.ones(2)]
    GradientClipping(0.5, None).clip(gradients)
    assert all(torch.isnan(gradient).all() for gradient in gradients)
