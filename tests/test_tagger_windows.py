"""Windows over long sequences, and validation scores beside those of ``score``."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from samples import emissions_of, small, weights
from skorch.callbacks import Callback
from tag_noise import CASES, fit, noise, write

from sklearn_rnn import RNNSequenceTagger, Sequences
from sklearn_rnn.data.tag_schemes import violations
from sklearn_rnn.exceptions import BrokenTagsWarning, UnseenLabelsWarning


@pytest.mark.parametrize(("max_length", "stride"), [(4, 1), (4, 3), (5, 5)])
@pytest.mark.parametrize("train_scheme", [None, "BIOES"])
def test_emissions_come_from_the_window_in_which_a_step_is_deepest(max_length, stride, train_scheme):
    X, y = noise(30, "IOB2", longest=13)
    model = fit(X, y, max_length=max_length, stride=stride, train_scheme=train_scheme)
    for x in X:
        best = [(-1, None)] * len(x)
        for start in sorted({min(s, max(0, len(x) - max_length)) for s in range(0, len(x), stride)}):
            part = x[start : start + max_length]
            for t, row in enumerate(emissions_of(model, [part]).values):
                depth = min(t, len(part) - 1 - t)
                if depth > best[start + t][0]:
                    best[start + t] = (depth, row)
        assert_allclose(emissions_of(model, [x]).values, [row for _, row in best], atol=1e-9)


@pytest.mark.parametrize("scheme", ["IOB1", "IOB2", "BIOES", "BILOU"])
@pytest.mark.parametrize("parameters", [{}, {"stride": 1}, {"stride": 3}, {"truncate": "head"}])
def test_cuts_through_spans_break_no_tags(scheme, parameters):
    """Warnings are errors here: none may come of tags that were valid before they were cut."""
    X, y = noise(40, scheme, kinds="xy", longest=12)
    X.append(np.zeros((9, 2)))
    y.append(write(9, [(0, 1, "head"), (2, 7, "x"), (8, 9, "tail")], scheme))
    model = fit(X, y, max_length=3, max_epochs=1, **parameters)
    assert model.tag_scheme_ == scheme
    assert set(model.classes_) == {tag for tags in y for tag in tags}
    assert np.isneginf(model.transitions_.to_numpy()).any()
    values = np.array([tag for tags in model.predict(X) for tag in tags], dtype=object)
    assert len(violations(Sequences(values, np.cumsum([0, *map(len, X)])), scheme)) == 0


class Seen(Callback):
    """The first value of the first step of each sequence in training and in validation, and the sizes of batches.

    A fit works on a copy, which shares what is held here.
    """

    def __init__(self):
        self.documents = {True: set(), False: set()}
        self.n_windows = {True: [], False: []}

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        first = batch.values[:, 0, 0].tolist()
        self.documents[training] |= set(first)
        self.n_windows[training].append(len(first))


def test_windows_of_a_document_stay_on_one_side_of_the_split():
    X, y = noise(20, "IOB2", longest=12)
    X = [np.column_stack([np.full(len(x), float(i)), x]) for i, x in enumerate(X)]
    seen = Seen()
    options = {"early_stopping": True, "validation_fraction": 0.3, "batch_size": 200, "callbacks": [seen]}
    model = fit(X, y, max_length=4, stride=2, standardize=False, **options)
    trained, held_out = seen.documents[True], seen.documents[False]
    assert trained.isdisjoint(held_out)
    assert (len(trained), len(held_out)) == (14, 6)
    assert max(seen.n_windows[True]) == sum(1 + max(0, -(-(len(X[int(i)]) - 4) // 2)) for i in trained)
    assert len(model.validation_scores_) == model.n_iter_


@pytest.mark.parametrize("case", ["crf", "free crf", "softmax", "IOB2 as BIOES", "IOB1 as BIOES", "BIOES"])
@pytest.mark.parametrize("scoring", ["accuracy", "span_f1"])
def test_validation_scores_are_those_of_score(case, scoring):
    scheme, parameters = CASES[case]
    X, y = noise(60, scheme, kinds="xy", signal=2)
    X_val, y_val = noise(40, scheme, kinds="xy", seed=3, signal=2)
    weight = np.arange(40) % 3
    model = small(RNNSequenceTagger, scoring=scoring, max_epochs=6, learning_rate=0.1, **parameters)
    model.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=weight)
    assert len(set(model.validation_scores_)) > 1
    assert model.validation_scores_[-1] == pytest.approx(model.score(X_val, y_val, weight))


@pytest.mark.parametrize("case", ["crf", "free crf", "softmax", "IOB2 as BIOES"])
def test_validation_scores_count_new_labels_and_broken_tags_as_score_does(case):
    X, y = noise(60, "IOB2", kinds="xy")
    X_val, y_val = noise(40, "IOB2", kinds="xy", seed=3)
    y_val = [["I-x", *tags[1:]] if i % 3 == 0 else tags for i, tags in enumerate(y_val)]
    y_val = [[*tags[:-1], "B-new"] if i % 4 == 0 else tags for i, tags in enumerate(y_val)]
    y_val = [[*tags[:-1], "?"] if i % 5 == 0 else tags for i, tags in enumerate(y_val)]
    model = small(RNNSequenceTagger, ignore_label="?", max_epochs=6, learning_rate=0.1, **CASES[case][1])
    with pytest.warns(UnseenLabelsWarning, match="'B-new'"):
        model.fit(X, y, X_val=X_val, y_val=y_val)
    with pytest.warns(UnseenLabelsWarning):
        assert model.validation_scores_[-1] == pytest.approx(model.score(X_val, y_val))


def test_broken_tags_are_counted_and_mended():
    X, y = noise(60, "IOB2", kinds="xy")
    broken, n_broken = [], 0
    for tags in y:
        first_is_inside = tags[0] == "B-x" and n_broken < 3
        n_broken += first_is_inside
        broken.append(["I-x", *tags[1:]] if first_is_inside else tags)
    with pytest.warns(BrokenTagsWarning, match=r"^3 tag\(s\) of y break the scheme IOB2"):
        model = fit(X, broken)
    assert_array_equal(weights(model), weights(fit(X, y)))
