"""What the parameters of the tagger do that concern its labels and their order."""

import itertools

import numpy as np
import pytest
from samples import outputs, ragged, small, weights
from scipy.special import logsumexp
from test_parameters import fit, shows

from sklearn_rnn import RNNSequenceTagger
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.tag_schemes import violations

tagger_shows = {"of": [RNNSequenceTagger]}


def spans(X):
    """IOB2 tags: runs of steps with a positive first feature, of kind x or y."""
    tags = []
    for x in X:
        inside = [f"-{'x' if step[1] > 0 else 'y'}" if step[0] > 0 else "O" for step in x]
        pairs = itertools.pairwise(["O", *inside])
        tags.append(["O" if now == "O" else ("I" if now == before else "B") + now for before, now in pairs])
    return tags


X = ragged(40)
SPANS = spans(X)
PARITY = [(np.cumsum(x[:, 0] > 0) % 2).tolist() for x in X]
FREE = {"constrain_transitions": False, "tag_scheme": None}


def log_probabilities(model, x):
    """That of each label sequence for one sequence of steps."""
    paths = list(itertools.product(model.classes_.tolist(), repeat=len(x)))
    return paths, model.predict_log_proba_of([x] * len(paths), [list(path) for path in paths])


@shows("decoder", **tagger_shows)
def test_decoder_joins_labels_or_leaves_them_free(estimator):
    options = {"max_epochs": 8, "learning_rate": 0.05}
    crf, softmax = (fit(estimator, (X, PARITY), decoder=decoder, **options) for decoder in ("crf", "softmax"))
    assert crf.module_.head.chain.learned
    assert np.abs(crf.transitions_.to_numpy()[:-1, :-1]).max() > 1e-3
    table = softmax.transitions_.to_numpy()
    assert (table[:-1] == 0).all()
    for x in X[:4]:
        for model in (crf, softmax):
            paths, scores = log_probabilities(model, x)
            assert logsumexp(scores) == pytest.approx(0, abs=1e-9)
            assert model.predict([x])[0] == list(paths[np.argmax(scores)])
        proba = np.log(softmax.predict_proba([x])[0])
        by_step = [sum(proba[t, label] for t, label in enumerate(path)) for path in paths]
        np.testing.assert_allclose(scores, by_step, atol=1e-9)


@shows("tag_scheme", **tagger_shows)
def test_tag_scheme_is_found_named_or_none(estimator):
    merged = [[tag.replace("B", "I") for tag in tags] for tags in SPANS]  # no two spans of one kind touch
    for y, scheme in ((SPANS, "IOB2"), (merged, "IOB1"), (PARITY, None)):
        found, named = fit(estimator, (X, y)), fit(estimator, (X, y), tag_scheme=scheme)
        assert found.tag_scheme_ == named.tag_scheme_ == scheme
        np.testing.assert_array_equal(weights(found), weights(named))
        if scheme:
            assert np.isneginf(found.transitions_.loc["O", "I-x"]) == (scheme == "IOB2")
            free = fit(estimator, (X, y), tag_scheme=None)
            assert free.tag_scheme_ is None
            assert np.isfinite(free.transitions_.loc["O", "I-x"])
    with pytest.raises(ValueError, match=r"which is no tag of tag_scheme='BIOES'|break"):
        fit(estimator, ([x[:2] for x in X], [["B", "L"]] * 40), tag_scheme="BIOES")


@shows("train_scheme", **tagger_shows)
@pytest.mark.parametrize("train_scheme", ["BIOES", "BILOU"])
def test_train_scheme_is_that_of_the_decoder_alone(estimator, train_scheme):
    model = fit(estimator, (X, SPANS), train_scheme=train_scheme, max_epochs=20, learning_rate=0.05)
    labels = {f"{prefix}-{kind}" for prefix in train_scheme.replace("O", "") for kind in "xy"} | {"O"}
    assert set(model.transitions_.columns) - {"<end>"} == labels
    assert model.module_.head.linear.out_features == 9
    assert model.classes_.tolist() == ["B-x", "B-y", "I-x", "I-y", "O"]
    predicted = {tag for tags in model.predict(X) for tag in tags}
    assert predicted <= set(model.classes_.tolist())
    assert model.score(X, SPANS) > 0.6
    assert [p.shape[1] for p in model.predict_proba(X[:2])] == [5, 5]


