"""Mistakes of a first hour: one thing is wrong in what the README shows, and the message says what to do about it."""

import re

import numpy as np
import pytest
from samples import small
from sklearn.datasets import load_digits
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_rnn import (
    PerStep,
    RNNClassifier,
    RNNRegressor,
    RNNSequenceTagger,
    SequenceBaggingClassifier,
    SequenceBaggingRegressor,
    SequenceTokenizer,
    stream,
)
from sklearn_rnn.exceptions import SequenceDataWarning

DIGITS = load_digits()
IMAGES, DIGIT = DIGITS.images[:40] / 16, DIGITS.target[:40]
TOKENS = [["fly", "to", "New", "York"], ["from", "Oslo", "to", "Rome"], ["Rome"]] * 2
TAGS = [["O", "O", "B-city", "I-city"], ["O", "B-city", "O", "B-city"], ["B-city"]] * 2
DOCUMENTS = ["The oak fell.", "It was good."] * 5
POLARITY = ["bad", "good"] * 5


def classifier(**parameters):
    return small(RNNClassifier, max_epochs=1, **parameters)


MISTAKES = {
    "an axis too many": (lambda: classifier().fit(IMAGES[..., None], DIGIT), r"4 dimension.*X.reshape\(40, 8, -1\)"),
    "the class, not an instance": (
        lambda: RNNClassifier.fit(IMAGES, DIGIT),
        r"fit is called on an instance: RNNClassifier\(\).fit\(X, y\)",
    ),
    "a transformer without brackets": (
        lambda: make_pipeline(PerStep(StandardScaler), classifier()).fit(IMAGES, DIGIT),
        r"estimator instance|instance of scikit-learn estimator",
    ),
    "Keras in the constructor": (
        lambda: RNNClassifier(units=32, epochs=10),
        r"(?s)'units'. Did you mean 'hidden_size'\?.*'epochs'. Did you mean 'max_epochs'\?",
    ),
    "Keras in fit": (
        lambda: classifier().fit(IMAGES, DIGIT, epochs=10),
        r"'epochs'. Parameters are set where it is made: RNNClassifier\(max_epochs=...\)",
    ),
    "validation data as Keras has them": (
        lambda: classifier().fit(IMAGES, DIGIT, validation_data=(IMAGES, DIGIT)),
        r"Did you mean 'X_val'\?",
    ),
    "torch in the constructor": (
        lambda: RNNClassifier(input_size=8, hidden_size=3, batch_first=True),
        r"(?s)'input_size': it is learned.*'batch_first': it is learned",
    ),
    "a class of torch": (
        lambda: classifier(cell_type="LSTM", optimizer="Adam").fit(IMAGES, DIGIT),
        r"Got 'LSTM' instead. Did you mean 'lstm'\?",
    ),
    "a parameter without its step": (
        lambda: GridSearchCV(classifier(), {"rnnclassifier__hidden_size": [3]}, cv=2).fit(IMAGES, DIGIT),
        r"'rnnclassifier__hidden_size' for estimator RNNClassifier. Did you mean 'hidden_size'\?",
    ),
    "a misspelt grid": (
        lambda: GridSearchCV(
            make_pipeline(PerStep(StandardScaler()), classifier()), {"rnnclassifier__hidden_sizes": [3]}, cv=2
        ).fit(IMAGES, DIGIT),
        r"Invalid parameter 'hidden_sizes' for estimator RNNClassifier. Did you mean 'hidden_size'\?",
    ),
    "one image": (lambda: classifier().fit(IMAGES, DIGIT).predict(IMAGES[0]), r"one sequence of 8 step.*give it \[X\]"),
    "one image, scaled": (
        lambda: make_pipeline(PerStep(StandardScaler()), classifier()).fit(IMAGES, DIGIT).predict(IMAGES[0]),
        r"one sequence of 8 step.*give it \[X\]",
    ),
    "one sentence": (
        lambda: small(RNNSequenceTagger).fit(TOKENS, TAGS).predict_entities(["to", "Oslo"]),
        r"one sequence of 2 step.*give it \[X\]",
    ),
    "one sentence as a string": (
        lambda: small(RNNSequenceTagger).fit(TOKENS, TAGS).predict("to Oslo"),
        r"One document is \[X.split\(\)\]",
    ),
    "one document": (
        lambda: make_pipeline(SequenceTokenizer(), classifier()).fit(DOCUMENTS, POLARITY).predict("It fell."),
        r"one document is \[raw_documents\]",
    ),
    "no tokenizer": (lambda: classifier().fit(DOCUMENTS, POLARITY), r"raw document 'The oak fell.'.*SequenceTokenizer"),
    "counts of words": (
        lambda: make_pipeline(CountVectorizer(), classifier()).fit(DOCUMENTS, POLARITY),
        r"SequenceTokenizer\(\) takes the place of CountVectorizer",
    ),
    "weights of words": (
        lambda: make_pipeline(TfidfVectorizer(), classifier()).fit(DOCUMENTS, POLARITY),
        r"SequenceTokenizer\(\) takes the place of CountVectorizer and TfidfVectorizer",
    ),
    "a tokenizer before tokens": (
        lambda: make_pipeline(SequenceTokenizer(), classifier()).fit(TOKENS, list("ababab")),
        r"already need no SequenceTokenizer",
    ),
    "a classifier for tags": (lambda: classifier().fit(TOKENS, TAGS), r"RNNSequenceTagger's work"),
    "a tagger for classes": (
        lambda: small(RNNSequenceTagger).fit(TOKENS, list("ababab")),
        r"RNNClassifier learns one label for each sequence",
    ),
    "a regressor for classes": (
        lambda: small(RNNRegressor).fit(TOKENS, list("ababab")),
        r"RNNClassifier",
    ),
    "a classifier for numbers": (lambda: classifier().fit(IMAGES, DIGIT / 3), r"regression target"),
    "a whole sequence for a stream": (
        lambda: stream(classifier(bidirectional=False).fit(IMAGES, DIGIT)).update(IMAGES[0]),
        r"for step in sequence: stream.update\(step\)",
    ),
    "a bag of taggers": (
        lambda: SequenceBaggingClassifier(small(RNNSequenceTagger)).fit(TOKENS, TAGS),
        r"is no classifier: .* taggers into no bagging",
    ),
    "a bag of others": (
        lambda: SequenceBaggingClassifier(make_pipeline(small(RNNRegressor))).fit(IMAGES, DIGIT),
        r"is no classifier: regressors go into SequenceBaggingRegressor",
    ),
    "a bag of classifiers for numbers": (
        lambda: SequenceBaggingRegressor(classifier()).fit(IMAGES, DIGIT),
        r"is no regressor: classifiers go into SequenceBaggingClassifier",
    ),
    "one series": (
        lambda: small(RNNRegressor).fit(np.arange(50.0), np.arange(50.0)),
        r"sliding_window_view\(X, n_steps\)",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_explained(mistake):
    make, message = MISTAKES[mistake]
    with pytest.raises((TypeError, ValueError)) as refused:
        make()
    assert re.search(message, str(refused.value), re.DOTALL), str(refused.value)
    assert len(str(refused.value)) < 600


def test_one_hot_classes_are_hardly_meant_as_sets_of_labels():
    with pytest.warns(SequenceDataWarning, match=r"40 rows of y holds one 1.*y.argmax\(axis=1\)"):
        classifier().fit(IMAGES, np.eye(10)[DIGIT])


@pytest.mark.parametrize("sets", [np.eye(10)[DIGIT] + np.eye(10)[0] > 0, np.eye(10)[DIGIT] * (DIGIT > 0)[:, None]])
def test_sets_of_labels_are_taken_in_silence(sets):
    assert classifier().fit(IMAGES, sets.astype(int)).target_kind_ == "multilabel"
