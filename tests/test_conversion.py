"""Tensors, masked arrays and objects as NumPy's numbers: read right, or refused in the package's own words."""

import datetime
import decimal
import fractions

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal
from samples import problem, small
from sklearn.preprocessing import StandardScaler

from sklearn_rnn import (
    AlignedSequences,
    PerStep,
    RNNClassifier,
    RNNRegressor,
    RNNSequenceTagger,
    SequenceBaggingClassifier,
    Sequences,
    stream,
)
from sklearn_rnn.data.conversion import as_float, floats, numbers, shown, unwrapped, unwrapped_items, why_no_number
from sklearn_rnn.data.inputs import read
from sklearn_rnn.exceptions import SequenceDataError, SequenceTypeError
from sklearn_rnn.metrics import flat_accuracy_score, sequence_r2_score, span_f1_score

rng = np.random.default_rng(0)
BLOCK = rng.integers(-8, 8, size=(6, 4, 2)) / 4  # which every format has room for
Y = np.array([0, 1] * 3)
NESTED = [BLOCK[i, : 2 + i % 3] for i in range(6)]

TENSORS = {
    "bfloat16": lambda x: x.bfloat16(),
    "half": lambda x: x.half(),
    "float8": lambda x: x.to(torch.float8_e4m3fn),
    "with a gradient": lambda x: x.clone().requires_grad_(),
    "a parameter": torch.nn.Parameter,
    "transposed": lambda x: x.transpose(0, -1).contiguous().transpose(0, -1),
    "negated": lambda x: torch.complex(x, -x).conj().imag,
}


@pytest.mark.parametrize("form", TENSORS.values(), ids=TENSORS)
def test_tensors_are_the_arrays_that_they_are(form):
    X = form(torch.tensor(BLOCK, dtype=torch.float64))
    for given_as in (X, list(X), [list(x) for x in X]):
        assert_array_equal(read(given_as, dtype="float64")[0].values, BLOCK.reshape(-1, 2))
    assert_array_equal(PerStep(StandardScaler()).fit(X).transformer_.mean_, BLOCK.mean(axis=(0, 1)))
    assert_array_equal(small(RNNRegressor).fit(BLOCK, X[:, 0, 0]).target_mean_, [BLOCK[:, 0, 0].mean()])
    assert_array_equal(small(RNNRegressor).fit(BLOCK, list(X[:, 0, 0])).target_mean_, [BLOCK[:, 0, 0].mean()])
    assert_array_equal(
        small(RNNClassifier).fit(BLOCK, list(form(torch.tensor(Y, dtype=torch.float64)))).classes_, [0, 1]
    )
    weights = form(torch.arange(6, dtype=torch.float64))
    fitted = [small(RNNClassifier).fit(BLOCK, Y, sample_weight=w) for w in (weights, np.arange(6.0))]
    assert_array_equal(fitted[0].predict_proba(BLOCK), fitted[1].predict_proba(BLOCK))
    assert sequence_r2_score(X[:, 0, 0], X[:, 0, 0]) == 1


@pytest.mark.filterwarnings("ignore:.*nested tensors is in prototype:UserWarning")
@pytest.mark.parametrize("layout", [torch.strided, torch.jagged], ids=str)
def test_nested_tensors_are_ragged(layout):
    X = torch.nested.nested_tensor([torch.tensor(x) for x in NESTED], layout=layout)
    sequences, _ = read(X, dtype="float64")
    assert sequences.lengths.tolist() == [len(x) for x in NESTED]
    assert_array_equal(sequences.values, np.concatenate(NESTED))
    assert_array_equal(PerStep(StandardScaler()).fit_transform(X).lengths, sequences.lengths)


@pytest.mark.filterwarnings("ignore:.*quantize:UserWarning")
def test_quantised_tensors():
    X = torch.quantize_per_tensor(torch.tensor(BLOCK, dtype=torch.float32), 0.25, 0, torch.qint8)
    assert_array_equal(read(X)[0].values, BLOCK.reshape(-1, 2))


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (lambda x: x.to("meta"), "is a tensor on the device 'meta', which has a shape and no values"),
        (lambda x: x.to_sparse(), r"is a sparse tensor \(torch.sparse_coo\), but dense data is required"),
        (lambda x: x.to(torch.complex64), "omplex"),
    ],
    ids=["meta", "sparse", "complex"],
)
def test_tensors_without_real_values(form, message):
    X, y = form(torch.tensor(BLOCK)), form(torch.tensor(BLOCK[:, 0, 0]))
    live = stream(small(RNNClassifier, bidirectional=False).fit(BLOCK, Y))
    for call in (
        lambda: small(RNNClassifier).fit(X, Y),
        lambda: small(RNNClassifier).fit(list(X), Y),
        lambda: small(RNNRegressor).fit(BLOCK, y),
        lambda: small(RNNRegressor).fit(BLOCK, X),
        lambda: small(RNNClassifier).fit(BLOCK, Y, sample_weight=y),
        lambda: live.update(X[0, 0]),
        lambda: sequence_r2_score(y, BLOCK[:, 0, 0]),
    ):
        with pytest.raises(SequenceDataError, match=message):
            call()


