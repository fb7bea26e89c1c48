"""A picture of what each step of a target looks at in its source."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from sklearn_rnn._wrapped import final_estimator
from sklearn_rnn.inspection._plotting import get_axes, words_of

INCHES_PER_STEP = 0.32
SMALLEST, LARGEST = 2.0, 12.0
"""Sides of a new picture, in inches."""

MOST_LABELS = 60
"""Steps up to which each has its label."""


class AlignmentDisplay:
    """The weight of each step of a source in what the decoder saw at each step of a target.

    A row is a step of the target, from the first one at the top to the end at the bottom, and its weights sum to 1.
    They say what the decoder looked at: the states that it saw know of other steps too.

    Use :meth:`from_estimator` to draw those of a fitted estimator.

    Parameters
    ----------
    weights : array-like of shape (n_target_steps, n_source_steps)
    source, target : array-like of str, optional
        What steps are called; by default they are counted from 1 on.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    im_ : matplotlib AxesImage

    See Also
    --------
    AttentionDisplay : The weights of steps in a pooled vector.

    References
    ----------
    .. [1] Bahdanau, D., Cho, K. and Bengio, Y. (2015). Neural machine translation by jointly learning to align and
       translate. ICLR.

    Examples
    --------
    >>> from sklearn_rnn import RNNEncoderDecoder
    >>> from sklearn_rnn.inspection import AlignmentDisplay
    >>> X, y = ["ab", "ba", "b"] * 5, ["AB", "BA", "B"] * 5
    >>> model = RNNEncoderDecoder(hidden_size=8, max_epochs=2, random_state=0).fit(X, y)
    >>> display = AlignmentDisplay.from_estimator(model, "ab", "AB")
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['A', 'B', '</s>']
    """

    def __init__(self, *, weights: ArrayLike, source: Any = None, target: Any = None) -> None:
        self.weights = weights
        self.source = source
        self.target = target

    def plot(
        self, ax: Any = None, *, title: str | None = None, cmap: Any = "Blues", vmax: float = 1.0, colorbar: bool = True
    ) -> Any:
        """Draw the weights.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            If None, a new figure is made whose size depends on the number of steps.
        title : str, optional
        cmap : str or matplotlib Colormap, default="Blues"
        vmax : float, default=1.0
            The weight with the strongest colour.
        colorbar : bool, default=True
            Whether a scale stands beside the picture.

        Returns
        -------
        display : AlignmentDisplay
        """
        weights = np.asarray(self.weights, dtype=np.float64)
        self.figure_, self.ax_ = get_axes(ax)
        if ax is None:
            height, width = np.clip(INCHES_PER_STEP * np.array(weights.shape), SMALLEST, LARGEST)
            self.figure_.set_size_inches(width + 1.0 + colorbar, height + 1.0)
            self.figure_.set_layout_engine("constrained")
        self.im_ = self.ax_.imshow(weights, cmap=cmap, vmin=0, vmax=vmax, interpolation="nearest", aspect="auto")
        self.ax_.set_title(title or "")
        self.ax_.set(xlabel="Source", ylabel="Target")
        for axis, names, n in (
            (self.ax_.xaxis, self.source, weights.shape[1]),
            (self.ax_.yaxis, self.target, len(weights)),
        ):
            self._write_labels(axis, names, n)
        if colorbar:
            self.figure_.colorbar(self.im_, ax=self.ax_, label="Weight")
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        x: Any,
        y: Any = None,
        *,
        ax: Any = None,
        title: str | None = None,
        cmap: Any = "Blues",
        vmax: float = 1.0,
        colorbar: bool = True,
    ) -> Any:
        """Draw the attention weights of one pair.

        Parameters
        ----------
        estimator : RNNEncoderDecoder, or a Pipeline or search that ends with one
            Fitted, with attention.
        x : str, or one sequence
            The source. Of a Pipeline what its first step takes.
        y : str, or one sequence, optional
            The target; by default the one that is predicted.
        ax, title, cmap, vmax, colorbar
            As in :meth:`plot`.

        Returns
        -------
        display : AlignmentDisplay

        Raises
        ------
        ValueError
            If the estimator has no attention weights.
        """
        check_is_fitted(estimator)
        final, one = final_estimator(estimator, [x])
        if not hasattr(final, "target_spelling_"):
            raise ValueError(f"estimator={final!r} aligns no target with its source: give an RNNEncoderDecoder")
        given = final.predict(one) if y is None else [y]
        (weights,) = final.attention_weights(one, given)
        display = cls(weights=weights, source=words_of(final, one), target=_steps_of(final, given[0]))
        return display.plot(ax, title=title, cmap=cmap, vmax=vmax, colorbar=colorbar)

    @staticmethod
    def _write_labels(axis: Any, names: Any, n: int) -> None:
        """Name the `n` steps of an axis, or where they are many some of them."""
        every = -(-n // MOST_LABELS)
        places = np.arange(0, n, every)
        shown = [str(place + 1) for place in places] if names is None else [_shown(names[place]) for place in places]
        axis.set_ticks(places, shown)
        longest = max(map(len, shown), default=0)
        if axis.axis_name == "x" and longest > 2:
            axis.set_tick_params(rotation=90)


def _steps_of(estimator: Any, target: Any) -> list[str] | None:
    """What the steps of one target are called, with its end; None for numbers."""
    if not hasattr(estimator, "target_classes_"):
        return None
    spelling = estimator.target_spelling_
    return [*map(str, spelling.split(target) if spelling.documents else target), estimator.target_classes_[-1]]


def _shown(name: Any) -> str:
    """The name of a step as it is drawn: a space would not be seen."""
    text = str(name)
    return text if text.isprintable() and text.strip() else repr(text)
