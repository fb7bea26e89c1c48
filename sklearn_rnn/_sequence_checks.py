"""The checks that ``check_sequence_estimator`` runs, each a function that raises AssertionError."""

from __future__ import annotations

import copy
import io
import pickle
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_info, threadpool_limits

from sklearn_rnn._sequence_case import Case, answers_of, assert_same
from sklearn_rnn.data.digests import content
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.data.sequences import Sequences


def check_not_fitted(case: Case) -> None:
    """Before ``fit``, ``predict`` raises NotFittedError, and ``check_is_fitted`` knows."""
    estimator = case.fresh
    for act in (estimator.predict, lambda X: check_is_fitted(estimator)):
        try:
            act(case.X)
        except NotFittedError:
            continue
        raise AssertionError("no NotFittedError before fit")


def check_output_format(case: Case) -> None:
    """``fit`` returns the estimator; ``predict`` one item a sequence, which holds one for each step if targets do."""
    estimator = case.fresh
    assert estimator.fit(case.X, case.y) is estimator, "fit does not return the estimator"
    predicted = estimator.predict(case.X)
    assert isinstance(predicted, np.ndarray), f"predict returns {type(predicted).__name__}, wanted an array"
    assert len(predicted) == len(case.X), f"predict returns {len(predicted)} items for {len(case.X)} sequences"
    if not case.targets_steps:
        return
    what, kind = ("labels", list) if case.tags_steps else ("values", np.ndarray)
    assert predicted.dtype == object, f"predict of {what} has dtype {predicted.dtype}, wanted an object array"
    assert predicted.ndim == 1, f"predict of {what} has shape {predicted.shape}, wanted one dimension"
    for i, (item, sequence) in enumerate(zip(predicted, case.X, strict=True)):
        assert isinstance(item, kind), f"item {i} of predict is {type(item).__name__}, wanted a {kind.__name__}"
        assert len(item) == len(sequence), f"item {i} of predict has {len(item)} {what} for {len(sequence)} steps"


def check_batch_mates(case: Case) -> None:
    """Each sequence alone gets the answer that it gets among all."""
    for i, sequence in enumerate(case.X):
        assert_same(answers_of(case.fitted, [sequence]), case.answers, [i], what=f"sequence {i} alone")


def check_padding(case: Case) -> None:
    """A much longer sequence in the batch changes nothing for the others."""
    first = case.X[0]
    longer = np.concatenate([first] * 40) if isinstance(first, np.ndarray) else list(first) * 40
    alone = answers_of(case.fitted, [*case.X, longer])
    shortened = {method: items[:-1] for method, items in alone.items()}
    assert_same(shortened, case.answers, what="beside a sequence 40 times as long")


def check_order(case: Case) -> None:
    """Sequences in another order give the same answers in that order."""
    order = np.random.RandomState(1).permutation(len(case.X))
    assert_same(answers_of(case.fitted, [case.X[i] for i in order]), case.answers, order, what="in another order")


def check_batch_size(case: Case) -> None:
    """Parts of any size together give the answers of the whole."""
    for size in (2, 3, len(case.X) - 1):
        for start in range(0, len(case.X), size):
            index = range(len(case.X))[start : start + size]
            part = [case.X[i] for i in index]
            assert_same(answers_of(case.fitted, part), case.answers, index, what=f"in parts of {size}")


def check_dtype(case: Case) -> None:
    """The type and memory layout of the same numbers make no difference."""
    if not case.numeric:
        return
    shapes: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
        "float32": lambda x: x.astype(np.float32),
        "Fortran order": np.asfortranarray,
        "every second row of a longer array": lambda x: np.repeat(x, 2, axis=0)[::2],
        "big-endian": lambda x: x.astype(">f8"),
    }
    for what, change in shapes.items():
        assert_same(answers_of(case.fitted, [change(x) for x in case.X]), case.answers, what=what)
    whole = [np.round(x * 4) for x in case.X]
    wanted = answers_of(case.fitted, whole)
    assert_same(answers_of(case.fitted, [x.astype(np.int64) for x in whole]), wanted, what="integers")


def check_containers(case: Case) -> None:
    """A tuple, an object array and (of numbers) the ragged container are read as a list is."""
    containers: dict[str, Any] = {"tuple": tuple(case.X), "object array": object_array(case.X)}
    if case.numeric:
        containers["Sequences"] = Sequences.from_arrays(case.X)
    for what, X in containers.items():
        assert_same(answers_of(case.fitted, X), case.answers, what=what)


