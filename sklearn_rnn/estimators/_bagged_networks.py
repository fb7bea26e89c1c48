"""What the networks of an ensemble did in training."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn._wrapped import final_estimator


class BaggedNetworks:
    """Shows what each member, or what its Pipeline ends with, learned of its own training, in the order of members."""

    estimators_: list[Any]

    @property
    def n_iter_(self) -> NDArray[np.int64]:
        """Epochs that each network was trained for, shape (n_estimators,)."""
        return np.array(self._of_networks("n_iter_"))

    @property
    def best_epochs_(self) -> NDArray[np.int64]:
        """The epoch, counted from 1, whose weights each network keeps, shape (n_estimators,)."""
        return np.array(self._of_networks("best_epoch_", "best_epochs_"))

    @property
    def loss_curves_(self) -> list[list[float]]:
        """The mean loss of each epoch, a list for each network."""
        return self._of_networks("loss_curve_", "loss_curves_")

    @property
    def validation_scores_(self) -> list[list[float]] | None:
        """The validation score after each epoch, a list for each network; None without validation data."""
        scores = self._of_networks("validation_scores_")
        return None if scores[0] is None else scores

    def _of_networks(self, name: str, asked: str | None = None) -> list[Any]:
        networks = [final_estimator(member)[0] for member in self.estimators_]
        if not all(hasattr(network, name) for network in networks):
            raise AttributeError(
                f"{asked or name} is there only where the members are networks, or Pipelines that end with one: "
                f"{type(networks[0]).__name__} has no {name}"
            )
        return [getattr(network, name) for network in networks]
