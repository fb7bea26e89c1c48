"""A number for each sequence that is the same for equal ones, computed for all of them at once."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn.data.aligned import AlignedSequences
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.stored import StoredSequences
from sklearn_rnn.data.tokens import TokenSequences
from sklearn_rnn.data.vocabulary import factorize

WORD = np.dtype(np.uint32)
BLOCK = 2**18
"""Words that are hashed at a time, so that what is computed on the way stays small beside the data."""


def hash_sequences(sequences: Sequences) -> NDArray[np.uint64]:
    """A 64-bit hash of the bytes of each sequence; numbers in float64 have that of the same ones in float32.

    It is multilinear: each word is multiplied by a number that belongs to its column, and each step by one that belongs
    to its place, so that different sequences have the same hash about as often as chance would have it (Thorup 2015).
    It is not meant to stand up to somebody who looks for such sequences.

    Parameters
    ----------
    sequences : Sequences
        None of them empty, of numbers whose steps are whole words of 4 bytes.

    Returns
    -------
    hashes : array of shape (n_sequences,)

    References
    ----------
    Thorup, M. (2015). High speed hashing for integers and strings. arXiv:1504.06804.
    """
    parts = (part for _, part in sequences.blocks()) if isinstance(sequences, StoredSequences) else [sequences]
    return np.concatenate([_hash(part) for part in parts])


def _hash(sequences: Sequences) -> NDArray[np.uint64]:
    """The hashes of sequences in memory."""
    values = np.ascontiguousarray(sequences.values)
    values = values.reshape(len(values), -1)
    dtype = np.dtype(np.float32) if values.dtype == np.float64 else values.dtype
    columns = _numbers(1, values.shape[1] * dtype.itemsize // WORD.itemsize)
    of_steps = np.empty(len(values), dtype=np.uint64)
    rows = max(1, BLOCK // len(columns))
    for begin, end in pairwise(range(0, len(values) + rows, rows)):
        with np.errstate(over="ignore"):
            words = values[begin:end].astype(dtype, copy=False).view(WORD)
        of_steps[begin:end] = (words * columns).sum(axis=1, dtype=np.uint64)
    lengths = sequences.lengths
    places = _numbers(2, int(lengths.max()))
    place = np.arange(len(values)) - np.repeat(sequences.offsets[:-1], lengths)
    sums = np.add.reduceat(_mixed(of_steps) * places[place], sequences.offsets[:-1])
    return _mixed(sums + lengths.astype(np.uint64))


def ranked(inputs: Sequences | AlignedSequences) -> list[Sequences]:
    """Containers of numbers that tell sequences apart as `inputs` does: of tokens their ranks among all distinct ones.

    Parameters
    ----------
    inputs : Sequences or AlignedSequences

    Returns
    -------
    parts : list of Sequences
        All of the same lengths.
    """
    if isinstance(inputs, AlignedSequences):
        return [part for sequences in inputs.inputs.values() for part in ranked(sequences)]
    if isinstance(inputs, StoredSequences) or inputs.values.dtype.kind in "biuf":
        return [inputs]
    columns = [inputs.values]
    if isinstance(inputs, TokenSequences) and not (
        inputs.surfaces is None or np.array_equal(inputs.surfaces, columns[0])
    ):
        columns.append(inputs.surfaces)
    return [Sequences(factorize(column)[1], inputs.offsets) for column in columns]


def join_hashes(hashes: list[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """One hash (n_sequences,) of those that the parts of a sequence have; of a single part its own."""
    joined = hashes[0]
    for other in hashes[1:]:
        joined = _mixed(joined * np.uint64(0x9E3779B97F4A7C15) + other)
    return joined


def can_hash(sequences: object) -> bool:
    """Whether :func:`hash_sequences` takes these: some, none of them empty, and of numbers."""
    if type(sequences) not in (Sequences, StoredSequences):
        return False
    assert isinstance(sequences, Sequences)
    dtype = sequences.dtype if isinstance(sequences, StoredSequences) else sequences.values.dtype
    whole_words = dtype.kind in "fiu" and dtype.itemsize * sequences.n_features % WORD.itemsize == 0
    return bool(whole_words and len(sequences) and (sequences.lengths > 0).all())


def _numbers(stream: int, n: int) -> NDArray[np.uint64]:
    """`n` odd numbers that look random, always the same ones."""
    start = np.uint64(stream << 40)
    return _mixed((np.arange(n, dtype=np.uint64) + start) * np.uint64(0x9E3779B97F4A7C15)) | np.uint64(1)


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The last steps of SplitMix64 (Steele, Lea and Flood 2014), which spread each bit over all others."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