def test_sparse_data_is_refused():
    sparse = scipy.sparse.csr_array(BLOCK[:, :, 0])
    for call in (
        lambda: small(RNNClassifier).fit(sparse, Y),
        lambda: small(RNNClassifier).fit(scipy.sparse.coo_array(BLOCK), Y),
        lambda: small(RNNClassifier).fit(pd.DataFrame.sparse.from_spmatrix(sparse), Y),
        lambda: small(RNNRegressor).fit(BLOCK, sparse),
        lambda: small(RNNSequenceTagger).fit(BLOCK, sparse),
        lambda: small(RNNSequenceTagger).fit(BLOCK, [sparse] * 6),
        lambda: small(RNNClassifier).fit(BLOCK, Y, sample_weight=sparse),
        lambda: small(RNNClassifier).fit(BLOCK, Y, groups=sparse),
        lambda: sequence_r2_score(sparse, BLOCK[:, :, 0]),
        lambda: PerStep(StandardScaler()).fit(BLOCK, sample_weight=sparse),
    ):
        with pytest.raises(SequenceTypeError, match=r"Sparse data was passed for .*toarray"):
            call()


MASK = BLOCK > 1
MASKED, WITH_NAN = np.ma.masked_array(BLOCK, MASK), np.where(MASK, np.nan, BLOCK)


@given(
    hnp.arrays(np.float64, (3, 4, 2), elements=st.floats(-9, 9)),
    hnp.arrays(bool, (3, 4, 2)),
    st.sampled_from([np.float64, np.float32, np.int16]),
)
@settings(deadline=None, max_examples=40)
def test_what_is_masked_is_missing(values, mask, dtype):
    values = values.astype(dtype)
    array, due = np.ma.masked_array(values, mask), np.where(mask, np.nan, values)
    wanted = read(due, missing="mask", dtype="float64")[0].values
    series = pd.Series(list(array))
    for X in (array, list(array), [list(x) for x in array], series, array.astype(object)):
        assert_array_equal(read(X, missing="mask", dtype="float64")[0].values, wanted)
    assert_array_equal(Sequences(array.reshape(-1, 2), [0, 4, 8, 12]).values, due.reshape(-1, 2))


def test_masks_of_other_inputs():
    assert_array_equal(
        read(MASKED[:, :, 0], missing="mask")[0].values, read(WITH_NAN[:, :, 0], missing="mask")[0].values
    )
    parts = AlignedSequences({"a": MASKED, "b": WITH_NAN}).inputs
    assert_array_equal(parts["a"].values, parts["b"].values)
    assert_array_equal(PerStep(StandardScaler()).fit(MASKED).transformer_.mean_, np.nanmean(WITH_NAN, axis=(0, 1)))
    for X in (MASKED, list(MASKED)):
        with pytest.raises(SequenceDataError, match="X contains NaN at sequence"):
            read(X)
    live, same = (stream(small(RNNRegressor, bidirectional=False, missing="mask").fit(MASKED, Y)) for _ in range(2))
    for masked, nan in zip(MASKED[0], WITH_NAN[0], strict=True):
        assert_array_equal(live.update(masked), same.update(nan))
    unmasked = np.ma.masked_array(BLOCK, False)
    assert_array_equal(read(unmasked)[0].values, read(BLOCK)[0].values)


def test_a_masked_number_is_a_target_that_is_not_there():
    per_sequence = (np.ma.masked_array(BLOCK[:, 0, 0], MASK[:, 0, 0]), WITH_NAN[:, 0, 0])
    rows = ([np.ma.masked_array(b, m) for b, m in zip(BLOCK[:, 0], MASK[:, 0], strict=True)], WITH_NAN[:, 0])
    of_steps = (np.ma.masked_array(b, m) for b, m in zip(BLOCK, MASK, strict=True))
    for y, due in (per_sequence, rows, (MASKED, WITH_NAN), (list(of_steps), list(WITH_NAN))):
        first, second = (small(RNNRegressor).fit(BLOCK, target) for target in (y, due))
        assert_array_equal(first.transform(BLOCK), second.transform(BLOCK))
        assert first.score(BLOCK, y) == second.score(BLOCK, due)
        assert sequence_r2_score(y, second.predict(BLOCK)) == sequence_r2_score(due, second.predict(BLOCK))