def check_time_matters(case: Case) -> None:
    """Steps in another order give another answer: for a step too, whose context has changed."""
    method = next(name for name in ("predict_proba", "decision_function", "predict") if name in case.answers)
    turned = answers_of(case.fitted, [x[::-1] for x in case.X])[method]
    if case.targets_steps:
        turned = [item[::-1] for item in turned]
    differs = [
        not np.allclose(got, before) if before.dtype.kind in "fc" else not np.array_equal(got, before)
        for got, before in zip(turned, case.answers[method], strict=True)
    ]
    assert any(differs), f"{method} does not change when the steps of the sequences are reversed"


def check_clone(case: Case) -> None:
    """A clone of a fitted estimator has its parameters and nothing that it learned, and learns the same."""
    parameters = case.fitted.get_params(deep=False)
    copied = clone(case.fitted)
    for name, value in copied.get_params(deep=False).items():
        given = parameters[name]
        assert value is given or type(value) is type(given), f"clone changes the parameter {name}"
    try:
        copied.predict(case.X)
    except NotFittedError:
        pass
    else:
        raise AssertionError("a clone is fitted")
    assert_same(answers_of(copied.fit(case.X, case.y), case.X), case.answers, what="the clone, fitted")


def check_pickle(case: Case) -> None:
    """Pickle, joblib and deepcopy keep the answers."""
    file = io.BytesIO()
    joblib.dump(case.fitted, file)
    file.seek(0)
    copies = {
        "pickle": pickle.loads(pickle.dumps(case.fitted)),
        "joblib": joblib.load(file),
        "deepcopy": copy.deepcopy(case.fitted),
    }
    for what, copied in copies.items():
        assert_same(answers_of(copied, case.X), case.answers, what=f"after {what}")


def check_fit_idempotent(case: Case) -> None:
    """A second ``fit`` to the same data gives the same answers."""
    estimator = case.fresh.fit(case.X, case.y)
    assert_same(answers_of(estimator.fit(case.X, case.y), case.X), case.answers, what="after a second fit")


def check_input_untouched(case: Case) -> None:
    """``fit`` and the other methods neither change X and y nor need to write to them."""
    X, y = case.X, case.y
    answers_of(case.fresh.fit(X, y), X)
    assert _equal(X, case.X), "X has changed"
    assert _equal(y, case.y), "y has changed"
    for x in [*X, y]:
        if isinstance(x, np.ndarray):
            x.flags.writeable = False
    assert_same(answers_of(case.fresh.fit(X, y), X), case.answers, what="read-only data")


def check_parameters_untouched(case: Case) -> None:
    """``fit`` changes no constructor parameter."""
    estimator = case.fresh
    before = {name: (value, _state_of(value), repr(value)) for name, value in estimator.get_params(deep=False).items()}
    nested = isinstance(case.original, BaseEstimator) and hasattr(case.original, "steps")
    estimator.fit(case.X, case.y)
    for name, value in estimator.get_params(deep=False).items():
        given, state, shown = before[name]
        assert nested or value is given, f"fit replaces the parameter {name}={shown} by {value!r}"
        assert _state_of(value) == state, f"fit changes the parameter {name} from {shown} to {value!r}"


def check_random_state_untouched(case: Case) -> None:
    """Python's, NumPy's and torch's global generators stay as they are."""
    with _unusual_random_states():
        before = _random_states()
        answers_of(case.fresh.fit(case.X, case.y), case.X)
        for name, state in _random_states().items():
            assert state == before[name], f"the global random state of {name} has changed"


def check_threads_untouched(case: Case) -> None:
    """The numbers of threads of torch and of the numerical libraries stay as they are."""
    case.fitted.predict(case.X)  # loads the libraries that it needs
    for limit in (1, 2):
        with threadpool_limits(limit):
            before = _threads()
            answers_of(case.fresh.fit(case.X, case.y), case.X)
            after = _threads()
        for name, threads in before.items():
            change = f"from {threads} to {after[name]}"
            assert after[name] == threads, f"the number of threads of {name} has changed {change}"


