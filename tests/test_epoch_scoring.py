"""Figures of the history that callbacks add and look at: EpochScoring, BatchScoring, EarlyStopping, Checkpoint."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score
from skorch.callbacks import (
    BatchScoring,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    LRScheduler,
)
from test_given_callbacks import HELD_OUT, SMALL, SUMS, TAGS, Odd, Trial, X, used, y
from torch.optim.lr_scheduler import ReduceLROnPlateau

from sklearn_rnn import RNNClassifier, RNNRegressor, RNNSequenceTagger
from sklearn_rnn.training.given_callbacks import UnknownFigureError


@pytest.mark.parametrize("use_caching", [True, False])
class TestEpochScoring:
    def test_of_the_validation_data(self, use_caching):
        scoring = EpochScoring("f1", lower_is_better=False, use_caching=use_caching)
        model = RNNClassifier(callbacks=[scoring], **SMALL).fit(X, y, **HELD_OUT)
        assert model.history_[-1]["f1"] == f1_score(y[40:], model.predict(X[40:]))
        assert model.history_[0]["f1_best"]
        assert used(model, "EpochScoring").best_score_ == max(row["f1"] for row in model.history_)

    def test_of_probabilities(self, use_caching):
        scoring = EpochScoring("roc_auc", lower_is_better=False, use_caching=use_caching)
        model = RNNClassifier(callbacks=[("auc", scoring)], **SMALL).fit(X, y, **HELD_OUT)
        assert model.history_[-1]["roc_auc"] == roc_auc_score(y[40:], model.predict_proba(X[40:])[:, 1])

    def test_of_the_training_data(self, use_caching):
        scoring = EpochScoring("accuracy", name="train_acc", on_train=True, use_caching=use_caching)
        model = RNNClassifier(callbacks=[scoring], **SMALL).fit(X, y)
        assert model.history_[-1]["train_acc"] == model.score(X, y)

    def test_of_the_part_that_is_set_aside(self, use_caching):
        seen = []

        def look(estimator, X, y):
            seen.append((list(X), list(y)))
            return estimator.score(X, y)

        both = [
            EpochScoring(look, name=name, on_train=name == "training", lower_is_better=False, use_caching=use_caching)
            for name in ("training", "aside")
        ]
        weight = np.r_[0, np.ones(len(X) - 1)]
        model = RNNClassifier(callbacks=both, early_stopping=True, validation_fraction=0.3, **SMALL)
        model.fit(X, y, sample_weight=weight)
        training, aside = seen[:2]
        assert len(aside[0]) == 18
        rows = [next(i for i, x in enumerate(X) if x is part) for part in training[0] + aside[0]]
        assert sorted(rows) == list(range(1, len(X)))
        np.testing.assert_array_equal(training[1] + aside[1], y[rows])
        assert [row["aside"] for row in model.history_] == model.validation_scores_

    @pytest.mark.parametrize(
        ("estimator", "target", "scoring"),
        [(RNNRegressor, SUMS, "r2"), (RNNSequenceTagger, TAGS, None), (RNNRegressor, SUMS, None)],
    )
    def test_of_other_targets(self, estimator, target, scoring, use_caching):
        callbacks = [EpochScoring(scoring, lower_is_better=False, use_caching=use_caching)]
        model = estimator(callbacks=callbacks, **SMALL).fit(X, target, X_val=X[40:], y_val=target[40:])
        expected = model.score(X[40:], target[40:])
        assert model.history_[-1]["score" if scoring is None else scoring] == pytest.approx(expected, rel=1e-9)

    def test_of_several_inputs(self, use_caching):
        several = {"one": X, "two": [x[:, :1] for x in X]}
        callbacks = [EpochScoring("accuracy", lower_is_better=False, use_caching=use_caching)]
        model = RNNClassifier(callbacks=callbacks, early_stopping=True, **SMALL).fit(several, y)
        assert [row["accuracy"] for row in model.history_] == model.validation_scores_

    def test_without_validation_data_there_is_no_score(self, use_caching):
        model = RNNClassifier(callbacks=[EpochScoring("f1", use_caching=use_caching)], **SMALL).fit(X, y)
        assert "f1" not in model.history_[-1]

    def test_of_what_skorch_has_recorded(self, use_caching):
        scoring = EpochScoring(lambda net, X, y: 2 * net.history[-1, "train_loss"], name="double", on_train=True)
        scoring.use_caching = use_caching
        model = RNNClassifier(callbacks=[scoring], **SMALL).fit(X, y)
        assert [row["double"] for row in model.history_] == [2 * loss for loss in model.loss_curve_]

    def test_the_weights_do_not_depend_on_it(self, use_caching):
        scored = RNNClassifier(callbacks=[EpochScoring("f1", use_caching=use_caching)], **SMALL).fit(X, y, **HELD_OUT)
        plain = RNNClassifier(**SMALL).fit(X, y, **HELD_OUT)
        np.testing.assert_array_equal(scored.predict_proba(X), plain.predict_proba(X))


def test_others_monitor_what_epoch_scoring_records():
    callbacks = [
        EpochScoring("f1", lower_is_better=False),
        EarlyStopping("f1", patience=1, threshold=10, threshold_mode="abs", lower_is_better=False),
    ]
    model = RNNClassifier(callbacks=callbacks, **SMALL).fit(X, y, **HELD_OUT)
    assert model.n_iter_ == 2


@pytest.mark.parametrize("scoring", ["accuracy", None, f1_score])
def test_batch_scoring_reads_batches_alone(scoring):
    with pytest.raises(ValueError, match=r"callbacks\[0\] is a BatchScoring .* take EpochScoring"):
        RNNClassifier(callbacks=[BatchScoring(scoring)], **SMALL).fit(X, y)


@pytest.mark.parametrize(
    "callback",
    [
        EarlyStopping("valid_acc", lower_is_better=False),
        Odd(Trial(), "valid_acc"),
        LRScheduler(ReduceLROnPlateau, monitor="valid_acc"),
        Checkpoint("valid_acc_best", dirname=""),
    ],
    ids=lambda callback: type(callback).__name__,
)
def test_a_figure_that_is_not_there(callback):
    with pytest.raises(Exception, match=r"was not found|is not in the history") as caught:  # skorch has its own errors
        RNNClassifier(callbacks=[callback], **SMALL).fit(X, y, **HELD_OUT)
    errors = [caught.value, caught.value.__cause__, caught.value.__context__]
    (named,) = {str(error) for error in errors if isinstance(error, UnknownFigureError)}
    assert named.startswith("'valid_acc")
    assert "train_loss, train_loss_best, valid_batch_count, valid_loss, valid_loss_best, valid_score" in named
    assert "the score of the validation data is valid_score" in named


def test_a_figure_of_validation_data_that_is_not_there():
    with pytest.raises(KeyError, match="without validation data there is no valid_loss or valid_score") as caught:
        RNNClassifier(callbacks=[Odd(Trial(), "valid_score")], **SMALL).fit(X, y)
    assert str(caught.value).startswith("'valid_score' is not in the history, which has dur, epoch, ")


def test_checkpoints_of_the_best_score(tmp_path):
    given = Checkpoint("valid_score_best", dirname=str(tmp_path), f_pickle=None)
    model = RNNClassifier(callbacks=[given], **SMALL).fit(X, y, **HELD_OUT)
    best = np.maximum.accumulate([-np.inf, *model.validation_scores_])
    assert [row["event_cp"] for row in model.history_] == (np.diff(best) > 0).tolist()
    assert (tmp_path / "params.pt").exists()
