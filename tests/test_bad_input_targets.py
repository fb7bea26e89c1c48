"""Targets, weights, groups and validation data that are refused, and the message of each."""

import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from samples import small
from test_bad_input import LABELS, NUMBERS, TAGS, X, case, replaced, spoiled

from sklearn_rnn import RNNClassifier, RNNRegressor, RNNSequenceTagger
from sklearn_rnn.exceptions import SequenceDataError


def numbers(name, y, message, error=SequenceDataError, **parameters):
    return case(name, X, y, message, error, estimator=RNNRegressor, **parameters)


def tags(name, y, message, error=SequenceDataError, **parameters):
    return case(name, X, y, message, error, estimator=RNNSequenceTagger, **parameters)


STOPPING = {"early_stopping": True, "validation_fraction": 0.4}

CLASSES = [
    case("no y", X, None, r"requires y to be passed, but the target y is None", ValueError),
    case("one class", X, ["a"] * 6, r"y holds only 1 class, 'a'.*needs at least 2 classes", ValueError),
    case("labels of fewer sequences", X, LABELS[:5], r"X has 6 sequences, y has 5"),
    case("labels of more sequences", X, [*LABELS, "a"], r"X has 6 sequences, y has 7"),
    case("rows of rows of unequal length", X, [[[1], [0, 1]]] * 6, r"y holds \[\[1\], \[0, 1\]\] for a sequence"),
    case("a number for y", X, 3, r"y must be array-like with one target for each sequence, got 3"),
    case("a string for y", X, "ababab", r"y must be array-like .*got 'ababab'"),
    case("a dict for y", X, {"a": 1}, r"y must be array-like .*got \{'a': 1\}"),
    case("continuous y", X, [0.5, 1.5, 2.5, 0.5, 1.5, 2.5], r"Unknown label type: continuous", ValueError),
    case("NaN label", X, [1, 0, np.nan, 1, 0, 1], r"Input y contains NaN: y\[2\]"),
    case("None label", X, replaced(LABELS, 2, None), r"Input y contains NaN: y\[2\] is None"),
    case("missing label of pandas", X, pd.Series([1, 0, pd.NA, 1, 0, 1], dtype="Int64"), r"NaN: y\[2\] is <NA>"),
    case("labels of two types", X, ["a", 1, "b", 2, "a", 1], r"y mixes strings with other labels: y\[0\] is 'a'"),
    case(
        "multiclass matrix", X, np.arange(18).reshape(6, 3), r"3 multiclass targets.*MultiOutputClassifier", ValueError
    ),
    case("three-dimensional y", X, np.zeros((6, 2, 2)), r"y has shape \(6, 2, 2\), wanted \(n_sequences,\)"),
    case("a label a step", X, TAGS, r"y must hold one label.*RNNSequenceTagger"),
    case("sets of labels", X, [{"a"}] * 6, r"y must hold one label.*MultiLabelBinarizer"),
]

REGRESSION = [
    numbers("no y", None, r"requires y to be passed, but the target y is None", ValueError),
    numbers("numbers of fewer sequences", NUMBERS[:5], r"X has 6 sequences, y has 5"),
    numbers("strings for numbers", LABELS, r"y must hold one number.*RNNClassifier"),
    numbers("numbers of steps of unequal width", [[[1.0], [2.0, 3.0]]] * 6, r"y\[0\] is not a rectangular array"),
    numbers("objects for numbers", [object()] * 6, r"y must hold one number"),
    numbers("all of y is NaN", [np.nan] * 6, r"no sequence is left to learn from", ValueError),
    numbers("infinity in y", replaced(NUMBERS, 2, np.inf), r"Input y contains infinity", ValueError),
    numbers("three-dimensional numbers", np.zeros((6, 2, 2)), r"y\[0\] has 2 values, but X\[0\] has 3 steps"),
    numbers("ragged numbers", [[1.0, 2.0], [3.0]] * 3, r"y\[0\] has 2 values, but X\[0\] has 3 steps"),
    numbers("complex numbers", np.arange(6) + 1j, r"Complex data not supported", ValueError),
    numbers("dates in y", pd.date_range("2020", periods=6), r"y has dtype datetime64.*numbers are wanted"),
    numbers("numbers too large", [1e304 * i for i in range(6)], r"y holds numbers too large.*5.0e\+304", ValueError),
    numbers("no outputs", np.zeros((6, 0)), r"0 feature\(s\)|0 output", ValueError),
    numbers("a number", 3.0, r"y must be array-like with one target for each sequence"),
    numbers("sparse y", scipy.sparse.csr_array(np.eye(6)), r"Sparse data was passed", TypeError),
]