def check_wrong_shapes(case: Case) -> None:
    """Data of every wrong shape raise ValueError or TypeError."""
    n, X, y = len(case.X), case.X, list(case.y)
    bad_X: dict[str, Any] = {
        "no sequences": [],
        "a number for X": 3.0,
        "None for X": None,
        "an array of four dimensions": np.zeros((n, 2, 2, 2)),
        "sequences of three dimensions": [np.zeros((2, 2, 2))] * n,
        "a number among the sequences": [*X[:-1], 1.0],
    }
    bad_y: dict[str, Any] = {"y too short": y[:-1], "y too long": [*y, y[0]], "a number for y": 3.0, "None for y": None}
    if case.numeric:
        bad_X["sequences with unequal numbers of features"] = [np.hstack([X[0], X[0]]), *X[1:]]
    if case.targets_steps:
        bad_y["a target too few in one sequence"] = [y[0][:-1], *y[1:]]
    if case.tags_steps:
        bad_y["one label a sequence"] = [labels[0] for labels in y]
    for what, wrong in bad_X.items():
        _assert_refused(f"fit with {what}", case.fresh.fit, wrong, y)
        _assert_refused(f"predict with {what}", case.fitted.predict, wrong)
    for what, wrong in bad_y.items():
        _assert_refused(f"fit with {what}", case.fresh.fit, X, wrong)
    _assert_refused("fit with no sequences and no targets", case.fresh.fit, [], [])
    if case.numeric:
        for columns, what in ((slice(1, None), "fewer"), ([0, 0, *range(X[0].shape[1])], "more")):
            other = [x[:, columns] for x in X]
            _assert_refused(f"predict with {what} features than in fit", case.fitted.predict, other)


def check_n_jobs(case: Case) -> None:
    """Two processes give what one gives."""
    parts = [case.X, case.X[::-1]]
    targets = [case.y, list(case.y)[::-1]]
    one, two = (
        Parallel(n_jobs=n_jobs)(delayed(_fit_answers)(case.fresh, X, y) for X, y in zip(parts, targets, strict=True))
        for n_jobs in (1, 2)
    )
    for alone, together in zip(one, two, strict=True):
        assert_same(together, alone, what="n_jobs=2")


CHECKS: tuple[Callable[[Case], None], ...] = (
    check_not_fitted,
    check_output_format,
    check_batch_mates,
    check_padding,
    check_order,
    check_batch_size,
    check_dtype,
    check_containers,
    check_time_matters,
    check_clone,
    check_pickle,
    check_fit_idempotent,
    check_input_untouched,
    check_parameters_untouched,
    check_random_state_untouched,
    check_threads_untouched,
    check_wrong_shapes,
    check_n_jobs,
)


def _fit_answers(estimator: Any, X: Any, y: Any) -> dict[str, list[NDArray[Any]]]:
    return answers_of(estimator.fit(X, y), X)


def _assert_refused(what: str, method: Callable[..., Any], *data: Any) -> None:
    try:
        method(*data)
    except (ValueError, TypeError):
        return
    except Exception as error:
        raise AssertionError(f"{what} raises {type(error).__name__}, wanted a ValueError or TypeError") from error
    raise AssertionError(f"{what} raises no error")


def _equal(a: Any, b: Any) -> bool:
    """Whether nested lists and arrays are equal."""
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(_equal(one, other) for one, other in zip(a, b, strict=True))
    return bool(np.array_equal(np.asarray(a), np.asarray(b)))


@contextmanager
def _unusual_random_states() -> Iterator[None]:
    """Bring the global generators to states that no estimator would seed them with, and back."""
    torch = sys.modules.get("torch")
    before = random.getstate(), np.random.get_state(), None if torch is None else torch.get_rng_state()
    random.seed(918273645)
    np.random.seed(918273645)
    if torch is not None:
        torch.manual_seed(918273645)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        if torch is not None:
            torch.set_rng_state(before[2])


def _state_of(parameter: Any) -> bytes:
    """What changes when a parameter does. A random state may be drawn from, and an estimator fitted."""
    if isinstance(parameter, (np.random.RandomState, np.random.Generator)):
        return b""
    if isinstance(parameter, BaseEstimator):
        return content({name: _state_of(value) for name, value in parameter.get_params(deep=False).items()})
    if isinstance(parameter, (list, tuple)):
        return content([_state_of(value) for value in parameter])
    return content(parameter)


def _random_states() -> dict[str, Any]:
    states: dict[str, Any] = {"Python": random.getstate(), "NumPy": np.random.get_state()[1].tolist()}  # type: ignore[index]
    if "torch" in sys.modules:
        states["torch"] = sys.modules["torch"].get_rng_state().tolist()
    return states


def _threads() -> dict[str, int]:
    threads = {library["filepath"]: library["num_threads"] for library in threadpool_info()}
    if "torch" in sys.modules:
        threads["torch"] = sys.modules["torch"].get_num_threads()
    return threads