def test_masked_labels_and_weights_are_refused():
    labels, weights = np.ma.masked_array(Y, Y == 0), np.ma.masked_array(np.ones(6), Y == 0)
    tags = np.ma.masked_array(BLOCK[:, :, 0] > 0, MASK[:, :, 0])
    clf, tagger = small(RNNClassifier).fit(BLOCK, Y), small(RNNSequenceTagger).fit(BLOCK, np.asarray(tags))
    of_steps = np.ma.masked_array(np.ones((6, 4)), MASK[:, :, 0])
    for call in (
        lambda: small(RNNClassifier).fit(BLOCK, labels),
        lambda: small(RNNClassifier).fit(BLOCK, list(labels)),
        lambda: small(RNNSequenceTagger).fit(BLOCK, tags),
        lambda: small(RNNSequenceTagger).fit(BLOCK, list(tags)),
        lambda: SequenceBaggingClassifier(small(RNNClassifier)).fit(BLOCK, labels),
        lambda: clf.score(BLOCK, labels),
        lambda: flat_accuracy_score(tags, np.asarray(tags)),
        lambda: span_f1_score(np.ma.masked_array([["B-a"]], [[True]]), [["B-a"]]),
        lambda: small(RNNClassifier).fit(BLOCK, Y, groups=labels),
        lambda: small(RNNClassifier).fit(BLOCK, Y, sample_weight=weights),
        lambda: small(RNNClassifier).fit(BLOCK, Y, sample_weight=list(weights)),
        lambda: small(RNNClassifier).fit(BLOCK, Y, X_val=BLOCK, y_val=Y, sample_weight_val=weights),
        lambda: SequenceBaggingClassifier(small(RNNClassifier)).fit(BLOCK, Y, sample_weight=weights),
        lambda: clf.score(BLOCK, Y, sample_weight=weights),
        lambda: tagger.score(BLOCK, np.asarray(tags), sample_weight=of_steps),
        lambda: sequence_r2_score(Y, Y, sample_weight=weights),
        lambda: flat_accuracy_score(np.asarray(tags), np.asarray(tags), sample_weight=of_steps),
        lambda: PerStep(StandardScaler()).fit(BLOCK, sample_weight=weights),
    ):
        with pytest.raises(SequenceDataError, match="is a masked array, and some of its values are masked"):
            call()


def test_samples_that_differ_in_what_is_masked_are_different_samples():
    first, second = (
        SequenceBaggingClassifier(small(RNNClassifier, missing="mask"), n_estimators=3, random_state=0).fit(X, Y)
        for X in (MASKED, WITH_NAN)
    )
    assert_array_equal(first.predict_proba(MASKED), second.predict_proba(WITH_NAN))


def cells(value):
    """Numbers as objects, with `value` at sequence 2, step 3, feature 1."""
    array = BLOCK.astype(object)
    array[2, 3, 1] = value
    return array


@pytest.mark.parametrize(
    ("value", "due"),
    [
        (decimal.Decimal("1.5"), 1.5),
        (fractions.Fraction(3, 2), 1.5),
        (np.float16(1.5), 1.5),
        (True, 1),
        (torch.tensor(1.5, requires_grad=True), 1.5),
        (pd.NA, np.nan),
        (None, np.nan),
        (np.nan, np.nan),
    ],
    ids=repr,
)
def test_numbers_among_objects(value, due):
    X, plain = cells(value), BLOCK.copy()
    plain[2, 3, 1] = due
    wanted = read(plain, missing="mask")[0].values
    for form in (X, list(X), X.tolist()):
        assert_array_equal(read(form, missing="mask")[0].values, wanted)
    assert_array_equal(read(X[:, :, 1], missing="mask")[0].values, read(plain[:, :, 1], missing="mask")[0].values)
    frame = pd.DataFrame(X[:, :, 1])
    assert_array_equal(read(frame, missing="mask")[0].values, read(plain[:, :, 1], missing="mask")[0].values)
    for y, target in ((X[:, 3, 1], plain[:, 3, 1]), (X[:, 3, 1].tolist(), plain[:, 3, 1]), (X, plain)):
        fitted = [small(RNNRegressor).fit(BLOCK, part) for part in (y, target)]
        assert_array_equal(fitted[0].target_mean_, fitted[1].target_mean_)
    assert np.isnan(due) or sequence_r2_score(X, plain) == 1


NO_NUMBERS = {
    "datetime": (datetime.datetime(2020, 1, 1), "a time: give the time between steps"),
    "datetime64": (np.datetime64("2020-01-01"), "a time"),
    "Timestamp": (pd.Timestamp(5), "a time"),
    "NaT": (pd.NaT, "a time"),
    "timedelta": (datetime.timedelta(1), "a span of time: divide it by a unit"),
    "timedelta64": (np.timedelta64(3, "s"), "a span of time"),
    "complex": (1j, "omplex"),
    "complex128": (np.complex128(1j), "omplex"),
    "large": (10**400, "too large for a float"),
    "very large": (-(10**5000), "an int of 16610 bits.*too large for a float"),
    "object": (object(), "object"),
    "dict": ({"a": 1}, "dict"),
}


