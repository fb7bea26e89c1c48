"""What a tagger makes of its emissions, against all label sequences written down."""

import functools
import itertools

import numpy as np
import pytest
import torch
from chain_oracle import all_paths, log_sum
from numpy.testing import assert_allclose, assert_array_equal
from samples import emissions_of, small, weights
from skorch.callbacks import Callback

from sklearn_rnn import RNNSequenceTagger, Sequences
from sklearn_rnn.data.tag_schemes import violations
from sklearn_rnn.exceptions import BrokenTagsWarning, UnseenLabelsWarning

LETTERS = {"BIOES": "BIES", "BILOU": "BILU"}


def write(n_steps, spans, scheme):
    """The tags of spans (start, end, kind)."""
    tags, before = ["O"] * n_steps, (None, None)
    for start, end, kind in spans:
        for t in range(start, end):
            first, last = t == start, t == end - 1
            if scheme == "IOB1":
                letter = "B" if first and before == (start, kind) else "I"
            elif scheme == "IOB2":
                letter = "B" if first else "I"
            else:
                letter = LETTERS[scheme][3 if first and last else 0 if first else 2 if last else 1]
            tags[t] = f"{letter}-{kind}"
        before = (end, kind)
    return tags


def read(tags):
    """The spans of valid tags in BIOES or BILOU."""
    spans = []
    for t, tag in enumerate(tags):
        if tag[0] in "BSU":
            start = t
        if tag[0] in "ELSU":
            spans.append((start, t + 1, tag[2:]))
    return spans


def noise(n, scheme, *, kinds="x", longest=4, seed=0, signal=0.0):
    """Sequences of 1 to `longest` steps with valid tags that have nothing to do with them, or by `signal` a lot."""
    rng = np.random.default_rng(seed)
    X, y = [], []
    for length in rng.integers(1, longest + 1, size=n):
        spans, t = [], 0
        while t < length:
            end = min(length, t + rng.integers(1, 4))
            if rng.random() < 0.6:
                spans.append((t, end, rng.choice(list(kinds))))
            t = end
        tags = write(length, spans, scheme)
        means = [np.random.default_rng([ord(letter) for letter in tag]).normal(size=2) for tag in tags]
        X.append(rng.normal(size=(length, 2)) + signal * np.array(means))
        y.append(tags)
    return X, y


def fit(X, y, **parameters):
    return small(RNNSequenceTagger, **{"learning_rate": 0.1, "max_epochs": 6, **parameters}).fit(X, y)


CASES = {
    "crf": ("IOB2", {}),
    "free crf": ("IOB2", {"constrain_transitions": False}),
    "no scheme": ("IOB2", {"tag_scheme": None}),
    "softmax": ("IOB2", {"decoder": "softmax"}),
    "free softmax": ("IOB2", {"decoder": "softmax", "constrain_transitions": False}),
    "IOB1": ("IOB1", {}),
    "BIOES": ("BIOES", {}),
    "IOB2 as BIOES": ("IOB2", {"train_scheme": "BIOES"}),
    "IOB2 as BILOU": ("IOB2", {"train_scheme": "BILOU", "decoder": "softmax"}),
    "IOB1 as BIOES": ("IOB1", {"train_scheme": "BIOES"}),
    "IOB1 as BILOU": ("IOB1", {"train_scheme": "BILOU", "decoder": "softmax"}),
    "BILOU as BIOES": ("BILOU", {"train_scheme": "BIOES"}),
    "windows": ("IOB2", {"max_length": 3, "stride": 2}),
}
every_case = pytest.mark.parametrize("case", CASES)
QUERY = [3 * np.random.default_rng(5).normal(size=(length, 2)) for length in (4, 0, 1, 3, 2, 4)]


@functools.cache
def fitted(case):
    scheme, parameters = CASES[case]
    return fit(*noise(60, scheme), ignore_label="?", **parameters)


@functools.cache
def distribution(case, i):
    """Every possible tag sequence of ``QUERY[i]``, and its probability."""
    model, (scheme, parameters) = fitted(case), CASES[case]
    paths, scores = all_paths(torch.tensor(emissions_of(model, [QUERY[i]]).values), torch.tensor(model._chain_scores()))
    probabilities = {}
    for path, log_probability in zip(paths, scores - log_sum(scores), strict=True):
        if np.isfinite(log_probability):
            tags = model.codec_.labels[path].tolist()
            if "train_scheme" in parameters:
                tags = write(len(tags), read(tags), scheme)
            assert tuple(tags) not in probabilities
            probabilities[tuple(tags)] = np.exp(log_probability)
    assert sum(probabilities.values()) == pytest.approx(1)
    return probabilities


