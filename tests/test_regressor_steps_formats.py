"""RNNRegressor with a value or a vector for each step: formats of y and of weights, and what is refused."""

from contextlib import nullcontext

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from numpy.testing import assert_allclose
from samples import ragged, small, weights
from step_targets import BLOCK, RAGGED, Y, assert_same, running_sums, vectors, with_gaps

from sklearn_rnn import (
    AlignedSequences,
    RNNRegressor,
    RNNSequenceTagger,
    Sequences,
)
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.exceptions import SequenceDataError, SequenceDataWarning


@pytest.mark.parametrize(
    "make",
    [
        tuple,
        object_array,
        lambda y: [values.tolist() for values in y],
        lambda y: pd.Series(y, index=list("hgfedcba")),
        lambda y: pl.Series([values.tolist() for values in y]),
        lambda y: pa.array([values.tolist() for values in y]),
        lambda y: pa.chunked_array([[values.tolist() for values in y]]),
        lambda y: pd.DataFrame({"y": y}),
        lambda y: pl.DataFrame({"y": [values.tolist() for values in y]}),
        lambda y: pa.table({"y": [values.tolist() for values in y]}),
        lambda y: [torch.from_numpy(values) for values in y],
        lambda y: [pd.Series(values, index=np.arange(len(values))[::-1]) for values in y],
        lambda y: [values.astype(object) for values in y],
        Sequences.from_arrays,
    ],
)
def test_targets_in_any_container(make):
    y = running_sums(RAGGED)
    model = small(RNNRegressor).fit(RAGGED, make(y))
    predicted = model.predict(RAGGED)
    assert predicted.dtype == object
    assert_same(predicted, small(RNNRegressor).fit(RAGGED, y).predict(RAGGED))
    assert model.score(RAGGED, make(y)) == model.score(RAGGED, y)


@pytest.mark.parametrize(
    ("y", "options", "alignment", "shape"),
    [
        (BLOCK, {}, "step", (8, 5, 2)),
        (BLOCK[:, :, :1], {}, "step", (8, 5, 1)),
        (torch.from_numpy(BLOCK), {}, "step", (8, 5, 2)),
        (BLOCK[:, :, 0], {}, "sequence", (8, 5)),
        (BLOCK[:, :, 0], {"target": "step"}, "step", (8, 5)),
        (pd.DataFrame(BLOCK[:, :, 0]), {"target": "step"}, "step", (8, 5)),
        (pd.DataFrame(BLOCK[:, :, 0]).astype("Float64"), {"target": "step"}, "step", (8, 5)),
        (BLOCK[:, :, 0].tolist(), {}, "sequence", (8, 5)),
        (BLOCK[:, :, 0].tolist(), {"target": "step"}, "step", None),
        (list(BLOCK[:, :, 0]), {}, "step", None),
        (list(BLOCK[:, :3, 0]), {}, "sequence", (8, 3)),
        (list(BLOCK[:, :, 0]), {"target": "sequence"}, "sequence", (8, 5)),
        (np.ma.masked_array(BLOCK[:, :, 0], BLOCK[:, :, 0] > 1), {"target": "step"}, "step", (8, 5)),
        (BLOCK[:, 0, 0], {}, "sequence", (8,)),
    ],
)
@pytest.mark.parametrize("table", [False, True])
def test_what_numbers_belong_to(y, options, alignment, shape, table):
    X = BLOCK[:, :, 0] if table else BLOCK
    unsure = alignment == "sequence" and shape == (8, 5) and not options
    with pytest.warns(SequenceDataWarning, match="outputs of a whole") if unsure else nullcontext():
        model = small(RNNRegressor, **options).fit(X, y)
    assert model.target_alignment_ == alignment
    predicted = model.predict(X)
    assert predicted.dtype == (object if shape is None else float)
    assert predicted.shape == (shape or (8,))
    if alignment == "step" and not table:
        assert [len(item) for item in model.predict(RAGGED_2)] == [len(x) for x in RAGGED_2]


RAGGED_2 = ragged(4, n_features=2)


@pytest.mark.parametrize(
    "X",
    [
        [list("abc"), list("ab"), list("c"), list("cab")] * 2,
        AlignedSequences({"word": [list("abc"), list("ab")] * 4, "n": [[1.0, 2.0, 3.0], [4.0, 5.0]] * 4}),
    ],
)
def test_targets_of_tokens_and_of_several_inputs(X):
    y = [np.arange(length, dtype=float) for length in ([3, 2, 1, 3] * 2 if isinstance(X, list) else [3, 2] * 4)]
    predicted = small(RNNRegressor).fit(X, y).predict(X)
    assert [item.shape for item in predicted] == [values.shape for values in y]


