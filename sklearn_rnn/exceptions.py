"""Errors and warnings of this package: each error is also the builtin one that a caller would expect."""

from sklearn.exceptions import ConvergenceWarning, DataConversionWarning


class SequenceDataError(ValueError):
    """The data cannot be read as sequences; the message names the sequence and what was wanted."""


class SequenceTypeError(SequenceDataError, TypeError):
    """A value, or a container, is of a type that numbers cannot be read from."""


class TrainingDivergedError(ArithmeticError, ValueError):
    """Loss, weights or predictions became NaN or infinite in training; the estimator is what it was before ``fit``."""


class StopTraining(Exception):  # noqa: N818, a signal and no error, as StopIteration is
    """What a callback raises to end a fit: after the present batch, with all that is learned so far.

    It never leaves ``fit``. All other exceptions of a callback do, and the estimator is then what it was before.
    """


class OutOfMemoryError(MemoryError):
    """A batch did not fit into the memory of the device; the message names the parameters that shrink it."""


class NothingLearnedWarning(ConvergenceWarning):
    """In the end the training loss was no less than that of the best constant prediction."""


class SequenceDataWarning(UserWarning):
    """The data can be read, but hardly as it was meant; the message says what was found and what to do."""


class SwappedAxesWarning(SequenceDataWarning):
    """The steps and the features of X look swapped."""


class EmbeddingCoverageWarning(SequenceDataWarning):
    """Pretrained vectors cover nothing of the vocabulary, or words of their file could not be read."""


class UnseenLabelsWarning(SequenceDataWarning, DataConversionWarning):
    """Labels in scoring that training did not have."""


class BrokenTagsWarning(SequenceDataWarning):
    """Tags of a training set break the scheme that they belong to; the message counts them."""