@pytest.mark.parametrize(("value", "message"), NO_NUMBERS.values(), ids=NO_NUMBERS)
def test_what_is_no_number_among_objects(value, message):
    X = cells(value)
    live = stream(small(RNNRegressor, bidirectional=False).fit(BLOCK, Y))
    for call in (
        lambda: read(X),
        lambda: read(X, missing="mask"),
        lambda: read(list(X)),
        lambda: read(X[:, :, 1]),
        lambda: read(pd.DataFrame(X[:, :, 1])),
        lambda: small(RNNRegressor).fit(BLOCK, X[:, 3, 1]),
        lambda: small(RNNRegressor).fit(BLOCK, X[:, 3, 1].tolist()),
        lambda: small(RNNRegressor).fit(BLOCK, X),
        lambda: small(RNNClassifier).fit(BLOCK, Y, sample_weight=X[:, 3, 1]),
        lambda: small(RNNRegressor, target="step").fit(BLOCK, BLOCK, sample_weight=list(X[:, :, 1])),
        lambda: sequence_r2_score(X, BLOCK),
        lambda: live.update(X[2, 3]) if message != "dict" else read(X),
    ):
        with pytest.raises(SequenceDataError, match=message):
            call()


def test_an_error_says_where():
    with pytest.raises(SequenceTypeError, match=r"X\[2\]\[3\] holds 1j, which is not a number"):
        read(cells(1j))
    with pytest.raises(SequenceTypeError, match=r"sample_weight\[1\] is datetime.date\(2020, 1, 1\): a time"):
        small(RNNClassifier).fit(BLOCK[:2], Y[:2], sample_weight=[1.0, datetime.date(2020, 1, 1)])


def test_an_array_of_rows():
    rows = np.empty(BLOCK.shape[:2], dtype=object)
    for place in np.ndindex(rows.shape):
        rows[place] = BLOCK[place]
    lists, dicts = rows.copy(), rows.copy()
    for place in np.ndindex(rows.shape):
        lists[place], dicts[place] = BLOCK[place].tolist(), {"a": BLOCK[place][0], "b": BLOCK[place][1]}
    X = BLOCK.reshape(-1, 2)
    seen = read(BLOCK, dtype="float64")[1]
    for form in (rows, lists):
        assert_array_equal(read(form, seen, dtype="float64")[0].values, X)
    for form in (list(rows), [list(row) for row in rows]):
        assert_array_equal(read(form, dtype="float64")[0].values, X)
        assert_array_equal(PerStep(StandardScaler()).fit(form).transformer_.mean_, X.mean(axis=0))
    for form in (rows, lists, list(rows), [list(row) for row in rows]):
        assert small(RNNRegressor).fit(BLOCK, form).target_alignment_ == "step"
        assert sequence_r2_score(form, BLOCK) == 1
    assert_array_equal(read(dicts, dtype="float64")[0].inputs["<numbers>"].values, X)
    rows[3, 2] = np.zeros(3)
    with pytest.raises(SequenceDataError, match=r"X\[3\] is not a rectangular array"):
        read(list(rows))


def test_labels_in_lists_of_tensors():
    X, y = problem(RNNClassifier)
    fitted = [
        small(RNNClassifier).fit(X, labels)
        for labels in (y, [torch.tensor(int(v)) for v in np.unique(y, return_inverse=True)[1]])
    ]
    assert_array_equal(fitted[0].predict_proba(X), fitted[1].predict_proba(X))


def test_helpers():
    assert unwrapped_items([1, [2.0]], "a") == [1, [2.0]]
    assert unwrapped_items([torch.tensor(2), (np.ma.masked,)], "a")[0] == 2
    assert unwrapped("text", "a") == "text"
    assert_array_equal(floats(np.array([1, None, "2.5"], dtype=object)), [1, np.nan, 2.5])
    assert floats(np.arange(2), "float32").dtype == np.float32
    assert why_no_number(np.float32(1)) is why_no_number(None) is None
    assert as_float(decimal.Decimal(2), "a") == 2
    with pytest.raises(SequenceDataError, match="a is 'x', which is not a number"):
        as_float("x", "a")
    assert numbers([1, 2], "a").dtype == np.int64
    with pytest.raises(SequenceTypeError, match="a must hold numbers"):
        numbers([[1], [2, 3]], "a")
    assert shown("x" * 99) == "'" + "x" * 56 + "..."
    with pytest.raises(SequenceDataError, match="dtype <U1, which has no value for what is masked"):
        unwrapped(np.ma.masked_equal(["a", "b"], "a"), "X")
