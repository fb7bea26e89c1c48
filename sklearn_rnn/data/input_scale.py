"""The scale of numeric inputs: a mean and a standard deviation for each of them, learned in ``fit``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

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
        """Learn from the steps of `sequences`, in one pass, as StandardScaler does.

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
        k = sequences.n_features // 2 if masked else sequences.n_features
        scaler, origin, indicates = StandardScaler(), np.full(k, np.nan), np.ones(k, dtype=bool)
        with np.errstate(over="ignore", invalid="ignore"):
            for first, part in sequences.blocks(NUMBERS):
                values = part.values[:, :k].astype(np.float64)
                if masked:
                    values[part.values[:, k:] <= 0] = np.nan
                indicates &= ((values == 0) | (values == 1) | np.isnan(values)).all(axis=0)
                # counted from a value of each feature, an offset costs no digits
                origin = np.where(np.isnan(origin), values[(~np.isnan(values)).argmax(axis=0), np.arange(k)], origin)
                values -= np.nan_to_num(origin)
                large = np.flatnonzero(np.isinf(values).any(axis=0))
                if len(large):
                    raise _too_large(sequences, int(large[0]), name)
                weight = None if counts is None else np.repeat(counts[first : first + len(part)], part.lengths)
                scaler.partial_fit(values, sample_weight=weight)
            seen = np.broadcast_to(scaler.n_samples_seen_, k)
            mean = np.where(seen > 0, np.nan_to_num(origin) + scaler.mean_, 0.0)
            variance = np.where(seen > 0, scaler.var_, 0.0)
            eps = np.finfo(np.float64).eps  # what is constant: as StandardScaler has it, of values with their offset
            constant = variance <= seen * eps * variance + (seen * mean * eps) ** 2
        large = np.flatnonzero(~np.isfinite(mean) | ~np.isfinite(variance))
        if len(large):
            raise _too_large(sequences, int(large[0]), name)
        kept = indicates & ~constant & spare_indicators
        return cls(np.where(kept, 0.0, mean), np.where(kept | constant, 1.0, np.sqrt(variance)), masked)

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
