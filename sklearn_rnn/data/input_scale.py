"""The scale of numeric inputs: a mean and a standard deviation for each of them, learned in ``fit``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.stored import StoredSequences
from sklearn_rnn.exceptions import SequenceDataError

Array = NDArray[np.float64]

NUMBERS = 2**19
"""Numbers that are looked at together, whatever their type: the same ones in memory and on disk."""

BLOCK = 2**15
"""Numbers that are computed with at a time, so that what comes of them stays in the cache."""


@dataclass(frozen=True)
class InputScale:
    """How the numbers of one input are scaled: ``(value - mean) / scale``, computed in float64.

    Attributes
    ----------
    mean, scale : array of shape (n_features,)
        0 and 1 for a feature that is left as it is.
    masked : bool
        Whether values may be missing: an indicator for each feature stands behind the features, and stays as it is. A
        NaN, before the first value of a sequence, becomes the mean, which is 0.
    """

    mean: Array
    scale: Array
    masked: bool = False

    @classmethod
    def learn(
        cls,
        sequences: Sequences,
        counts: Array | None = None,
        *,
        masked: bool = False,
        spare_indicators: bool = True,
        name: str = "X",
    ) -> InputScale:
        """Learn from the steps of `sequences`, in one pass.

        Parameters
        ----------
        sequences : Sequences
            Values (total_steps, n_features), with `masked` (total_steps, 2 * n_features).
        counts : array of shape (n_sequences,), optional
            How often each sequence is there.
        masked : bool
            Whether values may be missing. What is learned is learned from those that are there.
        spare_indicators : bool
            Whether a feature that is always 0 or 1 is left as it is.
        name : str
            What to call the sequences in errors.

        Returns
        -------
        scale : InputScale
            A feature that is constant, up to rounding, has its value as mean and 1 as scale.

        Raises
        ------
        SequenceDataError
            If numbers are so large that their squares are no floats.
        """
        moments = _Moments(sequences.n_features // 2 if masked else sequences.n_features)
        with np.errstate(over="ignore", invalid="ignore"):
            for first, part in sequences.blocks(NUMBERS):
                weight = None if counts is None else np.repeat(counts[first : first + len(part)], part.lengths)
                moments.add(part.values, weight, masked)
            mean, scale = moments.location_and_scale(spare_indicators)
        large = np.flatnonzero(~np.isfinite(mean) | ~np.isfinite(scale))
        if len(large):
            raise _too_large(sequences, int(large[0]), name)
        return cls(mean, scale, masked)

    def encode(self, sequences: Sequences, dtype: str, *, name: str = "X") -> Sequences:
        """Sequences of scaled values in `dtype`; of stored ones, values are scaled when they are read.

        Raises
        ------
        SequenceDataError
            If a value is so far from the mean that it is infinite in `dtype`. `name` is what errors call the sequences.
        """
        if isinstance(sequences, StoredSequences):
            return sequences.converted(partial(self._encode, dtype=dtype, name=name), dtype)
        return self._encode(sequences, dtype, name)

    def rows(self, values: NDArray[Any]) -> Array:
        """Scaled values (n, n_features) in float64, without indicators; NaN stays."""
        return np.asarray((values - self.mean) / self.scale)

    def given(self, encoded: NDArray[Any]) -> Array:
        """The reverse of :meth:`rows`."""
        return np.asarray(encoded * self.scale + self.mean)

    def _encode(self, sequences: Sequences, dtype: str, name: str) -> Sequences:
        values, k = sequences.values, len(self.mean)
        encoded = np.empty(values.shape, dtype=dtype)
        n_rows = max(1, BLOCK // max(1, k))
        with np.errstate(over="ignore"):
            for begin in range(0, len(values), n_rows):
                rows = slice(begin, begin + n_rows)
                block = self.rows(values[rows, :k])
                if self.masked:
                    block[np.isnan(block)] = 0
                    encoded[rows, k:] = values[rows, k:]
                encoded[rows, :k] = block
                if not np.isfinite(encoded[rows]).all():
                    raise self._too_far(values[rows], encoded[rows], name)
        return sequences.with_values(encoded, feature_names=sequences.feature_names)

    def _too_far(self, values: NDArray[Any], encoded: NDArray[Any], name: str) -> SequenceDataError:
        """The error for the first of `values` (n, n_columns) that is no finite number once it is `encoded`."""
        row, column = np.argwhere(~np.isfinite(encoded))[0]
        return SequenceDataError(
            f"Input {name} contains {values[row, column]} in column {column}: too far for {encoded.dtype} from the "
            f"values of fit, around {self.mean[column]:.4g} with a standard deviation of {self.scale[column]:.4g}"
        )


def _too_large(sequences: Sequences, column: int, name: str) -> SequenceDataError:
    """The error for a feature whose squares are no floats, naming its largest value."""
    largest = max(float(np.nanmax(np.abs(part.values[:, column]))) for _, part in sequences.blocks(NUMBERS))
    return SequenceDataError(
        f"Input {name} contains a value too large to be scaled, of size {largest:.1e}, in column {column}: give "
        f"numbers in a larger unit, and leave out what is none"
    )


class _Moments:
    """Weighted means and sums of squares of features, added up block by block (Chan, Golub and LeVeque 1983).

    All is counted from a value of each feature, so that an offset costs no digits.
    """

    def __init__(self, n_features: int) -> None:
        self.origin, self.mean, self.squares, self.weight = np.zeros((4, n_features))
        self.n_steps = np.zeros(n_features, dtype=np.int64)
        self.indicates = np.ones(n_features, dtype=bool)

    def add(self, values: NDArray[Any], weight: Array | None, masked: bool) -> None:
        """Add steps, with the `weight` (n_steps,) of each."""
        k = len(self.mean)
        n_rows = max(1, BLOCK // max(1, k))
        for begin in range(0, len(values), n_rows):
            rows = slice(begin, begin + n_rows)
            there = values[rows, k:] > 0 if masked else None
            self._add_block(values[rows, :k].astype(np.float64), None if weight is None else weight[rows], there)

    def location_and_scale(self, spare_indicators: bool) -> tuple[Array, Array]:
        """What is subtracted from each feature, and what it is then divided by."""
        mean = self.origin + self.mean
        variance = self.squares / np.where(self.weight > 0, self.weight, 1)
        eps = np.finfo(np.float64).eps  # what is constant: as in scikit-learn's StandardScaler
        constant = variance <= self.n_steps * eps * variance + (self.n_steps * mean * eps) ** 2
        scale = np.where(constant, 1.0, np.sqrt(variance))
        kept = self.indicates & ~constant & spare_indicators
        return np.where(kept, 0.0, mean), np.where(kept, 1.0, scale)

    def _add_block(self, block: Array, weight: Array | None, there: NDArray[np.bool_] | None) -> None:
        """Add a block (n, n_features), of which some values may not be there."""
        self._look_for_indicators(block, there)
        new = self.weight == 0
        if new.any():
            first = np.zeros(len(new), dtype=np.int64) if there is None else there.argmax(axis=0)
            origin = block[first, np.arange(len(new))]
            self.origin[new] = np.where(np.isnan(origin), 0, origin)[new]
        block -= self.origin
        if there is None and weight is None:
            total = np.full(block.shape[1], float(len(block)))
            mean = block.sum(axis=0) / total
            block -= mean
            squares = np.einsum("ij,ij->j", block, block)
        else:
            of_value = np.ones(block.shape) if weight is None else np.repeat(weight[:, None], block.shape[1], axis=1)
            if there is not None:
                block[~there] = of_value[~there] = 0
            total = of_value.sum(axis=0)
            mean = np.einsum("ij,ij->j", of_value, block) / np.where(total > 0, total, 1)
            block -= mean
            squares = np.einsum("ij,ij,ij->j", of_value, block, block)
        self.n_steps += len(block) if there is None else there.sum(axis=0)
        both = self.weight + total
        share = total / np.where(both > 0, both, 1)
        apart = mean - self.mean
        self.squares += squares + apart**2 * self.weight * share
        self.mean += apart * share
        self.weight = both

    def _look_for_indicators(self, block: Array, there: NDArray[np.bool_] | None) -> None:
        """Forget which features hold anything but 0 and 1."""
        left = np.flatnonzero(self.indicates)
        if not len(left):
            return
        of_left = block if len(left) == block.shape[1] else block[:, left]
        either = (of_left == 0) | (of_left == 1)
        if there is not None:
            either |= ~there[:, left]
        self.indicates[left] = either.all(axis=0)
