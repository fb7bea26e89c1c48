"""A picture of a training."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import is_regressor
from sklearn.utils.validation import check_is_fitted

from sklearn_rnn._wrapped import final_estimator
from sklearn_rnn.inspection._plotting import get_axes


class TrainingCurveDisplay:
    """The loss, and the validation score if there is one, over the epochs.

    Use :meth:`from_estimator` to draw those of a fitted estimator, or of the networks of an ensemble.

    Parameters
    ----------
    train_loss : array-like of shape (n_epochs,), or list of them
        Of several networks one each, of any lengths; and so with what follows.
    best_epoch : int, or array-like of shape (n_networks,)
        The epoch, counted from 1, whose weights are kept; marked where there are validation scores.
    validation_loss : array-like of shape (n_epochs,), or list of them, optional
    validation_scores : array-like of shape (n_epochs,), or list of them, optional
    score_name : str, default="score"
        What the scores are.

    Attributes
    ----------
    ax_ : matplotlib Axes
        With the losses, and the mark at the best epoch.
    score_ax_ : matplotlib Axes or None
        With the scores, on the right-hand side.
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D
        Training loss, and where they are there validation loss and validation scores; a line for each network.

    See Also
    --------
    GradientFlowDisplay : The norm of the gradient at each step.
    sklearn.model_selection.LearningCurveDisplay : Scores over the size of the training set.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_rnn import RNNClassifier
    >>> from sklearn_rnn.inspection import TrainingCurveDisplay
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 10, 2))
    >>> y = X[:, 0, 0] > 0
    >>> classifier = RNNClassifier(hidden_size=8, max_epochs=5, early_stopping=True, random_state=0).fit(X, y)
    >>> display = TrainingCurveDisplay.from_estimator(classifier)
    >>> len(display.validation_scores)
    5
    """

    def __init__(
        self,
        *,
        train_loss: ArrayLike,
        best_epoch: int | ArrayLike,
        validation_loss: ArrayLike | None = None,
        validation_scores: ArrayLike | None = None,
        score_name: str = "score",
    ) -> None:
        self.train_loss = train_loss
        self.best_epoch = best_epoch
        self.validation_loss = validation_loss
        self.validation_scores = validation_scores
        self.score_name = score_name

    def plot(self, ax: Any = None, *, log_loss: bool = False, line_kw: dict[str, Any] | None = None) -> Any:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            A new figure is made if None. Scores get an axis of their own on its right.
        log_loss : bool, default=False
            Whether the axis of the losses is logarithmic.
        line_kw : dict, optional
            For ``ax.plot``, of all lines.

        Returns
        -------
        display : TrainingCurveDisplay
        """
        self.figure_, self.ax_ = get_axes(ax)
        style = line_kw or {}
        self.lines_ = _draw(self.ax_, self.train_loss, {"color": "C0", "label": "training loss", **style})
        if self.validation_loss is not None:
            validation = {"color": "C0", "linestyle": "--", "label": "validation loss", **style}
            self.lines_ += _draw(self.ax_, self.validation_loss, validation)
        self.score_ax_ = None
        if self.validation_scores is not None:
            self.score_ax_ = self.ax_.twinx()
            scores = {"color": "C1", "label": f"validation {self.score_name}", **style}
            self.lines_ += _draw(self.score_ax_, self.validation_scores, scores)
            self.score_ax_.set_ylabel(f"Validation {self.score_name}")
            self._mark_best_epochs(self.ax_, self.score_ax_)
        self.ax_.set(xlabel="Epoch", ylabel="Loss", yscale="log" if log_loss else "linear")
        self.ax_.xaxis.get_major_locator().set_params(integer=True)
        axes = [self.ax_] if self.score_ax_ is None else [self.ax_, self.score_ax_]
        handles = [handle for each in axes for handle in each.get_legend_handles_labels()[0]]
        axes[-1].legend(handles=handles)
        return self

    def _mark_best_epochs(self, ax: Any, score_ax: Any) -> None:
        """A line at the epoch whose weights are kept; of several networks a dot on the scores of each."""
        best: Any = self.best_epoch
        if np.ndim(best) == 0:
            ax.axvline(best, color="0.6", linestyle=":", zorder=0, label=f"epoch kept: {best}")
            return
        curves: Any = self.validation_scores
        kept = [scores[epoch - 1] for scores, epoch in zip(curves, best, strict=True)]
        score_ax.plot(best, kept, "o", color="C1", label="epochs kept")

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        score_name: str | None = None,
        log_loss: bool = False,
        ax: Any = None,
        line_kw: dict[str, Any] | None = None,
    ) -> Any:
        """Draw the training of a fitted estimator.

        Parameters
        ----------
        estimator : RNNClassifier, RNNRegressor, RNNSequenceTagger, or a Pipeline or search that ends with one
            Fitted. Of a :class:`~sklearn_rnn.SequenceBaggingClassifier`, or another ensemble of them with
            ``estimators_``, all networks are drawn.
        score_name : str, optional
            What the scores are; the default is ``"R2"`` for a regressor, else ``"accuracy"``.
        log_loss : bool, default=False
            Whether the axis of the losses is logarithmic.
        ax : matplotlib Axes, optional
            A new figure is made if None.
        line_kw : dict, optional
            For ``ax.plot``, of all lines.

        Returns
        -------
        display : TrainingCurveDisplay
        """
        check_is_fitted(estimator)
        estimator, _ = final_estimator(estimator)
        if score_name is None:
            score_name = "R2" if is_regressor(estimator) else "accuracy"
        if hasattr(estimator, "estimators_"):
            each = [_curves(final_estimator(member)[0]) for member in estimator.estimators_]
            curves: dict[str, Any] = {name: [one[name] for one in each] for name in each[0]}
            curves = {name: None if values[0] is None else values for name, values in curves.items()}
        else:
            curves = _curves(estimator)
        return cls(**curves, score_name=score_name).plot(ax, log_loss=log_loss, line_kw=line_kw)


def _curves(estimator: Any) -> dict[str, Any]:
    """What the display shows of the training of one network."""
    scores = estimator.validation_scores_
    return {
        "train_loss": np.array(estimator.loss_curve_),
        "best_epoch": estimator.best_epoch_,
        "validation_loss": None if scores is None else np.array([row["valid_loss"] for row in estimator.history_]),
        "validation_scores": None if scores is None else np.array(scores),
    }


def _draw(ax: Any, curves: Any, style: dict[str, Any]) -> list[Any]:
    """A line over the epochs for one curve (n_epochs,), or for each of several, of which the legend names the first."""
    several = np.ndim(curves[0]) > 0
    lines = []
    for curve in curves if several else [curves]:
        epochs = np.arange(1, len(curve) + 1)
        own = {"marker": "." if len(epochs) == 1 else None, "alpha": 0.6 if several else None, **style}
        lines += ax.plot(epochs, curve, **own)
    for line in lines[1:]:
        line.set_label("_nolegend_")
    return lines