@every_case
def test_predictions_are_the_best_of_all_label_sequences(case):
    for i, tags in enumerate(fitted(case).predict(QUERY)):
        probabilities = distribution(case, i)
        assert tuple(tags) == max(probabilities, key=probabilities.get)


@every_case
def test_probabilities_are_the_marginals_of_the_given_tags(case):
    model = fitted(case)
    for i, found in enumerate(model.predict_proba(QUERY)):
        expected = np.zeros((len(QUERY[i]), len(model.classes_)))
        for tags, p in distribution(case, i).items():
            expected[np.arange(len(tags)), np.searchsorted(model.classes_, tags)] += p
        assert found.shape == expected.shape
        assert_allclose(found, expected, atol=1e-9)
        assert_allclose(found.sum(axis=1), 1, atol=1e-9)


@every_case
@pytest.mark.parametrize("n", [1, 4, 40])
def test_candidates_are_the_most_probable_label_sequences(case, n):
    for i, found in enumerate(fitted(case).predict_nbest(QUERY, n=n)):
        probabilities = distribution(case, i)
        assert_allclose([p for _, p in found], sorted(probabilities.values(), reverse=True)[:n], atol=1e-9)
        assert len({tuple(tags) for tags, _ in found}) == len(found)
        assert_allclose([p for _, p in found], [probabilities[tuple(tags)] for tags, _ in found], atol=1e-9)
        assert all(type(tags) is list and type(p) is float for tags, p in found)
        if len(QUERY[i]) == 0:
            assert found == [([], 1.0)]


@pytest.mark.parametrize("n", [0, -1, 2.0])
def test_no_candidates_are_refused(n):
    with pytest.raises(ValueError, match=rf"n={n} must be an int of at least 1"):
        fitted("crf").predict_nbest(QUERY, n=n)


@every_case
def test_log_probabilities_of_any_tags(case):
    model = fitted(case)
    for i in (1, 2, 3, 4):
        given = list(itertools.product(model.classes_.tolist(), repeat=len(QUERY[i])))
        found = model.predict_log_proba_of([QUERY[i]] * len(given), [list(tags) for tags in given])
        assert_allclose(np.exp(found), [distribution(case, i).get(tags, 0) for tags in given], atol=1e-9)
        impossible = [tags not in distribution(case, i) for tags in given]
        assert_array_equal(np.isneginf(found), impossible)


@pytest.mark.parametrize("case", [case for case in CASES if not case.startswith("IOB1 as")])
def test_log_probabilities_of_partial_tags_are_those_of_all_completions(case):
    model = fitted(case)
    for i in (2, 3, 4):
        values = [*model.classes_.tolist(), "?"]
        given = [tags for tags in itertools.product(values, repeat=len(QUERY[i])) if "?" in tags]
        found = model.predict_log_proba_of([QUERY[i]] * len(given), [list(tags) for tags in given])
        for tags, log_probability in zip(given, found, strict=True):
            completions = [
                p
                for path, p in distribution(case, i).items()
                if all(want in (tag, "?") for want, tag in zip(tags, path, strict=True))
            ]
            assert np.exp(log_probability) == pytest.approx(sum(completions), abs=1e-9), tags
            assert np.isneginf(log_probability) == (not completions)


def test_partial_iob1_tags_of_another_training_scheme_are_refused():
    """Whether a span opens beside a step without a label is not known."""
    with pytest.raises(ValueError, match=r"with train_scheme every step of IOB1 tags needs a label"):
        fitted("IOB1 as BIOES").predict_log_proba_of([QUERY[4]], [["?", "I-x"]])


@pytest.mark.parametrize("case", ["crf", "free softmax", "IOB1 as BIOES"])
def test_log_probabilities_of_labels_that_are_new_are_minus_infinity(case):
    found = fitted(case).predict_log_proba_of([QUERY[3]] * 2, [["O", "B-new", "O"], ["O", "O", "MISC"]])
    assert_array_equal(found, [-np.inf, -np.inf])


