"""Rows of y that are as long as their sequences, and indicators of labels that hold other numbers."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from numpy.testing import assert_array_equal
from samples import small

from sklearn_rnn import (
    RNNClassifier,
    RNNRegressor,
    RNNSequenceTagger,
    SequenceBaggingClassifier,
    SequenceBaggingRegressor,
    Sequences,
)
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.exceptions import SequenceDataError, SequenceDataWarning

rng = np.random.default_rng(0)
X = rng.normal(size=(12, 6, 2))
STEPS = rng.integers(0, 3, size=(12, 6))
SETS = rng.integers(0, 2, size=(12, 4))
SETS[:2] = [[0] * 4, [1] * 4]


@pytest.mark.parametrize(
    "make", [np.asarray, pd.DataFrame, lambda y: y.tolist(), lambda y: y > 0, lambda y: y.astype(float)]
)
@pytest.mark.parametrize("inputs", [X, X[:, :, 0], list(X)])
def test_labels_of_steps_for_a_classifier(make, inputs):
    y = make((STEPS > 0).astype(int))
    with pytest.warns(
        SequenceDataWarning, match=r"\(12, 6\), and each sequence 6 steps: .*RNNSequenceTagger"
    ) as record:
        model = small(RNNClassifier, max_epochs=1).fit(inputs, y)
    assert len(record) == 1
    assert model.target_kind_ == "multilabel"
    model.partial_fit(inputs, y)
    model.score(inputs, y)


def test_labels_that_are_said_to_be_some():
    small(RNNClassifier).fit(X, scipy.sparse.csr_array(STEPS > 0))
    small(RNNClassifier).fit(X, (STEPS > 0)[:, :5])
    small(RNNClassifier).fit([*X[1:], X[0][:5]], STEPS > 0)
    small(RNNSequenceTagger).fit(X, STEPS)


@pytest.mark.parametrize(
    ("y", "way"),
    [
        (STEPS, "RNNSequenceTagger"),
        (STEPS.astype(str), "RNNSequenceTagger"),
        (STEPS.tolist(), "RNNSequenceTagger"),
        (object_array(STEPS.astype(str).tolist()), "RNNSequenceTagger"),
        (pd.Series(list(STEPS)), "RNNSequenceTagger"),
        (X[:, :, 0], r"RNNRegressor\(target='step'\)"),
    ],
)
def test_classes_of_steps_for_a_classifier(y, way):
    with pytest.raises(
        SequenceDataError, match=rf"\(12, 6\), and each sequence 6 steps: a value for each step .*{way}"
    ):
        small(RNNClassifier).fit(X, y)


@pytest.mark.parametrize(
    "estimator", [small(RNNClassifier), SequenceBaggingClassifier(small(RNNClassifier), n_estimators=2)]
)
def test_classes_of_something_else(estimator):
    with pytest.raises(ValueError, match=r"5 multiclass targets.*MultiOutputClassifier.*RNNSequenceTagger's work"):
        estimator.fit(X, STEPS[:, :5])
    with pytest.raises(SequenceDataError, match=r"y has shape \(12, 6, 1\).*RNNSequenceTagger's work"):
        estimator.fit(X, STEPS[:, :, None])


@pytest.mark.parametrize("inputs", [X, X[:, :, 0], list(X)])
def test_numbers_of_steps_for_a_regressor(inputs):
    y = X[:, :, 0].cumsum(axis=1)
    for given in (y, pd.DataFrame(y), y.tolist()):
        with pytest.warns(SequenceDataWarning, match=r"6 outputs of a whole sequence. Set target='step'") as record:
            model = small(RNNRegressor, max_epochs=1).fit(inputs, given)
        assert len(record) == 1
        assert model.target_alignment_ == "sequence"
    model.partial_fit(inputs, y)
    model.score(inputs, y)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda steps: steps, "6 outputs of a whole sequence. Set target='step'"),
        (lambda steps: (steps > 0).astype(int), "6 labels of a whole sequence. .*RNNSequenceTagger"),
    ],
)
def test_values_of_padded_steps(make, words):
    padded = X.copy()
    for i, sequence in enumerate(padded):
        sequence[2 + i % 4 :] = 0
    estimator = RNNRegressor if "outputs" in words else RNNClassifier
    with pytest.warns(SequenceDataWarning, match=words) as record:
        small(estimator, max_epochs=1, padding_value=0).fit(padded, make(X[:, :, 0]))
    assert len(record) == 1
    with pytest.raises(SequenceDataError, match=r"each sequence 6 steps: .* is what RNNSequenceTagger fits"):
        small(RNNClassifier, padding_value=0).fit(padded, STEPS)


def test_numbers_that_are_said_to_be_some():
    y = X[:, :, 0].cumsum(axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for target in ("sequence", "step"):
            small(RNNRegressor, max_epochs=1, target=target).fit(X, y)
        small(RNNRegressor, max_epochs=1).fit(X, y[:, :, None])
        small(RNNRegressor, max_epochs=1).fit(X, list(y))
        small(RNNRegressor, max_epochs=1).fit(X, y[:, :5])
        small(RNNRegressor, max_epochs=1).fit([*X[1:], X[0][:5]], y)
        SequenceBaggingRegressor(small(RNNRegressor, target="sequence"), n_estimators=2).fit(X, y)


@pytest.mark.parametrize("values", [(1, 2), (-1, 1), (0, 5), (2, 2), (0.0, 2.0), (-1, 0), (7, 9)])
@pytest.mark.parametrize("sparse", [False, True])
def test_indicators_hold_0_and_1(values, sparse):
    y = np.array(values)[SETS]
    given = scipy.sparse.csr_array(y) if sparse else y
    if sparse and len(set(values) - {0}) > 1:  # to scikit-learn, whose indicators have one value that is not 0
        with pytest.raises(ValueError, match="4 multiclass targets"):
            small(RNNClassifier).fit(X, given)
        return
    present = int(values[1] or values[0])
    message = rf"holds .*wanted 0 and 1 for each label.*\(y == {present}.*\)\.astype\(int\)"
    good = small(RNNClassifier, max_epochs=1).fit(X, SETS)
    for call in (
        lambda: small(RNNClassifier).fit(X, given),
        lambda: small(RNNClassifier).partial_fit(X, given),
        lambda: good.partial_fit(X, given),
        lambda: good.score(X, given),
        lambda: small(RNNClassifier).fit(X, SETS, X_val=X, y_val=given),
        lambda: SequenceBaggingClassifier(small(RNNClassifier), n_estimators=2).fit(X, given),
    ):
        with pytest.raises(SequenceDataError, match=message):
            call()
    with pytest.raises(ValueError, match="continuous"):
        small(RNNClassifier).fit(X, SETS * 0.3)


@pytest.mark.parametrize(
    "make",
    [
        lambda y: y.astype(bool),
        lambda y: y.astype(float),
        lambda y: y.astype(np.uint8),
        lambda y: y.tolist(),
        pd.DataFrame,
        lambda y: pd.DataFrame(y).astype(bool),
        lambda y: y.astype(object),
        lambda y: object_array(y.tolist()),
        lambda y: pd.Series(list(y)),
        lambda y: pd.DataFrame(y).astype("Int64"),
        scipy.sparse.csr_array,
        scipy.sparse.csc_array,
        lambda y: scipy.sparse.csr_matrix(y.astype(bool)),
        lambda y: scipy.sparse.coo_array(y.astype(float)),
    ],
)
def test_indicators_in_any_form(make):
    wanted = small(RNNClassifier).fit(X, SETS)
    model = small(RNNClassifier).fit(X, make(SETS))
    assert_array_equal(model.predict_proba(X), wanted.predict_proba(X))
    assert set(np.unique(model.predict(X))) <= {0, 1}
    assert model.score(X, make(SETS)) == np.mean(np.all(model.predict(X) == SETS, axis=1))


@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
@pytest.mark.parametrize("values", [(0, 1), (1, 2), (-1.0, 1.0), ("no", "yes")])
def test_a_single_column_holds_classes(values):
    y = np.array(values)[SETS[:, :1]]
    model = small(RNNClassifier).fit(X, y)
    assert_array_equal(model.classes_, sorted(values))
    assert model.predict(X).shape == (12,)
    if isinstance(values[0], int):
        sparse = small(RNNClassifier).fit(X, scipy.sparse.csr_array(y))
        assert_array_equal(sparse.predict_proba(X), model.predict_proba(X))


MISSING = [np.nan, None, pd.NA, float("nan"), np.float32("nan"), pd.NaT]


@pytest.mark.parametrize("missing", MISSING)
@pytest.mark.parametrize("labels", [["O", "B-x"], [3, 4]])
@pytest.mark.parametrize(
    "make", [list, lambda tags: np.array(tags, dtype=object), lambda tags: pd.Series(tags, dtype=object)]
)
@pytest.mark.parametrize("place", [0, 2])
def test_labels_that_are_missing_name_the_way(missing, labels, make, place):
    tags = [labels[i % 2] for i in range(6)]
    y = [make(tags) for _ in range(12)]
    tags = list(tags)
    tags[place] = missing
    y[3] = make(tags)
    with pytest.raises(SequenceDataError, match=rf"y\[3\]\[{place}\] is .*ignore_label='\?'"):
        small(RNNSequenceTagger).fit(X, y)


def test_missing_labels_in_blocks_and_of_whole_sequences():
    block = np.where(STEPS > 1, np.nan, STEPS)
    for y in (block, block.astype(object), pd.DataFrame(block), list(block)):
        with pytest.raises(SequenceDataError, match=r"is nan, but y must hold strings or integers.*ignore_label=-1"):
            small(RNNSequenceTagger).fit(X, y)
    words = np.where(STEPS > 1, None, "O")
    words[0] = "B-x"
    for y in (words, pd.DataFrame(words), words.tolist(), Sequences(words.ravel(), np.arange(13) * 6)):
        with pytest.raises(SequenceDataError, match=r"y\[\d\]\[\d\] is (None|nan), .*ignore_label='\?'"):
            small(RNNSequenceTagger).fit(X, y)
    words[words == None] = 3  # noqa: E711
    with pytest.raises(SequenceDataError, match=r"is int 3 where other steps are strings"):
        small(RNNSequenceTagger).fit(X, words)
    with pytest.raises(SequenceDataError, match=r"y\[1\] is None, where .*ignore_label='\?'"):
        small(RNNSequenceTagger).fit(X[:2], [["O"] * 6, None])
    model = small(RNNSequenceTagger, ignore_label=-1).fit(X, np.where(STEPS > 1, -1, STEPS))
    assert model.classes_.tolist() == [0, 1]
    with pytest.raises(SequenceDataError, match=r"In the validation data.*ignore_label"):
        small(RNNSequenceTagger).fit(X, STEPS, X_val=X, y_val=block)
