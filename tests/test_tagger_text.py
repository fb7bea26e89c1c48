"""The tagger on text: its formats, its tags, and scikit-learn's tools around it."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from samples import outputs, small, weights
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import Pipeline

from sklearn_rnn import AlignedSequences, RNNSequenceTagger, Sequences, SequenceTokenizer
from sklearn_rnn.exceptions import BrokenTagsWarning, SequenceDataError
from sklearn_rnn.metrics import span_f1_scorer

TOKENS = [["fly", "to", "New", "York"], ["from", "Rome", "to", "Oslo"], ["Rome"], ["to", "New", "York"]] * 5
POS = [[("v" if t == "fly" else "n" if t.istitle() else "p") for t in x] for x in TOKENS]
SIZES = [[[float(len(t)), float(t.istitle())] for t in x] for x in TOKENS]
TAGS = [["O", "O", "B-city", "I-city"], ["O", "B-city", "O", "B-city"], ["B-city"], ["O", "B-city", "I-city"]] * 5
LEARNS = {"hidden_size": 8, "max_epochs": 30, "learning_rate": 0.03}
COLUMNS = {"token": TOKENS, "pos": POS}


def fit(X=TOKENS, y=TAGS, **parameters):
    return small(RNNSequenceTagger, **parameters).fit(X, y)


CONTAINERS = {
    "dict": lambda: COLUMNS,
    "aligned": lambda: AlignedSequences(COLUMNS),
    "frame": lambda: pd.DataFrame(COLUMNS),
    "feature dicts": lambda: [
        [{"token": t, "pos": p} for t, p in zip(*x, strict=True)] for x in zip(TOKENS, POS, strict=True)
    ],
}


@pytest.mark.parametrize("make", CONTAINERS.values(), ids=CONTAINERS)
def test_several_inputs_in_any_container_make_the_same_model(make):
    X = make()
    model, plain = fit(X), fit(AlignedSequences(COLUMNS))
    assert_array_equal(weights(model), weights(plain))
    assert_array_equal(outputs(model, X), outputs(plain, COLUMNS))
    assert [len(tags) for tags in model.predict(X)] == [len(x) for x in TOKENS]
    assert model.feature_names_in_.tolist() == ["token", "pos"]


def test_each_input_is_read():
    model = fit({**COLUMNS, "size": SIZES}, **LEARNS)
    one = {name: part[:1] for name, part in {**COLUMNS, "size": SIZES}.items()}
    others = {"token": [["fly", "to", "Rome", "York"]], "pos": [["p"] * 4], "size": [[[9.0, 1.0]] * 4]}
    assert model.score({**COLUMNS, "size": SIZES}, TAGS) == 1.0
    for name, part in others.items():
        assert not np.array_equal(outputs(model, {**one, name: part}), outputs(model, one))


def test_numbers_and_strings_of_feature_dicts():
    X = [[{"token": t, "length": len(t), "shape": {"title": t.istitle()}} for t in x] for x in TOKENS]
    columns = {"token": TOKENS, "<numbers>": [np.array(x) for x in SIZES]}
    model = fit(X)
    assert_array_equal(weights(model), weights(fit(columns)))
    assert_array_equal(outputs(model, X), outputs(fit(columns), columns))


def test_a_pipeline_from_documents():
    documents = [" ".join(x) for x in TOKENS]
    tokenizer = SequenceTokenizer(analyzer="whitespace", lowercase=False)
    pipe = Pipeline([("split", tokenizer), ("tag", small(RNNSequenceTagger, **LEARNS))]).fit(documents, TAGS)
    assert pipe.score(documents, TAGS) == 1.0
    assert_array_equal(weights(pipe["tag"]), weights(fit(**LEARNS)))
    assert (
        pipe.predict(["to Rome", "New York"]).tolist()
        == fit(**LEARNS).predict([["to", "Rome"], ["New", "York"]]).tolist()
    )


def test_a_grid_search_finds_and_refits():
    grid = {"decoder": ["crf", "softmax"], "train_scheme": [None, "BIOES"], "char_encoder": [None, "cnn"]}
    search = GridSearchCV(
        small(RNNSequenceTagger, learning_rate=0.03, max_epochs=3),
        grid,
        scoring=span_f1_scorer,
        cv=2,
        error_score="raise",
    ).fit(TOKENS, TAGS)
    scores = search.cv_results_["mean_test_score"]
    assert scores.shape == (8,)
    assert len(set(scores)) > 1
    assert search.best_score_ == scores.max()
    by_hand = fit(learning_rate=0.03, max_epochs=3, **search.best_params_)
    assert_array_equal(weights(search.best_estimator_), weights(by_hand))


def test_cross_validation_scores_each_fold_on_what_was_held_out():
    model, X = small(RNNSequenceTagger, scoring="span_f1", **LEARNS), AlignedSequences(COLUMNS)
    folds = [(np.arange(0, 10), np.arange(10, 20)), (np.arange(10, 20), np.arange(0, 3))]
    scoring = {"f1": span_f1_scorer, "own": lambda fitted, X, y: fitted.score(X, y)}
    result = cross_validate(model, X, TAGS, scoring=scoring, cv=folds, error_score="raise")
    by_hand = [clone(model).fit(X[a], [TAGS[i] for i in a]).score(X[b], [TAGS[i] for i in b]) for a, b in folds]
    assert_array_equal(result["test_own"], by_hand)
    assert result["test_f1"] == pytest.approx(by_hand)


@pytest.mark.parametrize(
    "parameters", [{"train_scheme": "BIOES"}, {"max_length": 3, "stride": 2}, {"decoder": "softmax"}]
)
def test_copies_are_what_they_are_copies_of(parameters):
    model = fit(COLUMNS, char_encoder="lstm", casing_features=True, **parameters)
    restored = pickle.loads(pickle.dumps(model))
    assert_array_equal(outputs(restored, COLUMNS), outputs(model, COLUMNS))
    assert restored.predict_nbest(COLUMNS).tolist() == model.predict_nbest(COLUMNS).tolist()
    assert restored.transitions_.equals(model.transitions_)
    fresh = clone(model)
    assert not hasattr(fresh, "codec_")
    assert fresh.get_params() == model.get_params()
    assert_array_equal(weights(fresh.fit(COLUMNS, TAGS)), weights(model))


def test_partial_fit_meets_tags_later():
    model = small(RNNSequenceTagger, learning_rate=0.03, hidden_size=8)
    first = [["O"] * len(x) for x in TOKENS]
    model.partial_fit(TOKENS, first, classes=["O", "B-city", "I-city"])
    assert model.classes_.tolist() == ["B-city", "I-city", "O"]
    assert model.tag_scheme_ == "IOB2"
    assert np.isneginf(model.transitions_.loc["O", "I-city"])
    for _ in range(40):
        model.partial_fit(TOKENS, TAGS)
    assert model.score(TOKENS, TAGS) == 1.0
    with pytest.raises(ValueError, match=r"classes=\['O'\] differs from the classes of the first call"):
        model.partial_fit(TOKENS, TAGS, classes=["O"])
    with pytest.raises(ValueError, match=r"B-person"):
        model.partial_fit([["Ann"]], [["B-person"]])


def test_parameters_set_after_the_fit_hold_for_the_next_one():
    model = fit()
    model.set_params(train_scheme="BILOU", decoder="softmax").fit(TOKENS, TAGS)
    assert_array_equal(weights(model), weights(fit(train_scheme="BILOU", decoder="softmax")))
    assert {"U-city", "L-city"} <= set(model.transitions_.columns)


@pytest.mark.parametrize(
    ("y", "scheme"),
    [
        (TAGS, "IOB2"),
        ([[tag.replace("B-", "I-") for tag in tags] for tags in TAGS], "IOB1"),
        ([["O", "O", "B-c", "E-c"], ["O", "S-c", "O", "S-c"], ["S-c"], ["O", "B-c", "E-c"]] * 5, "BIOES"),
        ([["O", "O", "B-c", "L-c"], ["O", "U-c", "O", "U-c"], ["U-c"], ["O", "B-c", "L-c"]] * 5, "BILOU"),
        ([["O", "O", "B", "I"], ["O", "B", "O", "B"], ["B"], ["O", "B", "I"]] * 5, "IOB2"),
        (POS, None),
        ([[len(t) for t in x] for x in TOKENS], None),
        ([[t.istitle() for t in x] for x in TOKENS], None),
        ([["O"] * len(x) for x in TOKENS], None),
    ],
    ids=["IOB2", "IOB1", "BIOES", "BILOU", "no kinds", "pos", "ints", "bools", "outside"],
)
def test_schemes_are_recognised(y, scheme):
    model = fit(y=y)
    assert model.tag_scheme_ == scheme
    assert np.isneginf(model.transitions_.to_numpy()[:-1, :-1]).any() == (scheme not in (None, "IOB1"))
    assert model.classes_.tolist() == sorted({tag for tags in y for tag in tags} | ({"O"} if scheme else set()))
    assert {type(tag) for tags in model.predict(TOKENS) for tag in tags} == {type(y[0][0])}


NAN = float("nan")


@pytest.mark.parametrize(
    ("X", "y", "parameters", "message"),
    [
        (
            TOKENS,
            [*TAGS[:-1], ["O", "B-city", "E-city"]],
            {"tag_scheme": "IOB2"},
            r"y\[19\]\[2\] is 'E-city', which is no",
        ),
        (TOKENS, POS, {"tag_scheme": "IOB2"}, r"y\[0\]\[0\] is 'v', which is no tag of tag_scheme='IOB2'"),
        (TOKENS, POS, {"train_scheme": "BIOES"}, r"train_scheme='BIOES' needs tags of a scheme"),
        (TOKENS, TAGS, {"stride": 2}, r"stride=2 needs a max_length of at least as much, got None"),
        (TOKENS, TAGS, {"stride": 4, "max_length": 3}, r"stride=4 needs a max_length of at least as much, got 3"),
        (TOKENS, POS, {"scoring": "span_f1"}, r"scoring='span_f1' needs labels that mark spans .* scoring='accuracy'"),
        ([" ".join(x) for x in TOKENS], TAGS, {}, r"SequenceTokenizer"),
        (pd.DataFrame({"text": [" ".join(x) for x in TOKENS]}), TAGS, {}, r"SequenceTokenizer"),
        (pd.Series([" ".join(x) for x in TOKENS]), TAGS, {}, r"SequenceTokenizer"),
        ([[NAN, "to", "New", "York"], *TOKENS[1:]], TAGS, {}, r"(?i)X\[0\].*nan|nan.*X\[0\]"),
        ({"token": TOKENS, "pos": POS[:-1]}, TAGS, {}, r"X\['token'\] has 20, X\['pos'\] has 19"),
        ({"token": TOKENS, "pos": [["n"], *POS[1:]]}, TAGS, {}, r"length of sequence 0: .* 4 steps, .* has 1"),
        (TOKENS, [["O"], *TAGS[1:]], {}, r"y\[0\] has 1 labels, but X\[0\] has 4 steps"),
        (TOKENS, [["?"] * len(x) for x in TOKENS], {"ignore_label": "?"}, r"y holds no label: .* ignore_label='\?'"),
    ],
)
def test_errors_say_what_is_wanted(X, y, parameters, message):
    with pytest.raises(ValueError, match=message) as raised:
        fit(X, y, **parameters)
    if not {"train_scheme", "stride", "scoring", "ignore_label"} & set(parameters):
        assert isinstance(raised.value, SequenceDataError)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (TOKENS[:2], r"wanted those of fit: .*'token', 'pos'|inputs"),
        ({"token": TOKENS[:2]}, r"'pos'"),
    ],
)
def test_predictions_need_the_inputs_of_fit(X, message):
    with pytest.raises(ValueError, match=message):
        fit(COLUMNS).predict(X)


def conlleval_repairs(tags):
    """IOB2 tags in which an I- that goes on with nothing opens a span, and how many there were."""
    repaired, n, before = [], 0, "O"
    for tag in tags:
        if tag[0] == "I" and before[1:] != tag[1:]:
            tag, n = "B" + tag[1:], n + 1
        repaired.append(tag)
        before = tag
    return repaired, n


@pytest.mark.parametrize("train_scheme", [None, "BIOES"])
@pytest.mark.parametrize("share", [0.05, 0.5])
def test_broken_tags_are_counted_and_mended(train_scheme, share):
    rng = np.random.default_rng(0)
    y = [["I-" + tag[2:] if tag[0] == "B" and rng.random() < share else tag for tag in tags] for tags in TAGS]
    mended, counts = zip(*map(conlleval_repairs, y), strict=True)
    assert sum(counts) > 0
    options = {"tag_scheme": "IOB2", "train_scheme": train_scheme}
    with pytest.warns(BrokenTagsWarning, match=rf"^{sum(counts)} tag\(s\) of y break the scheme IOB2"):
        model = fit(y=y, **options)
    assert_array_equal(weights(model), weights(fit(y=list(mended), **options)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(y=y, tag_scheme=None)
        fit(y=y, tag_scheme="IOB2", constrain_transitions=False)


def test_tags_that_break_every_scheme_too_often_are_learned_as_they_are():
    y = [["I-city" if i % 4 == 1 and tag == "B-city" else tag for tag in tags] for i, tags in enumerate(TAGS)]
    with pytest.warns(BrokenTagsWarning, match=r"look like tags of the scheme IOB2.*tag_scheme='IOB2'"):
        model = fit(y=y)
    assert model.tag_scheme_ is None
    assert_array_equal(weights(model), weights(fit(y=y, tag_scheme=None)))


def test_tokens_in_a_container_of_their_own_are_lists_of_tokens():
    X = Sequences(np.array([t for x in TOKENS for t in x], dtype=object), np.cumsum([0, *map(len, TOKENS)]))
    assert_array_equal(weights(fit(X)), weights(fit()))
    assert fit(X).predict(X).tolist() == fit().predict(TOKENS).tolist()
