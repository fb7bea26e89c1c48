"""The displays keep what they draw, and draw it where it belongs."""

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("Agg")

import matplotlib.pyplot as plt
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_rnn import PerStep, RNNClassifier, RNNRegressor, RNNSequenceTagger, SequenceBaggingClassifier
from sklearn_rnn.inspection import GradientFlowDisplay, TrainingCurveDisplay

rng = np.random.default_rng(0)
X = [rng.normal(size=(length, 2)) for length in rng.integers(2, 7, size=24)]
y = np.array([float(x[:, 0].sum()) for x in X])
LABELS = np.where(y > 0, "up", "down")
TAGS = [np.where(x[:, 0] > 0, "up", "down").tolist() for x in X]
LONGEST = max(len(x) for x in X)
SMALL = {"hidden_size": 3, "max_epochs": 2, "random_state": 0}

ESTIMATORS = [
    pytest.param(RNNClassifier, LABELS, id="binary"),
    pytest.param(RNNClassifier, np.digitize(y, [-1, 1]), id="multiclass"),
    pytest.param(RNNClassifier, np.column_stack([y > 0, y < 1, y > 1]).astype(int), id="multilabel"),
    pytest.param(RNNRegressor, y, id="regressor"),
    pytest.param(RNNSequenceTagger, TAGS, id="tagger"),
]


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


class TestGradientFlow:
    @pytest.mark.parametrize(("estimator", "target"), ESTIMATORS)
    @pytest.mark.parametrize("align", ["start", "end"])
    def test_every_estimator(self, estimator, target, align):
        fitted = estimator(**SMALL, num_layers=2).fit(X, target)
        display = GradientFlowDisplay.from_estimator(fitted, X, target, align=align)
        assert display.gradient_norms.shape == (2, 2, LONGEST)
        assert np.isfinite(display.gradient_norms).all()
        assert (display.gradient_norms > 0).any()
        wanted = np.arange(1, LONGEST + 1) if align == "start" else np.arange(1 - LONGEST, 1)
        np.testing.assert_array_equal(display.steps, wanted)
        assert display.ax_.get_yscale() == "log"
        assert [line.get_label() for line in display.lines_] == [
            f"gru, layer {layer}, {direction}" for layer in (1, 2) for direction in ("forward", "backward")
        ]

    def test_norms_are_means_over_the_sequences(self):
        fitted = RNNRegressor(**SMALL, pooling="last", bidirectional=False).fit(X, y)
        together = GradientFlowDisplay.from_estimator(fitted, X, y, align="end").gradient_norms[0, 0]
        _, ax = plt.subplots()
        alone = [
            GradientFlowDisplay.from_estimator(fitted, [x], [target], ax=ax).gradient_norms[0, 0]
            for x, target in zip(X, y, strict=True)
        ]
        for steps_back in range(1, LONGEST + 1):
            expected = np.mean([norms[-steps_back] for norms in alone if len(norms) >= steps_back])
            assert together[-steps_back] == pytest.approx(expected)

    def test_nothing_flows_back_into_a_forgetful_network(self):
        """Without recurrent weights only the last step has a gradient; on a logarithmic axis the line is broken."""
        fitted = RNNRegressor(**SMALL, cell_type="rnn", pooling="last", bidirectional=False).fit(X, y)
        fitted.module_.backbone.layers[0].directions[0].weight_hh_l0.data.zero_()
        display = GradientFlowDisplay.from_estimator(fitted, X, y, align="end")
        assert (display.gradient_norms[0, 0] > 0).tolist() == [False] * (LONGEST - 1) + [True]
        drawn = display.lines_[0].get_ydata()
        assert np.isnan(drawn[:-1]).all()
        assert drawn[-1] > 0

    def test_a_fitted_estimator_is_left_as_it_was(self):
        fitted = RNNClassifier(**SMALL).fit(X, LABELS)
        before = fitted.predict_proba(X)
        GradientFlowDisplay.from_estimator(fitted, X, LABELS)
        np.testing.assert_array_equal(fitted.predict_proba(X), before)

    def test_tokens_empty_sequences_and_ignored_labels(self):
        words = [["a", "b"], [], ["b", "a", "c"]]
        tags = [["x", "?"], [], ["y", "x", "?"]]
        tagger = RNNSequenceTagger(**SMALL, ignore_label="?").fit(words, tags)
        display = GradientFlowDisplay.from_estimator(tagger, words, tags)
        assert display.gradient_norms.shape == (1, 2, 3)
        with pytest.raises(ValueError, match=r"no sequence is left to learn from: each one has .* no steps"):
            GradientFlowDisplay.from_estimator(tagger, [[]], [[]])

    def test_max_length_cuts(self):
        fitted = RNNRegressor(**SMALL, max_length=3).fit(X, y)
        assert GradientFlowDisplay.from_estimator(fitted, X, y).gradient_norms.shape[-1] == 3

    def test_pipeline_and_search(self):
        pipeline = make_pipeline(PerStep(StandardScaler()), RNNRegressor(**SMALL))
        search = GridSearchCV(pipeline, {"rnnregressor__hidden_size": [3]}, cv=2).fit(X, y)
        scaled = search.best_estimator_[0].transform(X)
        expected = GradientFlowDisplay.from_estimator(search.best_estimator_[-1], scaled, y).gradient_norms
        for estimator in (search, search.best_estimator_):
            display = GradientFlowDisplay.from_estimator(estimator, X, y)
            np.testing.assert_array_equal(display.gradient_norms, expected)

    def test_names_axes_and_style(self):
        fitted = RNNRegressor(**SMALL, bidirectional=False).fit(X, y)
        _, ax = plt.subplots()
        display = GradientFlowDisplay.from_estimator(fitted, X, y, name="mine", ax=ax, line_kw={"color": "red"})
        assert display.ax_ is ax
        assert display.figure_ is ax.figure
        assert [line.get_label() for line in display.lines_] == ["mine"]
        assert display.lines_[0].get_color() == "red"
        again = display.plot(name="other")
        assert again is display
        assert display.ax_ is not ax
        assert display.lines_[0].get_label() == "other"

    def test_errors(self):
        with pytest.raises(NotFittedError):
            GradientFlowDisplay.from_estimator(RNNClassifier(), X, LABELS)
        fitted = RNNClassifier(**SMALL).fit(X, LABELS)
        with pytest.raises(ValueError, match="align='middle' must be 'start' or 'end'"):
            GradientFlowDisplay.from_estimator(fitted, X, LABELS, align="middle")
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            GradientFlowDisplay.from_estimator(fitted, X, LABELS[:-1])


