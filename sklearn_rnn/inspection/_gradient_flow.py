"""A picture of vanishing and exploding gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from sklearn_rnn._wrapped import final_estimator
from sklearn_rnn.inspection._plotting import get_axes
from sklearn_rnn.training.gradients import hidden_gradient_norms, mean_by_step


class GradientFlowDisplay:
    """The norm of the loss gradient with respect to the hidden state at each step.

    Back-propagation through time multiplies the gradient by one Jacobian a step. A curve that falls by orders of
    magnitude on the way from the loss shows a gradient that vanishes: the network cannot learn from the steps at its
    far end. A curve that grows shows one that explodes.

    Use :meth:`from_estimator` to compute and draw.

    Parameters
    ----------
    gradient_norms : array of shape (n_layers, n_directions, n_steps)
        Means over the sequences.
    steps : array of int, shape (n_steps,)
        The number of each step: 1, 2, ... from the start, or ..., -1, 0 where the last step is 0.
    name : str, optional
        What the curves are of, for the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D
        One for each layer and direction.

    See Also
    --------
    TrainingCurveDisplay : The loss over the epochs.

    References
    ----------
    .. [1] Bengio, Y., Simard, P. and Frasconi, P. (1994). Learning long-term dependencies with gradient descent is
       difficult. IEEE Transactions on Neural Networks 5(2).
    .. [2] Pascanu, R., Mikolov, T. and Bengio, Y. (2013). On the difficulty of training recurrent neural networks.
       ICML.

    Examples
    --------
    >>> from sklearn_rnn import RNNRegressor
    >>> from sklearn_rnn.datasets import make_adding_problem
    >>> from sklearn_rnn.inspection import GradientFlowDisplay
    >>> X, y = make_adding_problem(50, 20, random_state=0)
    >>> regressor = RNNRegressor(hidden_size=8, max_epochs=2, random_state=0).fit(X, y)
    >>> display = GradientFlowDisplay.from_estimator(regressor, X, y)
    >>> display.gradient_norms.shape
    (1, 2, 20)
    """

    def __init__(
        self, *, gradient_norms: NDArray[np.float64], steps: NDArray[np.int64], name: str | None = None
    ) -> None:
        self.gradient_norms = gradient_norms
        self.steps = steps
        self.name = name

    def plot(self, ax: Any = None, *, name: str | None = None, line_kw: dict[str, Any] | None = None) -> Any:
        """Draw one line for each layer and direction, on a logarithmic axis.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            A new figure is made if None.
        name : str, optional
            What the curves are of; takes the place of the name given before.
        line_kw : dict, optional
            For ``ax.plot``.

        Returns
        -------
        display : GradientFlowDisplay
        """
        self.figure_, self.ax_ = get_axes(ax)
        name = self.name if name is None else name
        n_layers, n_directions, _ = self.gradient_norms.shape
        self.lines_ = []
        for layer in range(n_layers):
            for direction in range(n_directions):
                what = [name] if name else []
                what += [f"layer {layer + 1}"] if n_layers > 1 else []
                what += [("forward", "backward")[direction]] if n_directions > 1 else []
                style = {"label": ", ".join(what) or None, "linestyle": ("-", "--")[direction], **(line_kw or {})}
                # A norm of 0 has no place on a logarithmic axis: the line breaks there.
                norms = np.where(
                    self.gradient_norms[layer, direction] > 0, self.gradient_norms[layer, direction], np.nan
                )
                self.lines_ += self.ax_.plot(self.steps, norms, **style)
        self.ax_.set(
            yscale="log",
            xlabel="Step, counted from the last" if self.steps[-1] == 0 else "Step",
            ylabel="Norm of the loss gradient",
        )
        if any(not line.get_label().startswith("_") for line in self.lines_):
            self.ax_.legend()
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        align: str = "start",
        name: str | None = None,
        ax: Any = None,
        line_kw: dict[str, Any] | None = None,
    ) -> Any:
        """Compute the gradient norms of a fitted estimator on some data, and draw them.

        The gradient is that of the training loss, with class weights and label smoothing but without penalties on the
        weights, and goes through all steps, whatever `tbptt_steps` is. It is computed for each sequence by itself, in
        float64 and without dropout; the norms are averaged over the sequences. Hidden states are those of the
        recurrence: `conv_branch` has none, and steps that `conv_stride` made one of have one.

        Parameters
        ----------
        estimator : RNNClassifier, RNNRegressor, RNNSequenceTagger, or a Pipeline or search that ends with one
            Fitted.
        X : sequences in any supported format
        y : array-like
            The targets, as ``fit`` takes them.
        align : {"start", "end"}, default="start"
            Where sequences of unequal length are laid on each other: at their first step or their last.
        name : str, optional
            What the curves are of; the default is the cell type.
        ax : matplotlib Axes, optional
            A new figure is made if None.
        line_kw : dict, optional
            For ``ax.plot``.

        Returns
        -------
        display : GradientFlowDisplay

        Raises
        ------
        ValueError
            If `align` is neither of the two, or X holds no step.
        """
        if align not in ("start", "end"):
            raise ValueError(f"align={align!r} must be 'start' or 'end'")
        check_is_fitted(estimator)
        estimator, X = final_estimator(estimator, X)
        batches, loss = estimator._loss_of(X, y)
        norms = hidden_gradient_norms(estimator.module_, batches, loss, n_threads=estimator.n_threads)
        means = mean_by_step(norms, estimator.module_.shortened(batches.n_steps), align=align)
        first = 1 if align == "start" else 1 - means.shape[-1]
        display = cls(
            gradient_norms=means,
            steps=np.arange(first, first + means.shape[-1]),
            name=estimator.cell_type if name is None else name,
        )
        return display.plot(ax, line_kw=line_kw)