STEPS = [
    tags("no y", None, r"requires y to be passed, but the target y is None", ValueError),
    tags("one tag a sequence", LABELS, r"y must hold one list of labels for each sequence, got .*'a'"),
    tags("one string a sequence", ["OOO"] * 6, r"y must hold one list of labels for each sequence, got 'OOO'"),
    tags("tags of fewer sequences", TAGS[:5], r"labels for 5 sequences, X has 6"),
    tags("tags too many", replaced(TAGS, 2, ["O"] * 7), r"y\[2\] has 7 labels, but X\[2\] has 2 steps"),
    tags("tags too few", replaced(TAGS, 4, ["O"]), r"y\[4\] has 1 labels, but X\[4\] has 6 steps"),
    tags("tags that are floats", [[0.5] * len(x) for x in X], r"y must hold strings or integers.*float64"),
    tags("tags that are NaN", [[np.nan] * len(x) for x in X], r"y must hold strings or integers"),
    tags("tags that are None", [[None] * len(x) for x in X], r"y must hold strings or integers"),
    tags("strings and integers", replaced(TAGS, 1, [1] * 5), r"y\[1\]\[0\] is int 1 where other steps are strings"),
    tags("an integer among strings", replaced(TAGS, 0, ["O", 1, "O"]), r"y\[0\]\[1\] is int 1"),
    tags("one-hot tags", [np.eye(3)[[0] * len(x)] for x in X], r"y must hold one label a step, got 3"),
    tags(
        "no step with a label",
        [["O"] * len(x) for x in X],
        r"every step carries ignore_label='O'",
        ValueError,
        parameters={"ignore_label": "O"},
    ),
]

WEIGHTS = [
    case(
        "negative weight",
        X,
        LABELS,
        r"Negative values in sample_weight: position 2",
        ValueError,
        sample_weight=[1, 1, -1, 1, 1, 1],
    ),
    case("weights of 0", X, LABELS, r"at least one non-zero number", ValueError, sample_weight=[0] * 6),
    case(
        "weight NaN",
        X,
        LABELS,
        r"sample_weight contains NaN or infinity at position 2",
        ValueError,
        sample_weight=[1, 1, np.nan, 1, 1, 1],
    ),
    case(
        "too few weights",
        X,
        LABELS,
        r"sample_weight.shape == \(5,\), expected \(6,\)",
        ValueError,
        sample_weight=[1] * 5,
    ),
    case(
        "matrix of weights",
        X,
        LABELS,
        r"must be 1D array or scalar.*\(6, 2\)",
        ValueError,
        sample_weight=np.ones((6, 2)),
    ),
    case(
        "strings for weights",
        X,
        LABELS,
        r"sample_weight must hold one number for each sequence",
        ValueError,
        sample_weight=list("abcdef"),
    ),
    case(
        "a weight a step",
        X,
        LABELS,
        r"sample_weight holds weights of steps, but y one target for each sequence",
        ValueError,
        sample_weight=[[1] * len(x) for x in X],
    ),
    case(
        "weights of fewer steps",
        X,
        TAGS,
        r"sample_weight\[1\] has 4 values, but X\[1\] has 5 steps",
        estimator=RNNSequenceTagger,
        sample_weight=[[1] * min(len(x), 4) for x in X],
    ),
    case(
        "negative weight of a step",
        X,
        TAGS,
        r"sample_weight must hold weights of 0 or more for each step, got -1",
        ValueError,
        estimator=RNNSequenceTagger,
        sample_weight=[[-1] * len(x) for x in X],
    ),
    case(
        "weights of 0 at all steps",
        X,
        TAGS,
        r"at least one non-zero number",
        ValueError,
        estimator=RNNSequenceTagger,
        sample_weight=[[0] * len(x) for x in X],
    ),
    case(
        "one class of weight",
        X,
        LABELS,
        r"only 1 class, 'a', among the sequences of positive weight",
        ValueError,
        sample_weight=[1, 0] * 3,
    ),
    case("too few groups", X, LABELS, r"groups must have shape \(6,\).*got \(5,\)", ValueError, groups=[1] * 5),
    case(
        "matrix of groups",
        X,
        LABELS,
        r"groups must have shape \(6,\).*got \(6, 2\)",
        ValueError,
        groups=np.ones((6, 2)),
    ),
    case(
        "one group", X, LABELS, r"6 distinct sequences in 1 group\(s\)", ValueError, parameters=STOPPING, groups=[1] * 6
    ),
    case(
        "too little to stop early",
        X,
        LABELS,
        r"early_stopping=True needs.*6 distinct sequences.*X_val",
        ValueError,
        parameters={"early_stopping": True},
    ),
    case(
        "too few tags to stop early",
        X,
        TAGS,
        r"early_stopping=True needs",
        ValueError,
        estimator=RNNSequenceTagger,
        parameters={"early_stopping": True},
    ),
]

