"""A picture of the steps that a pooled vector is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples, check_is_fitted

from sklearn_rnn._wrapped import final_estimator
from sklearn_rnn.data.aligned import AlignedSequences
from sklearn_rnn.inspection._colors import readable_ink
from sklearn_rnn.inspection._plotting import get_axes, words_of

FONT = 10.0
SMALLEST_FONT = 4.0
"""Points; the tokens are written smaller on axes that are too small for them, down to this size."""

LINE_HEIGHT = 1.9
"""Distance of two lines, in font sizes."""

PADDING, GAP = 0.2, 0.15
"""Colour beside a token, and space between the colours of two, in font sizes."""

WIDTH = 8.0
"""Of a new figure, in inches."""

SCALE_HEIGHT = 42.0
"""Room for the scale below the tokens, in points."""


class AttentionDisplay:
    """The weight of each step in the pooled vector of a sequence: tokens as words on their colours, numbers as bars.

    The weights of a sequence sum to 1. They say what the vector is made of, and not by themselves why a prediction came
    out as it did: the state after a step knows of the steps before it, and in two directions of all others [2]_.

    Use :meth:`from_estimator` to draw those of a fitted estimator.

    Parameters
    ----------
    weights : array-like of shape (n_steps,)
    tokens : array-like of str, shape (n_steps,), optional
        The words of the steps.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    texts_ : list of matplotlib Text
        The tokens; empty without any.
    bars_ : matplotlib BarContainer or None
        The weights as bars, without tokens.

    See Also
    --------
    sequence_permutation_importance : How much the score falls when a feature is shuffled.

    References
    ----------
    .. [1] Yang, Z., Yang, D., Dyer, C., He, X., Smola, A. and Hovy, E. (2016). Hierarchical attention networks for
       document classification. NAACL.
    .. [2] Jain, S. and Wallace, B. C. (2019). Attention is not explanation. NAACL.

    Examples
    --------
    >>> from sklearn_rnn import RNNClassifier
    >>> from sklearn_rnn.inspection import AttentionDisplay
    >>> X = [["a", "good", "film"], ["a", "bad", "film"], ["good"], ["so", "bad"]] * 5
    >>> y = ["up", "down", "up", "down"] * 5
    >>> classifier = RNNClassifier(hidden_size=8, pooling="attention", max_epochs=5, random_state=0).fit(X, y)
    >>> display = AttentionDisplay.from_estimator(classifier, X, 1)
    >>> [text.get_text() for text in display.texts_]
    ['a', 'bad', 'film']
    """

    def __init__(self, *, weights: ArrayLike, tokens: ArrayLike | None = None) -> None:
        self.weights = weights
        self.tokens = tokens

    def plot(
        self,
        ax: Any = None,
        *,
        title: str | None = None,
        cmap: Any = "Blues",
        vmax: float | None = None,
        colorbar: bool = True,
    ) -> Any:
        """Draw the tokens, in as many lines as the width asks for, or bars.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            If None, a new figure is made whose height depends on the number of lines. On axes that are too small the
            tokens are written smaller.
        title : str, optional
        cmap : str or matplotlib Colormap, default="Blues"
            Of tokens, from a weight of 0 to `vmax`.
        vmax : float, optional
            The weight with the strongest colour, or the top of the bars' axis; the default is the greatest weight. Give
            one to compare sequences.
        colorbar : bool, default=True
            Whether a scale stands below the tokens.

        Returns
        -------
        display : AttentionDisplay
        """
        weights = np.asarray(self.weights, dtype=np.float64)
        self.figure_, self.ax_ = get_axes(ax)
        self.texts_: list[Any] = []
        self.bars_ = None
        self.ax_.set_title(title or "")
        if self.tokens is None:
            self.bars_ = self.ax_.bar(np.arange(1, len(weights) + 1), weights)
            self.ax_.set(xlabel="Step", ylabel="Weight", ylim=(0, vmax))
            return self
        self._draw_tokens(weights, cmap, vmax, colorbar, resize=ax is None)
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        index: int = 0,
        *,
        ax: Any = None,
        title: str | None = None,
        cmap: Any = "Blues",
        vmax: float | None = None,
        colorbar: bool = True,
    ) -> Any:
        """Draw the attention weights of one sequence.

        Parameters
        ----------
        estimator : RNNClassifier or RNNRegressor, or a Pipeline or search that ends with one
            Fitted, with ``pooling="attention"``.
        X : sequences in any supported format
            Of a Pipeline what its first step takes. Tokens from :class:`~sklearn_rnn.SequenceTokenizer` are written as
            they stand in their document.
        index : int, default=0
            Which sequence of X.
        ax, title, cmap, vmax, colorbar
            As in :meth:`plot`.

        Returns
        -------
        display : AttentionDisplay

        Raises
        ------
        ValueError
            If the estimator has no attention weights.
        IndexError
            If X has no such sequence.
        """
        check_is_fitted(estimator)
        final, _ = final_estimator(estimator)
        if not hasattr(final, "attention_weights"):
            raise ValueError(f"estimator={final!r} has no attention_weights: they need a fit with pooling='attention'")
        X = AlignedSequences(X) if isinstance(X, Mapping) else X
        n_sequences = _num_samples(X)
        if not -n_sequences <= index < n_sequences:
            raise IndexError(f"index={index!r} is none of the {n_sequences} sequences of X")
        _, one = final_estimator(estimator, _safe_indexing(X, [index % n_sequences]))
        display = cls(weights=final.attention_weights(one)[0], tokens=words_of(final, one))
        return display.plot(ax, title=title, cmap=cmap, vmax=vmax, colorbar=colorbar)

    def _draw_tokens(
        self, weights: NDArray[np.float64], cmap: Any, vmax: float | None, colorbar: bool, *, resize: bool
    ) -> None:
        """Write the tokens line by line; with `resize` on a figure that is made as high as they need."""
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize

        scale = ScalarMappable(Normalize(0, vmax or weights.max(initial=0) or 1.0), cmap)
        self.ax_.set_axis_off()
        if resize:
            self.figure_.set_size_inches(WIDTH, 1)
            self.ax_.set_position((0.02, 0.0, 0.96, 1.0))
        for token, color in zip(np.asarray(self.tokens).tolist(), scale.to_rgba(weights), strict=True):
            box = {"boxstyle": f"round,pad={PADDING}", "facecolor": color, "edgecolor": "none"}
            shown = token if token.isprintable() else repr(token)[1:-1]
            look = {"fontsize": FONT, "color": readable_ink(color), "va": "baseline", "parse_math": False}
            self.texts_.append(self.ax_.text(0, 0, shown, bbox=box, **look))
        below = SCALE_HEIGHT if colorbar else 0.0
        if resize:
            lines = _lines(self._widths(FONT), WIDTH * 72 * 0.96 / FONT)[1]
            self._set_height(lines * LINE_HEIGHT * FONT + below)
        points, extent = 72 / self.figure_.dpi, self.ax_.get_window_extent()
        width, height = extent.width * points, extent.height * points
        self.ax_.set(xlim=(0, width), ylim=(0, height))
        self._place_tokens(width, height, below)
        if colorbar:
            scale_ax = self.ax_.inset_axes((10, below - 18, min(150, 0.8 * width), 6), transform=self.ax_.transData)
            self.figure_.colorbar(scale, cax=scale_ax, orientation="horizontal")
            scale_ax.tick_params(labelsize=7)
            scale_ax.set_title("Weight", fontsize=7, loc="left", pad=2)

    def _place_tokens(self, width: float, height: float, below: float) -> None:
        """Lay the tokens out on axes of `width` and `height` points, above `below`, in a font that is small enough."""
        for font in np.arange(FONT, SMALLEST_FONT - 0.25, -0.5).tolist():
            places, lines = _lines(self._widths(font), width / font)
            if lines * LINE_HEIGHT * font <= height - below + 1e-6:
                break
        for text, (left, line) in zip(self.texts_, places.tolist(), strict=True):
            text.set_position((left * font, height - (line * LINE_HEIGHT + 1.3) * font))

    def _widths(self, font: float) -> NDArray[np.float64]:
        """The widths (n_tokens,) of the tokens, in font sizes, which differ a little from one size to another."""
        for text in self.texts_:
            text.set_fontsize(font)
        pixels = np.array([text.get_window_extent().width for text in self.texts_])
        return pixels * 72 / self.figure_.dpi / font

    def _set_height(self, height: float) -> None:
        """Give a new figure a height for tokens and scale of `height` points, with the title above them."""
        above = 26.0 if self.ax_.get_title() else 4.0
        self.figure_.set_size_inches(WIDTH, (height + above) / 72)
        self.ax_.set_position((0.02, 0.0, 0.96, height / (height + above)))


def _lines(widths: NDArray[np.float64], width: float) -> tuple[NDArray[np.float64], int]:
    """Left end and line (n_tokens, 2) of tokens that fill lines of `width` one after the other, and the lines in all.

    In font sizes, as all lengths here.
    """
    places, left, line = [], PADDING, 0
    for taken in np.maximum(widths, PADDING).tolist():
        if left + taken + PADDING > width and left > PADDING:
            left, line = PADDING, line + 1
        places.append((left, line))
        left += taken + 2 * PADDING + GAP
    return np.array(places, dtype=np.float64).reshape(-1, 2), line + 1
