"""What users run into: data as it comes, and parameters in combinations."""

import threading

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import EpochScoring, EpochTimer

from sklearn_rnn import AlignedSequences, PerStep, RNNClassifier, RNNRegressor, RNNSequenceTagger, Sequences
from sklearn_rnn.data.training_set import MAX_SPREAD, TrainingSet
from sklearn_rnn.estimators._splitting import split_validation
from sklearn_rnn.inspection import GradientFlowDisplay, sequence_partial_dependence

SMALL = {"hidden_size": 4, "max_epochs": 2, "random_state": 0}


def ragged(n=30, n_features=2, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(length, n_features)) for length in rng.integers(2, 7, size=n)]


def training_set(weight):
    weight = np.asarray(weight, dtype=float)
    sequences = Sequences(np.arange(len(weight), dtype=float)[:, None], np.arange(len(weight) + 1))
    return TrainingSet(sequences, np.arange(len(weight)), weight)


class TestRepeatedSequences:
    def test_an_epoch_is_as_long_as_the_data(self):
        X = [[[1.0], [0.0]], [[0.0], [1.0]]] * 100
        y = ["falls", "rises"] * 100
        model = RNNClassifier(hidden_size=8, label_smoothing=0.0, max_epochs=20, random_state=0).fit(X, y)
        assert model.loss_curve_[-1] < 0.05  # 260 steps; two samples in one batch would make 20

    def test_many_copies_of_one_do_not_drown_the_rest(self):
        rng = np.random.default_rng(0)
        X = [np.ones((3, 2))] * 950 + [rng.normal(size=(3, 2)) for _ in range(50)]
        y = np.array([0] * 950 + [int(x[-1, 0] > 0) for x in X[950:]])
        model = RNNClassifier(
            hidden_size=16, learning_rate=0.005, label_smoothing=0.0, max_epochs=15, random_state=0
        ).fit(X, y)
        assert model.score(X[950:], y[950:]) > 0.95

    def test_counts_become_copies_that_share_the_weight(self):
        spread = training_set([1, 3, 2]).spread()
        assert spread.target.tolist() == [0, 1, 1, 1, 2, 2]
        assert_array_equal(spread.weight, np.ones(6))

    def test_weights_that_are_no_counts_stay(self):
        data = training_set([0.5, 3.0])
        assert data.spread() is data

    def test_counts_of_a_population_are_bounded(self):
        data = training_set([10**6, 3 * 10**6, 1])
        spread = data.spread()
        assert len(spread) <= MAX_SPREAD + len(data)
        assert_allclose(np.bincount(spread.target, weights=spread.weight), data.weight)


class TestValidationData:
    @pytest.mark.parametrize("seed", range(20))
    def test_two_classes_are_stratified(self, seed):
        X, y = ragged(40), np.array([0] * 30 + [1] * 10)
        model = RNNClassifier(**SMALL)
        model.fit(X, y)
        target, data = model._read_examples(X, y, None, reset=False)
        _, validation = split_validation(data, 0.2, target.strata, np.random.RandomState(seed))
        assert data.target[validation].sum() == 2

    def test_the_score_is_the_score_whatever_the_class_weights(self):
        X, y = ragged(), np.array([0] * 24 + [1] * 6)
        model = RNNClassifier(class_weight="balanced", **SMALL).fit(X, y, X_val=X, y_val=y)
        assert model.validation_scores_[-1] == pytest.approx(model.score(X, y))

    def test_groups_matter_to_the_inner_split_alone(self):
        X, y = ragged(), np.arange(30) % 2
        plain = RNNClassifier(**SMALL).fit(X, y)
        grouped = RNNClassifier(**SMALL).fit(X, y, groups=np.arange(30))
        assert_array_equal(plain.predict_proba(X), grouped.predict_proba(X))

    def test_sequences_without_a_label_are_not_split(self):
        X = [["a", "b"], ["c"], ["b", "c"], ["d"], ["a"], ["c", "d"]] * 2
        y = [["?"] * len(tokens) for tokens in X]
        y[:4] = [["A", "?"], ["B"], ["A", "B"], ["B"]]
        for seed in range(5):
            model = RNNSequenceTagger(
                ignore_label="?", early_stopping=True, validation_fraction=0.5, hidden_size=4, random_state=seed
            ).fit(X, y)
            assert model.loss_curve_[0] > 0

    def test_validation_data_without_labels_is_refused(self):
        X, y = [["a", "b"], ["c"]], [["A", "B"], ["A"]]
        with pytest.raises(ValueError, match="X_val and y_val: y holds no label"):
            RNNSequenceTagger(ignore_label="?", **SMALL).fit(X, y, X_val=[["a"]], y_val=[["?"]])

    def test_r2_of_one_sequence_leaves_a_best_epoch(self):
        X, y = ragged(), np.arange(30.0)
        with pytest.warns(UserWarning, match="R\\^2 score is not well-defined"):
            model = RNNRegressor(early_stopping=True, **SMALL).fit(X, y, X_val=X[:1], y_val=y[:1])
        assert 1 <= model.best_epoch_ <= 2