class TestTrainingCurve:
    @pytest.mark.parametrize("validated", [True, False])
    def test_an_ensemble_shows_each_of_its_networks(self, validated):
        ensemble = SequenceBaggingClassifier(RNNClassifier(**SMALL), n_estimators=3, random_state=0)
        fitted = ensemble.fit(X, LABELS, **({"X_val": X, "y_val": LABELS} if validated else {}))
        display = TrainingCurveDisplay.from_estimator(fitted)
        assert len(display.lines_) == (9 if validated else 3)
        for line, curve in zip(display.lines_, fitted.loss_curves_, strict=False):
            np.testing.assert_array_equal(line.get_ydata(), curve)
        legend = (display.score_ax_ or display.ax_).get_legend()
        wanted = (
            ["training loss", "validation loss", "validation accuracy", "epochs kept"]
            if validated
            else ["training loss"]
        )
        assert [text.get_text() for text in legend.get_texts()] == wanted
        if validated:
            np.testing.assert_array_equal(display.best_epoch, fitted.best_epochs_)
            dots = display.score_ax_.get_lines()[-1]
            np.testing.assert_array_equal(
                dots.get_ydata(),
                [s[k - 1] for s, k in zip(fitted.validation_scores_, fitted.best_epochs_, strict=True)],
            )

    @pytest.mark.parametrize(("estimator", "target"), ESTIMATORS)
    def test_every_estimator(self, estimator, target):
        fitted = estimator(**SMALL).fit(X, target, X_val=X[:9], y_val=target[:9])
        display = TrainingCurveDisplay.from_estimator(fitted)
        np.testing.assert_array_equal(display.train_loss, fitted.loss_curve_)
        np.testing.assert_array_equal(display.validation_scores, fitted.validation_scores_)
        np.testing.assert_array_equal(display.validation_loss, [row["valid_loss"] for row in fitted.history_])
        assert display.score_name == ("R2" if estimator is RNNRegressor else "accuracy")
        labels = [text.get_text() for text in display.score_ax_.get_legend().get_texts()]
        assert labels == [
            "training loss",
            "validation loss",
            f"epoch kept: {fitted.best_epoch_}",
            f"validation {display.score_name}",
        ]
        for line, values in zip(
            display.lines_, [display.train_loss, display.validation_loss, display.validation_scores], strict=True
        ):
            np.testing.assert_array_equal(line.get_xdata(), [1, 2])
            np.testing.assert_array_equal(line.get_ydata(), values)

    def test_without_validation(self):
        display = TrainingCurveDisplay.from_estimator(RNNClassifier(**SMALL).fit(X, LABELS), log_loss=True)
        assert display.validation_scores is None
        assert display.score_ax_ is None
        assert list(display.ax_.lines) == display.lines_
        assert len(display.lines_) == 1
        assert display.ax_.get_yscale() == "log"

    def test_best_epoch_is_marked(self):
        fitted = RNNClassifier(
            **{**SMALL, "max_epochs": 30}, early_stopping=True, n_iter_no_change=5, learning_rate=0.05
        )
        fitted.fit(X, np.random.default_rng(0).permutation(LABELS))  # nothing to learn: it can only overfit
        assert fitted.best_epoch_ < fitted.n_iter_
        display = TrainingCurveDisplay.from_estimator(fitted)
        marks = [line.get_xdata()[0] for line in display.ax_.lines if line not in display.lines_]
        assert marks == [fitted.best_epoch_]

    def test_pipeline_and_search(self):
        pipeline = make_pipeline(PerStep(StandardScaler()), RNNClassifier(**SMALL))
        search = GridSearchCV(pipeline, {"rnnclassifier__hidden_size": [2, 3]}, cv=2).fit(X, LABELS)
        display = TrainingCurveDisplay.from_estimator(search)
        np.testing.assert_array_equal(display.train_loss, search.best_estimator_[-1].loss_curve_)

    def test_axes_and_style(self):
        fitted = RNNClassifier(**SMALL).fit(X, LABELS)
        _, ax = plt.subplots()
        display = TrainingCurveDisplay.from_estimator(fitted, ax=ax, line_kw={"color": "red"})
        assert display.ax_ is ax
        assert display.lines_[0].get_color() == "red"
        assert display.plot().ax_ is not ax

    def test_not_fitted(self):
        with pytest.raises(NotFittedError):
            TrainingCurveDisplay.from_estimator(RNNClassifier())