N = len(Y[0])


def changed(i, value):
    return [*Y[:i], value, *Y[i + 1 :]]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (Y[:-1], r"X has 8 sequences, y has 7"),
        (
            changed(0, Y[0][:-1]),
            rf"y\[0\] has {N - 1} values, but X\[0\] has {N} steps: wanted one value for each step",
        ),
        (changed(2, None), r"y\[2\] is None, but X\[2\] has .* steps: wanted one value for each step.*np.full"),
        (changed(0, 1.5), r"y\[0\] is 1.5, but X\[0\] has"),
        (changed(0, Y[0][:, None]), r"The sequences of y differ in their dimensions"),
        (changed(1, np.append(np.inf, Y[1][1:])), r"y contains infinity.* at y\[1\]\[0\]"),
        ([["a"] * len(v) for v in Y], r"y must hold numbers for the steps.*RNNSequenceTagger takes labels"),
        ([np.datetime64("2020") + np.arange(len(v)) for v in Y], r"y has dtype datetime64.*numbers are wanted"),
        ([v + 1j for v in Y], r"y has dtype complex128, but real numbers are wanted"),
        ([v * np.nan for v in Y], r"no sequence is left to learn from"),
        ([np.column_stack([v, v * np.nan]) for v in Y], r"y holds no target of output 1 to learn from"),
        ([v[:, None, None] for v in Y], rf"y\[0\] has shape \({N}, 1, 1\)"),
    ],
)
def test_targets_that_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        small(RNNRegressor).fit(RAGGED, y)


@pytest.mark.parametrize(
    ("y", "target", "message"),
    [
        (Y, "sequence", r"y is ragged.*target='auto' or 'step'"),
        (BLOCK[:, :, :1].repeat(2, 1), "sequence", r"y must have shape \(n_sequences,\).*got \(8, 10, 1\).*'step'"),
        (np.arange(8.0), "step", r"y\[0\] is 0.0, but X\[0\] has .* steps"),
    ],
)
def test_targets_that_are_not_what_was_said(y, target, message):
    with pytest.raises(SequenceDataError, match=message):
        small(RNNRegressor, target=target).fit(RAGGED, y)


def test_later_targets_are_held_to_the_first():
    of_steps, of_sequences = small(RNNRegressor).fit(RAGGED, Y), small(RNNRegressor).fit(RAGGED, np.arange(8))
    with pytest.raises(SequenceDataError, match=r"y has 2 output\(s\), wanted the 1 seen at first"):
        of_steps.partial_fit(RAGGED, vectors(RAGGED))
    with pytest.raises(SequenceDataError, match=r"y\[0\] is 0, but X\[0\] has"):
        of_steps.score(RAGGED, np.arange(8))
    with pytest.raises(SequenceDataError, match=r"y is ragged"):
        of_sequences.score(RAGGED, Y)
    with pytest.raises(SequenceDataError, match=r"In the validation data, X_val and y_val: y\[0\] is 0"):
        of_steps.fit(RAGGED, Y, X_val=RAGGED, y_val=np.arange(8))


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([-np.ones(len(v)) for v in Y], r"sample_weight must hold weights of 0 or more for each step, got -1.0"),
        ([np.full(len(v), np.nan) for v in Y], r"sample_weight must hold weights of 0 or more.*got nan"),
        ([np.ones(len(v) - 1) for v in Y], r"sample_weight\[0\] has .* values, but X\[0\] has"),
        ([0.0 * v for v in Y], r"at least one non-zero number"),
        (np.ones(7), r"sample_weight.shape == \(7,\), expected \(8,\)"),
        ([np.isnan(v) * 1.0 for v in with_gaps(Y)], r"y holds no target to learn from"),
    ],
)
def test_weights_that_are_refused(weight, message):
    with pytest.raises(ValueError, match=message):
        small(RNNRegressor).fit(RAGGED, with_gaps(Y), sample_weight=weight)
    with pytest.raises(ValueError, match="sample_weight holds weights of steps, but y one target for each sequence"):
        small(RNNRegressor).fit(RAGGED, np.arange(8), sample_weight=Y)


def test_a_tagger_takes_weights_of_steps():
    tags = [["up" if step > 0 else "down" for step in v] for v in Y]
    weight = [np.ones(len(v)) for v in Y]
    model = small(RNNSequenceTagger).fit(RAGGED, tags, sample_weight=weight)
    assert_allclose(weights(model), weights(small(RNNSequenceTagger).fit(RAGGED, tags)), atol=1e-6)
    assert model.score(RAGGED, tags, sample_weight=weight) == model.score(RAGGED, tags)
