import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import StandardScaler

from sklearn_rnn import PerStep, RNNClassifier
from sklearn_rnn.data.cells import read_cells
from sklearn_rnn.data.inputs import read
from sklearn_rnn.exceptions import SequenceDataError

RNG = np.random.default_rng(0)


def cells(lengths, n_columns=2, of=list):
    array = np.empty((len(lengths), n_columns), dtype=object)
    for i, length in enumerate(lengths):
        for j in range(n_columns):
            array[i, j] = of(RNG.normal(size=length))
    return array


@pytest.mark.parametrize("of", [list, tuple, np.asarray])
def test_unequal_lengths_are_inputs(of):
    X = cells([3, 5, 4], of=of)
    inputs, spec = read(X)
    assert spec.kind == "aligned"
    assert_array_equal(inputs.lengths, [3, 5, 4])
    assert_array_equal(inputs.inputs["x1"].values[:3, 0], np.float32(X[0, 1]))


def test_tokens_beside_numbers_are_inputs_in_any_order():
    X = cells([4, 4, 4])
    for column in (0, 1):
        mixed = X.copy()
        for i in range(3):
            mixed[i, column] = list("abcd")
        kinds = {name: part.kind for name, part in read(mixed)[1].inputs.items()}
        assert kinds[f"x{column}"] == "text"
        assert kinds[f"x{1 - column}"] == "numeric"


def test_vectors_of_one_length_are_what_they_were_in_fit():
    X = cells([4, 4, 4])
    for fit in (read, RNNClassifier(max_epochs=1).fit, PerStep(StandardScaler()).fit):
        with pytest.raises(SequenceDataError, match="2 inputs of 4 steps, or 2 steps of 4 features"):
            fit(X, *([[0, 1, 0]] if getattr(fit, "__name__", "") == "fit" else []))
    steps = read(np.array(X.tolist()))[1]
    assert_array_equal(read(X, steps)[0].values, np.float32(X.tolist()).reshape(-1, 4))
    inputs = read(cells([3, 5]))[1]
    assert_array_equal(read(X, inputs)[0].inputs["x0"].values[:4, 0], np.float32(X[0, 0]))
    assert len(read(X[:1], inputs)[0]) == 1


def test_columns_that_are_scaled_are_inputs_at_any_length():
    X = cells([4, 4, 4])
    scale = ColumnTransformer([(str(j), PerStep(StandardScaler()), [j]) for j in (0, 1)])
    both, _ = read(scale.fit_transform(X))
    for j in (0, 1):
        column = np.concatenate([X[i, j] for i in range(3)])
        np.testing.assert_allclose(
            both.inputs[f"x{j}"].values[:, 0], (column - column.mean()) / column.std(), rtol=1e-5
        )


def test_all_else_stays():
    for X in ([[1.0]], np.zeros((2, 2)), np.array([["a", "b"]], dtype=object), "text"):
        assert read_cells(X, None, "X") is X
