"""A tokenizer in Pipelines, searches and frames."""

from itertools import pairwise

import numpy as np
import pandas as pd
from documents import REVIEWS
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags

from sklearn_rnn import RNNClassifier, SequenceTokenizer
from sklearn_rnn.data.tokens import UNKNOWN, TokenSequences


def classifier(**params):
    return RNNClassifier(hidden_size=3, max_epochs=1, random_state=0, **params)


def labelled_reviews():
    documents = np.array([f"{word} number{i} film" for i, word in enumerate(["good", "bad"] * 6)], dtype=object)
    return documents, np.array(["pos", "neg"] * 6)


def test_a_fold_learns_from_its_own_documents_alone():
    X, y = labelled_reviews()
    folds = KFold(3, shuffle=True, random_state=0)
    model = make_pipeline(SequenceTokenizer(), classifier())
    results = cross_validate(model, X, y, cv=folds, return_estimator=True, error_score="raise")
    for fitted, (train, test) in zip(results["estimator"], folds.split(X), strict=True):
        words = {word for text in X[train] for word in text.split()}
        assert set(fitted[0].vocabulary_) == words
        numbers = fitted[0].transform(X[test]).values[1::3]
        assert set(numbers) == {UNKNOWN}


def test_a_search_over_the_vocabulary():
    X, y = labelled_reviews()
    grid = {"sequencetokenizer__min_df": [1, 2], "sequencetokenizer__max_features": [None, 2]}
    search = GridSearchCV(make_pipeline(SequenceTokenizer(), classifier()), grid, cv=2, error_score="raise")
    search.fit(list(X), y)
    assert len(search.cv_results_["params"]) == 4
    assert search.predict(["good film", ""]).shape == (2,)


def test_text_in_a_frame_with_other_columns():
    X, y = labelled_reviews()
    frame = pd.DataFrame({"n": np.arange(len(X)), "text": X})
    pick = ColumnTransformer([("text", "passthrough", ["text"])])
    expected = make_pipeline(SequenceTokenizer(), classifier()).fit(X, y).predict_proba(X)
    for output in ("default", "pandas", "polars"):
        model = make_pipeline(clone(pick), SequenceTokenizer(), classifier()).set_output(transform=output)
        np.testing.assert_array_equal(model.fit(frame, y).predict_proba(frame), expected)


def test_the_output_is_never_a_frame():
    with config_context(transform_output="pandas"):
        assert isinstance(SequenceTokenizer().set_output(transform="pandas").fit_transform(REVIEWS), TokenSequences)


def test_tags():
    tags = get_tags(SequenceTokenizer())
    assert tags.input_tags.string
    assert not tags.input_tags.two_d_array
    assert tags.requires_fit
    assert not hasattr(SequenceTokenizer().fit(REVIEWS), "n_features_in_")


def test_equal_tokens_are_one_object():
    values = SequenceTokenizer().fit_transform(["So so"] * 3).values
    assert all(one is other for one, other in pairwise(values))
