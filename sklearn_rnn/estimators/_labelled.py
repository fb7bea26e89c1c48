"""What classifier and tagger share: labels with weights, and training that goes on with more data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.typing import ArrayLike
from sklearn.base import _fit_context

from sklearn_rnn.estimators._base import BaseRNN
from sklearn_rnn.estimators._parameters import CLASS_WEIGHT, CONSTRAINTS, SHARE


@dataclass(kw_only=True, eq=False, repr=False)
class LabelledRNN(BaseRNN):
    """An estimator whose targets are labels."""

    class_weight: dict[Any, float] | str | None = None
    label_smoothing: float = 0.0

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **CONSTRAINTS,
        "class_weight": CLASS_WEIGHT,
        "label_smoothing": [SHARE],
    }

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, classes: ArrayLike | None = None, *, sample_weight: ArrayLike | None = None
    ) -> Any:
        """Run one epoch over more data, going on from the present weights.

        Parameters
        ----------
        X : sequences in any supported format
        y : labels, as in ``fit``
        classes : array-like of shape (n_classes,), optional
            All labels that will ever come; wanted at the first call if its y lacks some.
        sample_weight : array-like of shape (n_sequences,), optional

        Returns
        -------
        self : estimator
        """
        with self._fitting():
            return self._fit(
                X, y, sample_weight, None, None, reset=not hasattr(self, "net_"), classes=classes, partial=True
            )