class TestClassWeights:
    def test_a_fold_may_lack_a_label_of_the_dict(self):
        X = [["a", "b"], ["c"], ["b", "c"]] * 4
        y = [["A", "B"], ["A"], ["B", "A"]] * 4
        y[0] = ["RARE", "B"]
        tagger = RNNSequenceTagger(class_weight={"A": 1, "B": 2, "RARE": 3}, **SMALL)
        with pytest.warns(UserWarning, match="not seen in fit"):
            scores = cross_val_score(tagger, X, y, cv=KFold(3), error_score="raise")
        assert len(scores) == 3

    def test_a_typo_is_an_error(self):
        with pytest.raises(ValueError, match=r"names the class.*'B'.*leaves out"):
            RNNClassifier(class_weight={"a": 1, "B": 2}, **SMALL).fit(ragged(), ["a", "b"] * 15)


class TestFrames:
    def frames(self):
        return [pd.DataFrame({"a": pd.array([1, None, 3], dtype="Int64"), "b": [1.0, 2.0, 3.0 + i]}) for i in range(8)]

    def test_pandas_missing_values_are_carried_forward(self):
        model = RNNClassifier(missing="mask", **SMALL).fit(self.frames(), [0, 1] * 4)
        as_arrays = [np.column_stack([[1, np.nan, 3], [1.0, 2.0, 3.0 + i]]) for i in range(8)]
        assert_array_equal(model.predict_proba(self.frames()), model.predict_proba(as_arrays))

    def test_pandas_missing_values_are_named_and_imputed(self):
        with pytest.raises(ValueError, match="NaN at sequence 0, step 1, column 'a'"):
            RNNClassifier(**SMALL).fit(self.frames(), [0, 1] * 4)
        make_pipeline(PerStep(SimpleImputer()), RNNClassifier(**SMALL)).fit(self.frames(), [0, 1] * 4)

    def test_step_labels_in_a_frame(self):
        X = np.random.default_rng(0).normal(size=(10, 5))
        y = np.arange(50).reshape(10, 5) % 3
        model = RNNSequenceTagger(**SMALL).fit(X, pd.DataFrame(y, columns=list("abcde")))
        assert model.classes_.tolist() == [0, 1, 2]

    def test_arrow_table(self):
        X = np.random.default_rng(0).normal(size=(10, 3))
        table = pa.table({f"step{t}": X[:, t] for t in range(3)})
        model = RNNClassifier(**SMALL).fit(table, [0, 1] * 5)
        assert_array_equal(model.predict_proba(table), model.predict_proba(table.to_pandas()))

    @pytest.mark.parametrize("other", [None, 1])
    def test_table_of_tokens_holds_tokens_alone(self, other):
        X = np.array([["a", "c"], ["b", "c"]] * 5, dtype=object)
        model = RNNClassifier(**SMALL).fit(X, [0, 1] * 5)
        X[3, 1] = other
        with pytest.raises(ValueError, match=r"X\[3\]\[1\]"):
            model.predict(X)
        with pytest.raises(ValueError, match=r"X\[3\]\[1\]"):
            RNNClassifier(**SMALL).fit(X, [0, 1] * 5)


