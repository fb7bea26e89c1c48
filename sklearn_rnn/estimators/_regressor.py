"""Numbers from sequences: for each of them, or for each of their steps."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.utils import check_random_state, check_scalar
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklearn_rnn._snapshots import of_one_fit
from sklearn_rnn.data.inputs import Inputs
from sklearn_rnn.data.row_order import check_order
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.estimators._docs import documented
from sklearn_rnn.estimators._pooled import PooledRNN
from sklearn_rnn.estimators._task_groups import NumberParameters
from sklearn_rnn.targets.base import Target
from sklearn_rnn.targets.number_losses import NUMBER_LOSSES, number_loss
from sklearn_rnn.targets.numbers import Numbers, read_numbers


def _has_distribution(estimator: RNNRegressor) -> bool:
    if estimator.loss in NUMBER_LOSSES and NUMBER_LOSSES[estimator.loss].has_distribution:
        return True
    raise AttributeError(
        f"loss={estimator.loss!r} predicts no distribution: fit with loss='gaussian' or another that is"
    )


def _has_quantiles(estimator: RNNRegressor) -> bool:
    if estimator.loss in NUMBER_LOSSES and NUMBER_LOSSES[estimator.loss].has_quantiles:
        return True
    raise AttributeError(
        f"loss={estimator.loss!r} predicts no quantiles: fit with loss='quantile' and the quantiles that are wanted, "
        f"or with a distribution such as loss='gaussian'"
    )


@documented
@dataclass(kw_only=True, eq=False, repr=False)
class RNNRegressor(RegressorMixin, NumberParameters, PooledRNN):
    """Recurrent network that predicts numbers: one or a vector of fixed size for each sequence, or for each step.

    An optional embedding, recurrent layers (vanilla, LSTM or GRU, in one direction or both), convolutions beside them,
    and a linear head, on one vector for each sequence that pooling makes or on the hidden state of each step. It is
    trained on the squared error, on another `loss`, or on the likelihood of a distribution. Targets are scaled for
    training as the loss wants it, and predictions come back in their units: no scaling of y is needed, and none of X.

    Whether y belongs to sequences or to steps is seen from its shape. A 3-D array, a ragged list, and a list or object
    array of arrays that are each as long as their sequence belong to steps. A 2-D array, a frame or a list of lists of
    equal length is one row of numbers for each sequence, unless `target` says otherwise. NaN in y is a target that is
    not there: it has no part in training, in scores or in validation.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    target_mean_, target_scale_ : array of shape (n_outputs,)
        What is subtracted from the targets in training, and what they are then divided by: for most losses their
        weighted mean and standard deviation.
    target_ndim_ : int
        Dimensions of y in training; of targets of steps, with the steps of all sequences as one dimension.
    target_alignment_ : {"sequence", "step"}
        What the numbers of y belong to.
    {attributes}

    See Also
    --------
    RNNClassifier : Classes in place of numbers.
    RNNSequenceTagger : A label for each step.

    References
    ----------
    {references}

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_rnn import RNNRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(length, 1)) for length in rng.integers(3, 9, size=60)]
    >>> y = np.array([x.mean() for x in X])
    >>> reg = RNNRegressor(hidden_size=16, max_epochs=60, random_state=0).fit(X, y)
    >>> reg.predict(X[:2]).shape
    (2,)
    >>> reg.score(X, y) > 0.9
    True

    A value for each step, here the sum of those so far, with its standard deviation:

    >>> y = [x[:, 0].cumsum() for x in X]
    >>> reg = RNNRegressor(loss="gaussian", bidirectional=False, max_epochs=60, random_state=0).fit(X, y)
    >>> mean, std = reg.predict(X[:2], return_std=True)
    >>> len(mean[0]) == len(std[0]) == len(X[0])
    True
    """

    @of_one_fit
    def predict(self, X: Any, return_std: bool = False) -> Any:
        """The expected target of each sequence, or step; of a loss that is no mean, what it has its minimum at.

        That is the median for ``"absolute_error"`` and ``"laplace"``, and for ``"quantile"`` the median, or the middle
        one of the `quantiles`.

        Parameters
        ----------
        X : sequences in any supported format
        return_std : bool, default=False
            Whether to return the standard deviation of each predicted distribution too.

        Returns
        -------
        y : array of shape (n_sequences,), or (n_sequences, n_outputs) if y had two dimensions in ``fit``
            Where targets belong to steps an object array of shape (n_sequences,), with items of shape (length_i,) or
            (length_i, n_outputs); or, if y was an array in ``fit`` and all sequences are of one length, an array of
            shape (n_sequences, n_steps) or (n_sequences, n_steps, n_outputs).
        std : like y
            Only with `return_std`.

        Raises
        ------
        ValueError
            If `return_std` is wanted of a loss that is no distribution.
        """
        target, outputs, sequences = self._computed(X)
        mean = target.in_format(target.predictions(outputs), sequences)
        return (mean, target.in_format(target.deviations(outputs), sequences)) if return_std else mean

    @available_if(_has_quantiles)
    @of_one_fit
    def predict_quantiles(self, X: Any, quantiles: ArrayLike | None = None) -> Any:
        """Quantiles of each target, which never cross; only of ``loss="quantile"`` and of distributions.

        Parameters
        ----------
        X : sequences in any supported format
        quantiles : array-like of shape (n_quantiles,), optional
            Numbers between 0 and 1 in rising order; by default the parameter `quantiles`. ``loss="quantile"`` has those
            between the least and the greatest that it was fitted with; between two of them they are interpolated.

        Returns
        -------
        values : as :meth:`predict` returns them, with a last dimension of n_quantiles
        """
        target, outputs, sequences = self._computed(X)
        return target.in_format(target.quantiles(outputs, quantiles), sequences)

    @available_if(_has_distribution)
    @of_one_fit
    def sample_y(self, X: Any, n_samples: int = 1, random_state: int | np.random.RandomState | None = 0) -> Any:
        """Draw targets from the predicted distributions.

        Parameters
        ----------
        X : sequences in any supported format
        n_samples : int, default=1
            At least 1.
        random_state : int, RandomState instance or None, default=0

        Returns
        -------
        samples : as :meth:`predict` returns them, with a last dimension of n_samples
            Steps are drawn one by one, given X.
        """
        check_scalar(n_samples, "n_samples", Integral, min_val=1)
        target, outputs, sequences = self._computed(X)
        drawn = target.samples(outputs, n_samples, check_random_state(random_state))
        return target.in_format(drawn, sequences)

    @available_if(_has_distribution)
    @of_one_fit
    def log_likelihood(self, X: Any, y: Any) -> Any:
        """The logarithm of the density, or of counts of the probability, that is predicted for each target.

        Parameters
        ----------
        X : sequences in any supported format
        y : array-like
            As in ``fit``; NaN where a target is not there has NaN.

        Returns
        -------
        log_densities : as :meth:`predict` returns its values
        """
        check_is_fitted(self, "net_")
        inputs = self._read_inputs(X)
        check_order(X, {"y": y})
        target = self.target_
        labels = target.read(y, inputs)
        outputs, sequences = self._compute(inputs)
        return target.in_format(target.log_likelihood(outputs, labels), sequences)

    @of_one_fit
    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """The coefficient of determination R2 of the predictions.

        Parameters
        ----------
        X : sequences in any supported format
        y : array-like
            As in ``fit``; what is NaN is left out.
        sample_weight : array-like of shape (n_sequences,), optional
            Where targets belong to steps, also ragged: for each sequence the weights of its steps.

        Returns
        -------
        score : float
            The mean over outputs.
        """
        check_is_fitted(self, "net_")
        inputs = self._read_inputs(X)
        check_order(X, {"y": y, "sample_weight": sample_weight})
        target = self.target_
        labels = target.read(y, inputs)
        weight, of_steps = target.read_weight(sample_weight, inputs)
        outputs, _ = self._compute(inputs)
        return target.score_labels(labels, outputs, weight, of_steps)

    def _computed(self, X: Any) -> tuple[Numbers, NDArray[np.float64], Sequences]:
        """The fitted target, and raw outputs (n_sequences or total_steps, n_outputs) for the sequences of X."""
        check_is_fitted(self, "net_")
        target: Numbers = self.target_
        return target, *self._compute(self._read_inputs(X))

    def _compute(self, inputs: Inputs) -> tuple[NDArray[np.float64], Sequences]:
        sequences = self._encode_steps(inputs)
        with self._predictor() as compute:
            per_step = self.target_.alignment == "step"
            return compute(lambda net, x, n: net(x, n), sequences, per_step=per_step), sequences

    def _read_target(self, y: Any, inputs: Inputs, fitted: Target | None) -> tuple[Numbers, Any]:
        loss = number_loss(self.loss, self.quantiles)
        if not isinstance(fitted, Numbers):
            return read_numbers(y, inputs, loss, self.target, max_length=self.max_length, truncate=self.truncate)
        if (loss.name, loss.levels) != (fitted.loss.name, fitted.loss.levels):
            raise ValueError(
                f"loss={self.loss!r} and quantiles={self.quantiles!r} are not those of the fit, "
                f"{fitted.loss.name!r} and {fitted.loss.levels}: fit anew, with warm_start=False"
            )
        return fitted, fitted.read(y, inputs)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        return tags