VALIDATION = [
    case("X_val alone", X, LABELS, r"X_val and y_val go together: y_val is missing", ValueError, X_val=X),
    case("y_val alone", X, LABELS, r"X_val and y_val go together: X_val is missing", ValueError, y_val=LABELS),
    case("weights alone", X, LABELS, r"X_val and y_val go together", ValueError, sample_weight_val=[1] * 6),
    case(
        "X_val narrower",
        X,
        LABELS,
        r"In the validation data.*X has 2 features.*expecting 3",
        X_val=[x[:, :2] for x in X],
        y_val=LABELS,
    ),
    case("y_val shorter", X, LABELS, r"In the validation data.*X has 6 sequences, y has 3", X_val=X, y_val=LABELS[:3]),
    case("X_val empty", X, LABELS, r"In the validation data.*X is empty", X_val=[], y_val=[]),
    case("NaN in X_val", X, LABELS, r"In the validation data.*NaN at sequence 2", X_val=spoiled(np.nan), y_val=LABELS),
    case(
        "unknown class in y_val",
        X,
        LABELS,
        r"In the validation data.*\['z'\] that are not among the classes \['a', 'b'\]",
        X_val=X,
        y_val=["z"] * 6,
    ),
    case(
        "two outputs in y_val",
        X,
        NUMBERS,
        r"In the validation data.*y has 2 output\(s\)",
        estimator=RNNRegressor,
        X_val=X,
        y_val=np.ones((6, 2)),
    ),
    case(
        "negative weight in validation",
        X,
        LABELS,
        r"Negative values in sample_weight_val",
        X_val=X,
        y_val=LABELS,
        sample_weight_val=[-1] * 6,
    ),
]


@pytest.mark.parametrize(
    ("estimator", "parameters", "X", "y", "fit_parameters", "message", "error"),
    CLASSES + REGRESSION + STEPS + WEIGHTS + VALIDATION,
)
def test_targets_and_weights_are_refused(estimator, parameters, X, y, fit_parameters, message, error):
    model = small(estimator, **parameters)
    with pytest.raises(error) as refused:
        model.fit(X, y, **fit_parameters)
    assert re.search(message, str(refused.value), re.DOTALL), str(refused.value)
    assert not [name for name in vars(model) if name.endswith("_")]


@pytest.mark.parametrize("again", ["warm_start", "partial_fit"])
@pytest.mark.parametrize(
    ("estimator", "first", "second", "message"),
    [
        (RNNClassifier, LABELS, list("abzaba"), r"\['z'\] that are not among the classes \['a', 'b'\]"),
        (RNNClassifier, [0, 1] * 3, [0, 1, 2] * 2, r"\[2\] that are not among the classes \[0, 1\]"),
        (RNNClassifier, np.eye(6, 3, dtype=int), np.eye(6, 2, dtype=int), r"shape \(6, 2\), wanted the 3 labels"),
        (RNNClassifier, LABELS, np.eye(6, 2, dtype=int), r"y has shape \(6, 2\), wanted one label a sequence"),
        (RNNClassifier, np.eye(6, 3, dtype=int), [0, 1] * 3, r"y has shape \(6,\), wanted the 3 labels"),
        (RNNRegressor, NUMBERS, np.ones((6, 2)), r"y has 2 output\(s\), wanted the 1 seen at first"),
        (RNNSequenceTagger, TAGS, [["Z"] * len(x) for x in X], r"\['Z'\] that are not among the classes \['B', 'O'\]"),
    ],
)
def test_what_was_not_there_at_first_is_refused(estimator, first, second, message, again):
    model = small(estimator, warm_start=True).fit(X, first)
    before = model.predict(X)
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X, second) if again == "partial_fit" else model.fit(X, second)
    assert [list(np.ravel(item)) for item in model.predict(X)] == [list(np.ravel(item)) for item in before]


@pytest.mark.parametrize(
    ("estimator", "first", "classes"), [(RNNClassifier, LABELS, ["a"]), (RNNSequenceTagger, TAGS, ["B"])]
)
def test_classes_of_the_first_call_hold_all_labels(estimator, first, classes):
    with pytest.raises(ValueError, match=r"1 class|not among the classes \['B'\]"):
        small(estimator).partial_fit(X, first, classes=classes)


@pytest.mark.parametrize(("estimator", "y"), [(RNNClassifier, LABELS), (RNNSequenceTagger, TAGS)])
def test_classes_stay_what_they_were(estimator, y):
    model = small(estimator).partial_fit(X, y)
    with pytest.raises(ValueError, match=r"classes=\['a', 'x'\] differs from the classes of the first call"):
        model.partial_fit(X, y, classes=["a", "x"])


@pytest.mark.parametrize(
    ("estimator", "first", "y", "message"),
    [
        (RNNClassifier, LABELS, LABELS[:3], r"inconsistent numbers of samples"),
        (RNNRegressor, NUMBERS, NUMBERS[:3], r"X has 6 sequences, y has 3"),
        (RNNRegressor, NUMBERS, np.ones((6, 2)), r"y has 2 output\(s\), wanted the 1 seen at first"),
        (RNNSequenceTagger, TAGS, TAGS[:3], r"labels for 3 sequences, X has 6"),
        (RNNSequenceTagger, TAGS, replaced(TAGS, 1, ["O"]), r"y\[1\] has 1 labels, but X\[1\] has 5 steps"),
    ],
)
def test_score_refuses_targets_of_another_shape(estimator, first, y, message):
    with pytest.raises(ValueError, match=message):
        small(estimator).fit(X, first).score(X, y)


def test_a_column_of_targets_is_flattened_with_a_warning():
    with pytest.warns(match=r"column-vector y was passed when a 1d array was expected"):
        model = small(RNNClassifier).fit(X, np.array(LABELS)[:, None])
    assert model.predict(X).shape == (6,)