class TestSeveralInputs:
    WORDS = (["Fly", "to", "Oslo"], ["Rome", "rains"], ["to", "Rome"], ["Lima"]) * 3
    NUMBERS = ([0.5, 0.0, 1.0], [2.0, 0.0], [0.0, 1.0], [3.0]) * 3
    TAGS = (["VB", "TO", "NNP"], ["NNP", "VBZ"], ["TO", "NNP"], ["NNP"]) * 3
    Y = (["O", "O", "B"], ["B", "O"], ["O", "B"], ["B"]) * 3

    def dictionary(self):
        return {"word": list(self.WORDS), "tag": list(self.TAGS), "x": list(self.NUMBERS)}

    def fitted(self, X):
        return RNNSequenceTagger(embedding_dim=3, char_encoder=None, casing_features=False, **SMALL).fit(
            X, list(self.Y)
        )

    def predicted(self, X, fitted_on=None):
        return np.vstack(list(self.fitted(X if fitted_on is None else fitted_on).predict_proba(X)))

    def test_columns_of_sequences_are_what_a_dict_of_them_is(self):
        columns = self.dictionary()
        expected = self.predicted(columns)
        frame = pd.DataFrame(columns)
        others = [AlignedSequences(columns), frame, pl.DataFrame(columns), pa.Table.from_pandas(frame)]
        for X in others:
            assert_array_equal(self.predicted(X), expected)
            assert_array_equal(self.predicted(X, fitted_on=columns), expected)

    def test_dicts_a_step_are_columns_of_their_features(self):
        steps = [
            [{"word": word, "tag": tag, "x": x} for word, tag, x in zip(*parts, strict=True)]
            for parts in zip(self.WORDS, self.TAGS, self.NUMBERS, strict=True)
        ]
        assert_array_equal(self.predicted(steps), self.predicted(self.dictionary()))

    def test_a_step_may_lack_features_or_have_new_ones(self):
        """A feature that is not there is 0, or an unknown string; one that training did not have is ignored."""
        steps = [[{"word": word, "x": 1.0} for word in words] for words in self.WORDS]
        model = self.fitted(steps)
        whole = model.predict_proba([[{"word": "Rome", "x": 0.0}, {"word": "?", "x": 1.0}]])[0]
        sparse = model.predict_proba([[{"word": "Rome", "new": True}, {"x": 1, "tags": {"a", "b"}}]])[0]
        assert_array_equal(sparse, whole)

    def test_a_search_over_aligned_sequences(self):
        X = AlignedSequences(self.dictionary())
        search = GridSearchCV(RNNSequenceTagger(**SMALL), {"embedding_dim": [2, 3]}, cv=3, error_score="raise")
        assert len(search.fit(X, np.array([*self.Y], dtype=object)).predict(X[:2])) == 2

    @pytest.mark.parametrize("estimator", [RNNClassifier, RNNRegressor])
    def test_one_output_a_sequence(self, estimator):
        y = [0, 1] * 6
        model = estimator(max_length=2, **SMALL).fit(self.dictionary(), y)
        short = {name: [part[:2] for part in column] for name, column in self.dictionary().items()}
        assert_array_equal(model.predict(self.dictionary()), model.predict(short))
        assert model.n_features_in_ == 3
        assert model.feature_names_in_.tolist() == ["word", "tag", "x"]

    def test_only_the_first_input_of_strings_has_characters(self):
        """Vectors of tags, of which there are few, are smaller than those of tokens."""
        characters = {"char_encoder": "cnn", "char_hidden_size": 5, "casing_features": False}
        model = RNNSequenceTagger(embedding_dim=6, **characters, **SMALL)
        inputs = model.fit(self.dictionary(), list(self.Y)).module_.inputs
        sizes = [tuple(embedding.weight.shape) for embedding in inputs.embeddings]
        assert sizes == [(7, 6), (5, 4)]
        assert inputs.output_size == 6 + 4 + 5 + 1


class TestParametersAfterAFit:
    def test_max_length_waits_for_the_next_fit(self):
        X, y = ragged(), np.arange(30) % 2
        model = RNNClassifier(**SMALL).fit(X, y)
        before = model.predict_proba(X)
        assert_array_equal(model.set_params(max_length=1).predict_proba(X), before)
        shortened = model.fit(X, y).predict_proba(X)
        assert_array_equal(shortened, model.predict_proba([x[:1] for x in X]))

    def test_ids_stay_ids(self):
        X, y = [[1, 2], [2, 3], [3, 4]] * 4, [0, 1, 0] * 4
        model = RNNClassifier(embedding_dim=3, **SMALL).fit(X, y)
        before = model.predict_proba(X)
        assert_array_equal(model.set_params(embedding_dim=None).predict_proba(X), before)


class TestCallbacks:
    def test_a_tuple_of_callbacks(self):
        model = RNNClassifier(callbacks=(EpochTimer(),), **SMALL).fit(ragged(), np.arange(30) % 2)
        assert [name for name, _ in model.net_.callbacks_].count("EpochTimer") == 1

    def test_what_cannot_be_copied_is_taken_as_it_is(self):
        scoring = EpochScoring(lambda net, X, y: 0.5, name="half", on_train=True)
        scoring.lock = threading.Lock()
        model = RNNClassifier(callbacks=[scoring], **SMALL).fit(ragged(), np.arange(30) % 2)
        assert {row["half"] for row in model.history_} == {0.5}
        assert dict(model.net_.callbacks_)["EpochScoring"].lock is scoring.lock


class TestInspection:
    def test_a_search_inside_a_pipeline(self):
        X, y = ragged(n_features=3), np.arange(30) % 2
        inner = make_pipeline(PerStep(PCA(2)), RNNClassifier(**SMALL))
        search = GridSearchCV(inner, {"rnnclassifier__hidden_size": [2]}, cv=2)
        model = make_pipeline(PerStep(StandardScaler()), search).fit(X, y)
        display = GradientFlowDisplay.from_estimator(model, X, y)
        assert len(display.ax_.lines) >= 1

    @pytest.mark.parametrize("percentiles", [(0.1,), (0.9, 0.1), (0.0, 2.0)])
    def test_percentiles_that_are_none(self, percentiles):
        X, y = ragged(n_features=2), np.arange(30.0)
        model = RNNRegressor(**SMALL).fit(X, y)
        with pytest.raises(ValueError, match="must be two numbers in"):
            sequence_partial_dependence(model, X, 0, percentiles=percentiles, grid_resolution=5)