@every_case
def test_no_result_depends_on_the_batch(case):
    model = fitted(case)
    y = model.predict(QUERY).tolist()
    proba, best, scores = model.predict_proba(QUERY), model.predict_nbest(QUERY), model.predict_log_proba_of(QUERY, y)
    for i, x in enumerate(QUERY):
        assert model.predict([x])[0] == y[i]
        assert_allclose(model.predict_proba([x])[0], proba[i], atol=1e-9)
        assert_allclose(model.predict_log_proba_of([x], [y[i]]), scores[i], atol=1e-9)
        assert scores[i] == pytest.approx(np.log(best[i][0][1]), abs=1e-9)
        (alone,) = model.predict_nbest([x])
        assert [tags for tags, _ in alone] == [tags for tags, _ in best[i]]
        assert_allclose([p for _, p in alone], [p for _, p in best[i]], atol=1e-9)


@pytest.mark.parametrize("scheme", ["IOB1", "IOB2", "BIOES", "BILOU"])
@pytest.mark.parametrize("decoder", ["crf", "softmax"])
def test_constrained_predictions_keep_to_the_scheme(scheme, decoder):
    X, y = noise(60, scheme, kinds="xy", longest=9, signal=4)
    steps = np.random.default_rng(0).permutation(np.concatenate(X))
    shuffled = np.array_split(3 * steps, 20)

    def broken(**parameters):
        model = fit(X, y, decoder=decoder, **parameters)
        if scheme == "IOB1":  # of which only a B- can break anything, and that is rare
            opens = [str(label).startswith("B") for label in model.codec_.labels]
            model.module_.head.linear.bias.data[opens] += 20
        tags = model.predict(shuffled).tolist()
        values = np.array([tag for labels in tags for tag in labels], dtype=object)
        return len(violations(Sequences(values, np.cumsum([0, *map(len, tags)])), scheme))

    assert broken() == 0
    assert broken(constrain_transitions=False) > 0
    if scheme.startswith("IOB"):
        assert broken(train_scheme="BILOU") == 0


@pytest.mark.parametrize(
    "parameters",
    [
        {"class_weight": {"O": 2.0}},
        {"train_scheme": "BIOES"},
        {"ignore_label": "O", "constrain_transitions": False},
        {"max_length": 3, "stride": 2},
        {"decoder": "softmax"},
    ],
)
def test_a_weight_of_2_is_a_repeated_sequence_and_of_0_an_absent_one(parameters):
    X, y = noise(30, "IOB2", longest=6)
    weight = np.random.default_rng(0).integers(0, 3, size=30)
    weighted = small(RNNSequenceTagger, **parameters).fit(X, y, sample_weight=weight)
    repeated = [[part[i] for i, n in enumerate(weight) for _ in range(n)] for part in (X, y)]
    assert_array_equal(weights(weighted), weights(small(RNNSequenceTagger, **parameters).fit(*repeated)))


def test_constraints_teach_steps_without_a_label():
    """In BIOES a span that opens at the first of two steps closes at the second."""
    X = [["a", "b"], ["p", "q"], ["o", "o"], ["s", "o"]] * 5
    y = [["B-x", "?"], ["B-x", "E-x"], ["O", "O"], ["S-x", "O"]] * 5
    said = {True: [], False: []}
    for constrained, seed in itertools.product(said, range(5)):
        options = {"ignore_label": "?", "constrain_transitions": constrained, "random_state": seed}
        model = fit(X, y, max_epochs=40, learning_rate=0.03, **options)
        emissions = emissions_of(model, [["a", "b"]]).values[1]
        said[constrained].append(emissions[model.classes_ == "E-x"] - emissions[model.classes_ != "E-x"].max())
        assert model.predict([["p", "q"], ["s", "o"]]).tolist() == [["B-x", "E-x"], ["S-x", "O"]]
    assert np.mean(said[True]) > max(0, np.mean(said[False]))