@shows("constrain_transitions", **tagger_shows)
@pytest.mark.parametrize("decoder", ["crf", "softmax"])
def test_constrain_transitions_allows_only_what_the_scheme_does(estimator, decoder):
    held, free = (
        fit(estimator, (X, SPANS), decoder=decoder, constrain_transitions=c, max_epochs=1) for c in (True, False)
    )
    longer = ragged(60, seed=1, longest=20)
    lengths = [len(x) for x in longer]

    def broken(model):
        tags = np.array([tag for tags in model.predict(longer) for tag in tags], dtype=object)
        return len(violations(Sequences(tags, np.concatenate([[0], np.cumsum(lengths)])), "IOB2"))

    assert broken(held) == 0
    assert broken(free) > 0
    assert held.predict_log_proba_of([X[0]], [["I-x"] * len(X[0])])[0] == -np.inf
    assert free.predict_log_proba_of([X[0]], [["I-x"] * len(X[0])])[0] > -np.inf


def windows(items, max_length, stride):
    """Each item cut into windows, the last of which ends where the item ends."""
    cut = []
    for item in items:
        starts = [0]
        while starts[-1] + max_length < len(item):
            starts.append(min(starts[-1] + stride, len(item) - max_length))
        cut.append([(start, item[start : start + max_length]) for start in starts])
    return cut


@shows("stride", **tagger_shows)
@pytest.mark.parametrize(("max_length", "stride"), [(4, 2), (4, 4), (5, 1)])
def test_stride_trains_on_windows_and_predicts_from_them(estimator, max_length, stride):
    """Steps are predicted from the window in which they are farthest from an end, the first of several."""
    options = {"max_epochs": 4, "decoder": "softmax", "standardize": False, **FREE}
    model = fit(estimator, (X, SPANS), max_length=max_length, stride=stride, **options)
    pieces, tags = ([part for item in windows(data, max_length, stride) for _, part in item] for data in (X, SPANS))
    assert len(pieces) > len(X)
    by_hand = fit(estimator, (pieces, tags), **options)
    np.testing.assert_allclose(weights(model), weights(by_hand), atol=1e-6)
    for x, cut in zip(X[:8], windows(X[:8], max_length, stride), strict=True):
        expected = np.empty((len(x), 5))
        depth = np.full(len(x), -1)
        for start, part in cut:
            probabilities = by_hand.predict_proba([part])[0]
            for t in range(len(part)):
                if min(t, len(part) - 1 - t) > depth[start + t]:
                    depth[start + t] = min(t, len(part) - 1 - t)
                    expected[start + t] = probabilities[t]
        np.testing.assert_allclose(model.predict_proba([x])[0], expected, atol=1e-5)


@shows("stride", **tagger_shows)
def test_stride_of_sequences_that_are_short_enough_does_nothing(estimator):
    model = fit(estimator, (X, SPANS), max_length=7, stride=3)
    np.testing.assert_array_equal(weights(model), weights(fit(estimator, (X, SPANS), max_length=7)))
    np.testing.assert_array_equal(outputs(model, X), outputs(fit(estimator, (X, SPANS)), X))


@pytest.mark.parametrize("parameters", [{"stride": 3}, {"stride": 5, "max_length": 4}])
def test_stride_goes_with_a_max_length_of_as_much(parameters):
    with pytest.raises(ValueError, match=r"stride=\d needs a max_length of at least as much, got (None|4)"):
        small(RNNSequenceTagger, **parameters).fit(X, SPANS)


@pytest.mark.parametrize(
    ("parameters", "y", "message"),
    [
        ({"train_scheme": "BIOES", "constrain_transitions": False}, SPANS, r"needs constrain_transitions=True"),
        ({"train_scheme": "BIOES"}, PARITY, r"train_scheme='BIOES' needs tags of a scheme"),
        ({"train_scheme": "BIOES", "tag_scheme": None}, SPANS, r"train_scheme='BIOES' needs tags of a scheme"),
        ({"tag_scheme": "IOB2"}, PARITY, r"y\[0\]\[0\] is .*[01].*, which is no tag of tag_scheme='IOB2'"),
    ],
)
def test_schemes_that_do_not_fit_are_refused(parameters, y, message):
    with pytest.raises(ValueError, match=message):
        small(RNNSequenceTagger, **parameters).fit(X, y)
