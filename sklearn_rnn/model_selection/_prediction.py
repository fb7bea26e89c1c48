"""Out-of-fold predictions of any shape."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone, is_classifier
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing, indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, _routing_enabled, process_routing
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _num_samples

from sklearn_rnn.data.fit_params import take_fit_params
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.data.row_order import check_order

MISSING_CLASS = {"predict_proba": 0.0, "predict_log_proba": -np.inf}


def cross_val_predict_sequences(
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    groups: ArrayLike | None = None,
    cv: Any = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    params: dict[str, Any] | None = None,
    method: str = "predict",
) -> NDArray[Any]:
    """What a model that did not see a sequence predicts for it, for each sequence.

    It takes the place of :func:`sklearn.model_selection.cross_val_predict`, which for probabilities reads y as one
    array of classes, and so cannot be used with labels of steps. Here there may be an item of any shape for each
    sequence.

    Parameters
    ----------
    estimator : estimator
        Cloned for each fold.
    X : sequences in any format that the estimator takes
    y : array-like or label sequences, optional
    groups : array-like of shape (n_sequences,), optional
        For splitters such as ``GroupKFold``. With metadata routing it may also be an item of `params`.
    cv : int, splitter or iterable of (train, test), default=None
        As in scikit-learn; None is 5 folds. Each sequence must be in exactly one test part.
    n_jobs : int or None, default=None
        Folds to fit at the same time, as joblib counts.
    verbose : int, default=0
        Passed on to joblib.
    params : dict, optional
        For ``fit`` of the estimator, such as `sample_weight`; what holds an item for each sequence is split with X.
        With metadata routing it is for the splitter too.
    method : str, default="predict"
        ``"predict"``, ``"predict_proba"``, or any other method that maps X to an item for each sequence:
        ``"transform"``, ``"transform_steps"``.

    Returns
    -------
    predictions : array of shape (n_sequences, ...), or object array of shape (n_sequences,)
        In the order of X. An object array where the estimator returns one, with an item for each sequence.

    Raises
    ------
    ValueError
        If the test parts are no partition, or if the models of two folds know different classes and `method` has no
        value for a class that a model does not know. ``predict_proba`` has 0 and ``predict_log_proba`` minus infinity.

    Examples
    --------
    >>> from sklearn_rnn import RNNSequenceTagger
    >>> from sklearn_rnn.model_selection import cross_val_predict_sequences
    >>> X = [["fly", "to", "Oslo"], ["from", "Rome", "to", "Oslo"], ["Rome"]] * 4
    >>> y = [["O", "O", "B-city"], ["O", "B-city", "O", "B-city"], ["B-city"]] * 4
    >>> tagger = RNNSequenceTagger(max_epochs=30, random_state=0)
    >>> cross_val_predict_sequences(tagger, X, y, cv=3)[:2].tolist()
    [['O', 'O', 'B-city'], ['O', 'B-city', 'O', 'B-city']]
    """
    check_order(X, {"y": y, "groups": groups})
    X, y = indexable(X, y)
    split_params, fit_params = _route(estimator, cv, groups, params or {})
    splitter = check_cv(cv, y, classifier=is_classifier(estimator))
    splits = list(splitter.split(X, y, **split_params))
    order = np.concatenate([test for _, test in splits])
    if not np.array_equal(np.sort(order), np.arange(_num_samples(X))):
        raise ValueError(
            f"cv={cv!r} does not put each of the {_num_samples(X)} sequences into exactly one test part: use a "
            f"splitter such as KFold, whose test parts are a partition"
        )
    folds = Parallel(n_jobs=n_jobs, verbose=verbose)(
        delayed(_fit_and_predict)(clone(estimator), X, y, train, test, fit_params, method) for train, test in splits
    )
    predictions = _join(_with_the_same_classes(folds, method))
    return predictions[np.argsort(order)]


def _route(
    estimator: Any, cv: Any, groups: ArrayLike | None, params: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What goes to the splitter and what to ``fit``, by metadata routing where it is enabled."""
    if not _routing_enabled():
        return {"groups": groups}, params
    name = "cross_val_predict_sequences"
    router = (
        MetadataRouter(owner=name)
        .add(splitter=cv, method_mapping=MethodMapping().add(caller="fit", callee="split"))
        .add(estimator=estimator, method_mapping=MethodMapping().add(caller="fit", callee="fit"))
    )
    if groups is not None:
        params = {**params, "groups": groups}
    try:
        routed = process_routing(router, "fit", **params)
    except UnsetMetadataPassedError as error:  # nobody called `fit` of a function
        raise UnsetMetadataPassedError(
            message=str(error).replace(f"{name}.fit", name),
            unrequested_params=error.unrequested_params,
            routed_params=error.routed_params,
        ) from None
    return routed.splitter.split, routed.estimator.fit


def _fit_and_predict(
    estimator: Any,
    X: Any,
    y: Any,
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    fit_params: dict[str, Any],
    method: str,
) -> tuple[Any, NDArray[Any] | None]:
    """The predictions of one fold, and the classes that its model knows."""
    target = () if y is None else (_safe_indexing(y, train),)
    estimator.fit(_safe_indexing(X, train), *target, **take_fit_params(fit_params, train, _num_samples(X)))
    predictions = getattr(estimator, method)(_safe_indexing(X, test))
    classes = getattr(estimator, "classes_", None)
    return predictions, classes if isinstance(classes, np.ndarray) and method != "predict" else None


def _with_the_same_classes(folds: list[tuple[Any, NDArray[Any] | None]], method: str) -> list[Any]:
    """The predictions of the folds, their columns those of all classes where they have a column for each class."""
    known = [classes for _, classes in folds if classes is not None]
    if len(known) < len(folds) or not method.startswith(("predict_", "decision_")):
        return [predictions for predictions, _ in folds]
    everything = np.unique(np.concatenate(known))
    if all(len(classes) == len(everything) for classes in known):
        return [predictions for predictions, _ in folds]
    if method not in MISSING_CLASS:
        counts = [len(classes) for classes in known]
        raise ValueError(
            f"The models of the folds know {counts} classes of {len(everything)}, and {method} has no value for a "
            f"class that a model does not know: use predict_proba, or a splitter that puts each class into each "
            f"training part"
        )

    return [
        _widen(predictions, np.searchsorted(everything, classes), len(everything), MISSING_CLASS[method])
        for (predictions, _), classes in zip(folds, known, strict=True)
    ]


def _widen(predictions: Any, columns: NDArray[np.int64], n_columns: int, fill: float) -> NDArray[Any]:
    """Put the columns of an array, or of each item of a ragged one, at `columns` of `n_columns`."""
    if _is_ragged(predictions):
        return object_array([_widen(item, columns, n_columns, fill) for item in predictions])
    wide = np.full((len(predictions), n_columns), fill)
    wide[:, columns] = predictions
    return wide


def _is_ragged(predictions: Any) -> bool:
    """Whether there is an object of its own size for each sequence."""
    if isinstance(predictions, list):
        return True
    return predictions.dtype == object and (isinstance(predictions[0], list) or np.ndim(predictions[0]) > 0)


def _join(folds: list[Any]) -> NDArray[Any]:
    if any(_is_ragged(predictions) for predictions in folds):
        return object_array([item for predictions in folds for item in predictions])
    return np.concatenate(folds)
