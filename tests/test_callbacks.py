"""What happens inside an epoch: gradients are clipped, and validation outputs scored."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from sklearn_rnn import RNNClassifier, RNNRegressor, RNNSequenceTagger

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


def test_steps_without_a_label_are_not_scored():
    tags = [["?", *part[1:]] for part in TAGS]
    tagger = RNNSequenceTagger(ignore_label="?", **SMALL).fit(X, tags, X_val=X[:15], y_val=tags[:15])
    assert tagger.validation_scores_[-1] == pytest.approx(tagger.score(X[:15], tags[:15]))