@pytest.mark.parametrize("decoder", ["crf", "softmax"])
def test_class_weight_raises_the_recall_of_a_rare_label(decoder):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(6, 2)) for _ in range(60)]
    y = [["rare" if step[0] + rng.normal() > 2 else "common" for step in x] for x in X]
    rare = np.concatenate(y) == "rare"
    recalls = []
    for class_weight in (None, {"rare": 8.0}, "balanced"):
        model = fit(X, y, decoder=decoder, class_weight=class_weight, max_epochs=15)
        recalls.append(np.mean(np.concatenate(model.predict(X).tolist())[rare] == "rare"))
    assert recalls[0] + 0.2 < min(recalls[1:])


@pytest.mark.parametrize("decoder", ["crf", "softmax"])
def test_one_label_is_certain(decoder):
    X = noise(10, "IOB2")[0]
    model = fit(X, [["O"] * len(x) for x in X], decoder=decoder)
    assert model.predict_nbest(X, n=3).tolist() == [[(["O"] * len(x), pytest.approx(1))] for x in X]
    assert_allclose(np.concatenate(model.predict_proba(X)), 1)
    assert_allclose(model.predict_log_proba_of(X, [["O"] * len(x) for x in X]), 0, atol=1e-9)


def test_long_and_short_sequences_have_consistent_results():
    model = fit(*noise(40, "IOB2", kinds="xy"), train_scheme="BIOES")
    X = [np.random.default_rng(0).normal(size=(length, 2)) for length in (2000, 1)]
    candidates, predicted = model.predict_nbest(X, n=3), model.predict(X)
    assert_allclose(np.concatenate(model.predict_proba(X)).sum(axis=1), 1, atol=1e-9)
    assert [len(tags) for tags in predicted] == [2000, 1]
    for x, tags, (first, *others) in zip(X, predicted, candidates, strict=True):
        assert first[0] == tags
        assert len(others) == 2
        scores = model.predict_log_proba_of([x] * 3, [path for path, _ in (first, *others)])
        assert_allclose(scores, np.log([p for _, p in (first, *others)]), atol=1e-6)
        assert np.all(np.diff(scores) <= 0)


def test_candidates_of_a_long_sequence_have_probabilities_too_small_for_a_float():
    X = [np.random.default_rng(0).normal(size=(3000, 2))]
    model = fit(*noise(40, "IOB2", kinds="xy"), max_epochs=1, learning_rate=1e-6)
    (first, p), (second, q) = model.predict_nbest(X, n=2)[0]
    assert p == q == 0
    assert first == model.predict(X)[0] != second
    assert np.all(model.predict_log_proba_of(X * 2, [first, second]) < -1000)


@pytest.mark.parametrize("decoder", ["crf", "softmax"])
def test_transitions_are_a_table_of_all_scores(decoder):
    model = fit(*noise(40, "IOB2", kinds="xy"), decoder=decoder)
    table, labels = model.transitions_, ["B-x", "B-y", "I-x", "I-y", "O"]
    assert table.index.tolist() == [*labels, "<start>"]
    assert table.columns.tolist() == [*labels, "<end>"]
    may_precede = {"I-x": {"B-x", "I-x"}, "I-y": {"B-y", "I-y"}}
    for before, after in itertools.product(table.index, table.columns):
        allowed = before in may_precede.get(after, {*labels, "<start>"} if after != "<end>" else set(labels))
        assert np.isfinite(table.loc[before, after]) == allowed
        if allowed and decoder == "softmax":
            assert table.loc[before, after] == 0
    emissions = emissions_of(model, [QUERY[3]]).values
    tags = ["B-y", "I-y", "O"]
    score = sum(emissions[t, labels.index(tag)] for t, tag in enumerate(tags))
    score += sum(table.loc[pair] for pair in itertools.pairwise(["<start>", *tags, "<end>"]))
    _, scores = all_paths(torch.tensor(emissions), torch.tensor(model._chain_scores()))
    assert model.predict_log_proba_of([QUERY[3]], [tags])[0] == pytest.approx(score - log_sum(scores), abs=1e-9)


def test_a_warm_start_without_the_chain_forgets_its_scores():
    X, y = noise(40, "IOB2")
    model = fit(X, y, warm_start=True)
    assert (np.abs(model.transitions_.to_numpy()) > 1e-3).any()
    table = model.set_params(decoder="softmax").fit(X, y).transitions_.to_numpy()
    assert_array_equal(table[np.isfinite(table)], 0)
    assert np.isneginf(model.transitions_.loc["O", "I-x"])


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
