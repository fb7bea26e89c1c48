"""Errors that this package raises: each is also the builtin error that a caller would expect."""


class SequenceDataError(ValueError):
    """The data cannot be read as sequences; the message names the sequence and what was wanted."""


class TrainingDivergedError(ArithmeticError, ValueError):
    """The training loss became NaN or infinite; the estimator keeps the state it had before ``fit``."""


class OutOfMemoryError(MemoryError):
    """A batch did not fit into the memory of the device; the message names the parameters that shrink it."""
