"""A picture of the scores that join the labels of a tagger."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from sklearn_rnn._wrapped import final_estimator
from sklearn_rnn.inspection._colors import readable_ink
from sklearn_rnn.inspection._plotting import get_axes

INCHES_PER_LABEL = 0.45
SMALLEST, LARGEST = 3.0, 11.0
"""Sides of a new heat map, in inches."""

SMALLEST_FONT = 5.0
"""Labels that have less room than this, in points, are thinned out."""

FONT = 10.0

MOST_WITH_VALUES = 15
"""Labels up to which scores are written into the cells."""


class TransitionsDisplay:
    """A heat map of the scores of one label after another.

    A cell is the score of the label of its column right after the label of its row; the row ``<start>`` is the score of
    the first label of a sequence, and the column ``<end>`` that of the last. What the scheme of the tags forbids is
    hatched. The scores are on the scale of the logits of the steps: two label sequences that differ in one cell alone,
    by 1, differ in their probability by a factor of e.

    Use :meth:`from_estimator` to draw those of a fitted tagger.

    Parameters
    ----------
    transitions : DataFrame of shape (n_labels + 1, n_labels + 1)
        As ``RNNSequenceTagger.transitions_``: scores, and -inf for what is forbidden.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    im_ : matplotlib AxesImage
        Forbidden cells are masked in it.
    text_ : array of matplotlib Text, shape (n_labels + 1, n_labels + 1), or None
        The scores in the cells, where they are written; None in cells that are forbidden.

    See Also
    --------
    TrainingCurveDisplay : The loss over the epochs.

    References
    ----------
    .. [1] Lafferty, J., McCallum, A. and Pereira, F. (2001). Conditional random fields: probabilistic models for
       segmenting and labeling sequence data. ICML.

    Examples
    --------
    >>> from sklearn_rnn import RNNSequenceTagger
    >>> from sklearn_rnn.inspection import TransitionsDisplay
    >>> X = [["fly", "to", "New", "York"], ["from", "Rome"]] * 4
    >>> y = [["O", "O", "B-city", "I-city"], ["O", "B-city"]] * 4
    >>> tagger = RNNSequenceTagger(hidden_size=8, max_epochs=5, random_state=0).fit(X, y)
    >>> display = TransitionsDisplay.from_estimator(tagger)
    >>> float(display.transitions.loc["O", "I-city"])
    -inf
    """

    def __init__(self, *, transitions: Any) -> None:
        self.transitions = transitions

    def plot(
        self,
        ax: Any = None,
        *,
        cmap: Any = "RdBu_r",
        values: bool | None = None,
        values_format: str = ".1f",
        colorbar: bool = True,
        im_kw: dict[str, Any] | None = None,
    ) -> Any:
        """Draw the heat map.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            If None, a new figure is made whose size depends on the number of labels. Where labels have too little room,
            only every second, third, ... is written.
        cmap : str or matplotlib Colormap, default="RdBu_r"
            Its middle is a score of 0.
        values : bool, optional
            Whether the scores are written into the cells; by default where there are at most 15 labels.
        values_format : str, default=".1f"
            How scores are written.
        colorbar : bool, default=True
            Whether a scale stands beside the heat map.
        im_kw : dict, optional
            For ``ax.imshow``.

        Returns
        -------
        display : TransitionsDisplay
        """
        scores = np.asarray(self.transitions, dtype=np.float64)
        n_rows = len(scores)
        self.figure_, self.ax_ = get_axes(ax)
        if ax is None:
            self._fit_figure(n_rows, colorbar)
        allowed = np.isfinite(scores)
        widest = np.abs(scores[allowed]).max(initial=0) or 1.0
        style = {"cmap": cmap, "vmin": -widest, "vmax": widest, "interpolation": "nearest", **(im_kw or {})}
        self.im_ = self.ax_.imshow(np.ma.masked_array(scores, ~allowed), **style)
        self.ax_.set(xlabel="Label", ylabel="Label before")
        for draw in (self.ax_.axhline, self.ax_.axvline):
            draw(n_rows - 1.5, color="0.3", linewidth=1)  # between the labels and start or end
        self._write_labels(n_rows)
        if not allowed.all():
            self._hatch()
        if colorbar:
            self.figure_.colorbar(self.im_, ax=self.ax_, label="Score", shrink=0.8)
        written = n_rows <= MOST_WITH_VALUES + 1 if values is None else values
        self.text_ = self._write_values(scores, allowed, values_format) if written else None
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        ax: Any = None,
        cmap: Any = "RdBu_r",
        values: bool | None = None,
        values_format: str = ".1f",
        colorbar: bool = True,
        im_kw: dict[str, Any] | None = None,
    ) -> Any:
        """Draw the transition scores of a fitted tagger.

        Parameters
        ----------
        estimator : RNNSequenceTagger, or a Pipeline or search that ends with one
            Fitted.
        ax, cmap, values, values_format, colorbar, im_kw
            As in :meth:`plot`.

        Returns
        -------
        display : TransitionsDisplay

        Raises
        ------
        ValueError
            If the estimator has no transition scores.
        """
        check_is_fitted(estimator)
        tagger, _ = final_estimator(estimator)
        if not hasattr(tagger, "transitions_"):
            raise ValueError(f"estimator={tagger!r} has no transitions_: wanted an RNNSequenceTagger")
        return cls(transitions=tagger.transitions_).plot(
            ax, cmap=cmap, values=values, values_format=values_format, colorbar=colorbar, im_kw=im_kw
        )

    def _fit_figure(self, n_rows: int, colorbar: bool) -> None:
        """Give a new figure a size that its labels fit on."""
        side = float(np.clip(INCHES_PER_LABEL * n_rows, SMALLEST, LARGEST))
        names = [*self.transitions.index, *self.transitions.columns]
        margin = 0.6 + 0.6 / 72 * min(FONT, 0.8 * 72 * side / n_rows) * max(len(str(name)) for name in names)
        self.figure_.set_size_inches(side + margin + 1.2 * colorbar, side + margin)
        self.figure_.set_layout_engine("constrained")

    def _write_labels(self, n_rows: int) -> None:
        """Write as many labels as there is room for."""
        box = self.ax_.get_window_extent()
        pitch = 72 / self.figure_.dpi * min(box.width, box.height) / n_rows
        nth = int(np.ceil(SMALLEST_FONT / (0.8 * pitch)))
        names = ((self.ax_.set_xticks, self.transitions.columns, 90), (self.ax_.set_yticks, self.transitions.index, 0))
        for set_ticks, labels, rotation in names:
            shown = np.arange((n_rows - 1) % nth, n_rows, nth)  # with the last, which is start or end
            set_ticks(shown, [str(labels[k]) for k in shown], rotation=rotation, fontsize=min(FONT, 0.8 * pitch * nth))

    def _hatch(self) -> None:
        """Hatch what is behind the cells, which shows where they are masked, and say so."""
        from matplotlib.patches import Patch

        look: dict[str, Any] = {"facecolor": "0.93", "edgecolor": "0.75", "hatch": "////", "linewidth": 0}
        self.ax_.patch.set(**look)
        self.ax_.legend(
            handles=[Patch(**look, label="forbidden")],
            loc="lower right",
            bbox_to_anchor=(1, 1),
            borderaxespad=0.2,
            frameon=False,
        )

    def _write_values(self, scores: NDArray[np.float64], allowed: NDArray[np.bool_], form: str) -> NDArray[Any]:
        """Write the scores (n_rows, n_rows) in the format `form` into their cells, in black or white."""
        texts = np.full(scores.shape, None, dtype=object)
        for i, j in zip(*np.nonzero(allowed), strict=True):
            ink = readable_ink(self.im_.cmap(self.im_.norm(scores[i, j])))
            text = format(scores[i, j], form)
            texts[i, j] = self.ax_.text(j, i, text, ha="center", va="center", color=ink, fontsize=8)
        return texts
