"""The entities that a tagger finds, and their marks in a text."""

import pickle
from functools import partial
from html.parser import HTMLParser
from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import emissions_of, ragged, small
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_rnn import RNNSequenceTagger, SequenceTokenizer
from sklearn_rnn.data.entities import Entity
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.data.tokens import TokenSequences
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.inspection import RenderedEntities, render_entities
from sklearn_rnn.inspection._colors import readable_ink
from sklearn_rnn.inspection._entities import PALETTE

LEARNS = {"hidden_size": 12, "max_epochs": 40, "learning_rate": 0.03}
WORDS = [["fly", "to", "new", "york", "today"], ["from", "rome", "to", "york"], ["rome"], ["to", "rome", "rome"]]
CITIES = [
    ["O", "O", "B-city", "I-city", "B-day"],
    ["O", "B-city", "O", "B-city"],
    ["B-city"],
    ["O", "B-city", "B-city"],
]
DOCUMENTS = ["Fly to New York today", "from Rome to York", "Rome", "to ROME Rome"]


def tags_of(scheme, spans, length):
    """The tags of spans (start, end, kind) in a scheme, span by span."""
    tags = ["O"] * length
    for start, end, kind in spans:
        touches = start > 0 and tags[start - 1].endswith(f"-{kind}")
        tags[start:end] = [f"I-{kind}"] * (end - start)
        if scheme == "IOB2" or (scheme == "IOB1" and touches):
            tags[start] = f"B-{kind}"
        if scheme == "BIOES":
            tags[start], tags[end - 1] = f"B-{kind}", f"E-{kind}"
            if end - start == 1:
                tags[start] = f"S-{kind}"
    return tags


def spans_of(tags):
    """Spans [start, end, kind] of tags that break no scheme."""
    spans = []
    for t, tag in enumerate(tags):
        prefix, _, kind = tag.partition("-")
        if prefix == "O":
            continue
        if prefix in "IEL" and spans and spans[-1][1:] == [t, kind]:
            spans[-1][1] = t + 1
        else:
            spans.append([t, t + 1, kind])
    return spans


def problem(scheme, kinds, seed=0):
    """Sequences of noise with spans at random, some of which touch."""
    rng = np.random.default_rng(seed)
    X = ragged(30, longest=5, seed=seed)
    y = []
    for x in X:
        spans, at = [], 0
        while at < len(x):
            length = int(rng.integers(1, 3))
            if rng.random() < 0.7 and at + length <= len(x):
                spans.append((at, at + length, kinds[rng.integers(len(kinds))]))
            at += length
        y.append(tags_of(scheme, spans, len(x)))
    return X, y


def brute_force(emissions, chain):
    """All label paths of one sequence, (n_paths, length), and their probabilities."""
    n_labels = emissions.shape[1]
    paths = np.array(list(product(range(n_labels), repeat=len(emissions))))
    scores = emissions[np.arange(len(emissions)), paths].sum(axis=1)
    scores += chain[n_labels, paths[:, 0]] + chain[n_labels + 1, paths[:, -1]]
    scores += chain[paths[:, :-1], paths[:, 1:]].sum(axis=1)
    weights = np.exp(scores - scores.max())
    return paths, weights / weights.sum()


def entities_at_random(tagger, X, seed):
    """What a tagger finds whose head has weights that are drawn."""
    generator = torch.Generator().manual_seed(seed)
    for part in (tagger.module_.head.chain.scores, tagger.module_.head.linear.weight):
        if isinstance(part, torch.nn.Parameter):
            part.data.copy_(2 * torch.randn(part.shape, generator=generator))
    return tagger.predict_entities(X)


def varied(found, kinds):
    """Whether there are entities of all `kinds`, and of more than one step."""
    spans = [(entity.end - entity.start, entity.label) for entities in found for entity in entities]
    return {kind for _, kind in spans} == set(kinds) and max(length for length, _ in spans) > 1


@pytest.mark.parametrize(
    ("scheme", "kinds", "parameters", "stride"),
    [
        ("IOB2", ["x", "y"], {}, None),
        ("IOB1", ["x", "y"], {}, None),
        ("BIOES", ["x"], {}, None),
        ("IOB2", ["x"], {"train_scheme": "BIOES"}, None),
        ("IOB1", ["x"], {"train_scheme": "BILOU"}, None),
        ("IOB2", ["x", "y"], {"decoder": "softmax"}, None),
        ("IOB2", ["x", "y"], {"max_length": 3}, 2),
    ],
)
def test_entities_and_scores_are_those_of_all_paths(scheme, kinds, parameters, stride):
    X, y = problem(scheme, kinds)
    tagger = small(RNNSequenceTagger, tag_scheme=scheme, **parameters, stride=None).fit(X, y)
    tagger.set_params(stride=stride)
    found = next(found for found in map(partial(entities_at_random, tagger, X), range(1, 20)) if varied(found, kinds))
    labels, chain = tagger.codec_.labels, tagger._chain_scores()
    assert found.shape == (len(X),)
    for emissions, entities in zip(emissions_of(tagger, X), found, strict=True):
        paths, probabilities = brute_force(emissions, chain)
        best = paths[probabilities.argmax()]
        wanted = spans_of(labels[best])
        assert [[entity.start, entity.end, entity.label] for entity in entities] == wanted
        for entity in entities:
            within = slice(entity.start, entity.end)
            same = (paths[:, within] == best[within]).all(axis=1)
            assert entity.score == pytest.approx(probabilities[same].sum(), rel=1e-9)
            assert (entity.start_char, entity.end_char, entity.text) == (None, None, None)


def test_without_a_chain_scores_are_products_and_broken_tags_mark_nothing():
    X, y = problem("IOB2", ["x"])
    tagger = small(RNNSequenceTagger, decoder="softmax", constrain_transitions=False).fit(X, y)
    tagger.module_.head.linear.weight.data.copy_(3 * torch.randn(3, 8, generator=torch.Generator().manual_seed(0)))
    codes = {tag: code for code, tag in enumerate(tagger.classes_.tolist())}
    n_broken = 0
    for tags, proba, entities in zip(
        tagger.predict(X), tagger.predict_proba(X), tagger.predict_entities(X), strict=True
    ):
        wanted = [span for span in spans_of(tags) if tags[span[0]] == "B-x"]
        n_broken += len(spans_of(tags)) - len(wanted)
        assert [[entity.start, entity.end, entity.label] for entity in entities] == wanted
        for entity in entities:
            of_steps = [proba[t, codes[tags[t]]] for t in range(entity.start, entity.end)]
            assert entity.score == pytest.approx(np.prod(of_steps))
    assert n_broken > 0


def test_entities_do_not_depend_on_the_batch():
    X, y = problem("IOB2", ["x", "y"])
    tagger = small(RNNSequenceTagger).fit(X, y)
    for x, together in zip(X, tagger.predict_entities(X), strict=True):
        for one, other in zip(tagger.predict_entities([x])[0], together, strict=True):
            assert (one.label, one.start, one.end) == (other.label, other.start, other.end)
            assert one.score == pytest.approx(other.score)


@pytest.fixture(scope="module")
def pipeline():
    return make_pipeline(SequenceTokenizer(), small(RNNSequenceTagger, **LEARNS)).fit(DOCUMENTS * 5, CITIES * 5)


@pytest.fixture(scope="module")
def word_tagger():
    return small(RNNSequenceTagger, **LEARNS).fit(WORDS * 5, CITIES * 5)


def test_places_in_documents(pipeline):
    documents = ["fly  to NEW\n York today", "Rome", "fly to", "to ROME Rome"]
    wanted = [["NEW\n York", "today"], ["Rome"], [], ["ROME", "Rome"]]
    tokens = pipeline[:-1].transform(documents)
    found = pipeline[-1].predict_entities(tokens)
    assert [[entity.text for entity in entities] for entities in found] == wanted
    for document, entities in zip(documents, found, strict=True):
        after = 0
        for entity in entities:
            start = document.find(entity.text, after)
            assert (entity.start_char, entity.end_char) == (start, start + len(entity.text))
            assert entity.label == {"today": "day"}.get(entity.text, "city")
            assert type(entity.start_char) is type(entity.end) is int
            after = entity.end_char
    assert pipeline[-1].predict_entities(tokens[[3, 0]]).tolist() == [found[3], found[0]]


def test_an_empty_document_has_no_entity():
    tokenizer = SequenceTokenizer(vocabulary=["to"])
    X = tokenizer.fit_transform(["to Rome", "to Oslo"] * 6)
    tagger = small(RNNSequenceTagger, **LEARNS).fit(X, [["O", "B-city"]] * 12)
    empty = tokenizer.transform(["", "Rome"])
    assert tagger.predict(empty).tolist() == [["B-city"], ["B-city"]]
    assert [len(entities) for entities in tagger.predict_entities(empty)] == [0, 1]


def test_text_of_tokens(word_tagger):
    [entities] = word_tagger.predict_entities([["to", "new", "york"]])
    assert [(entity.text, entity.start, entity.end) for entity in entities] == [("new york", 1, 3)]
    assert entities[0].start_char is entities[0].end_char is None
    unplaced = TokenSequences(["to", "rome"], [0, 2], documents=["to R."])
    assert [entity.text for entity in word_tagger.predict_entities(unplaced)[0]] == ["rome"]


def test_text_of_several_inputs_is_that_of_the_first_of_strings():
    X = {
        "length": [[float(len(word)) for word in words] for words in WORDS * 5],
        "word": WORDS * 5,
        "tag": [["w"] * len(words) for words in WORDS * 5],
    }
    tagger = small(RNNSequenceTagger, **LEARNS).fit(X, CITIES * 5)
    assert [entity.text for entity in tagger.predict_entities(X)[0]] == ["new york", "today"]


def test_empty_sequences(word_tagger):
    assert word_tagger.predict_entities([[], ["rome"], []]).tolist()[::2] == [[], []]
    assert word_tagger.predict_entities([[], []]).tolist() == [[], []]


def test_labels_that_mark_no_spans():
    tagger = small(RNNSequenceTagger).fit(ragged(4), [["N"] * len(x) for x in ragged(4)])
    with pytest.raises(ValueError, match=r"tag_scheme_ is None: those of y, such as 'N', .* Name the scheme"):
        tagger.predict_entities(ragged(4))
    with pytest.raises(NotFittedError):
        RNNSequenceTagger().predict_entities(ragged(4))


def test_an_entity_is_plain_data():
    entity = Entity("city", 1, 2, 0.5, 3, 7, "Rome")
    assert pickle.loads(pickle.dumps(entity)) == entity
    assert len({entity, Entity("city", 1, 2, 0.5, 3, 7, "Rome")}) == 1
    columns = ["label", "start", "end", "score", "start_char", "end_char", "text"]
    assert pd.DataFrame([entity]).columns.tolist() == columns
    with pytest.raises(AttributeError):
        entity.label = "day"


class Page(HTMLParser):
    """What a reader sees: the text of each document, its marks and labels."""

    def __init__(self, rendered):
        super().__init__()
        self.open, self.texts, self.marks, self.tags, self.title = [], [], [], set(), ""
        self.feed(str(rendered))
        assert not self.open

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.open.append((tag, attributes))
        self.tags.add(tag)
        if attributes.get("dir"):
            self.texts.append("")
        if tag == "mark":
            self.marks.append({"document": len(self.texts) - 1, "at": len(self.texts[-1]), "text": "", "label": ""})
            self.marks[-1] |= {"hint": attributes["title"], "style": attributes["style"]}

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        inside = [tag for tag, _ in self.open]
        if "span" in inside:
            self.marks[-1]["label"] += data
        elif not any(attributes.get("dir") for _, attributes in self.open):
            self.title += data
        else:
            self.texts[-1] += data
            if "mark" in inside:
                self.marks[-1]["text"] += data


def color_of(mark):
    return mark["style"].partition("border-bottom: 2px solid ")[2][:7]


@st.composite
def marked_texts(draw):
    text = draw(st.text(st.sampled_from("ab <>&\"'\n\tä語/"), max_size=25))
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
    labels = draw(st.lists(st.sampled_from(["a", "<b>", "c & d", ""]), min_size=len(pairs), max_size=len(pairs)))
    places = [Entity(label, 0, 1, 0.25, start, end) for label, (start, end) in zip(labels, pairs, strict=True)]
    return text, draw(st.permutations(places))


@settings(max_examples=60, deadline=None)
@given(st.lists(marked_texts(), min_size=1, max_size=3))
def test_marks_are_where_the_entities_are(documents):
    page = Page(render_entities([text for text, _ in documents], [places for _, places in documents]))
    assert page.texts == [text for text, _ in documents]
    wanted = [
        (i, entity.start_char, text[entity.start_char : entity.end_char], entity.label)
        for i, (text, places) in enumerate(documents)
        for entity in sorted(places, key=lambda entity: entity.start_char)
    ]
    assert [(mark["document"], mark["at"], mark["text"], mark["label"]) for mark in page.marks] == wanted
    assert page.tags <= {"div", "mark", "span"}
    colors = {mark["label"]: color_of(mark) for mark in page.marks}
    assert len(set(colors.values())) == len(colors)


def test_tokens_are_joined(word_tagger):
    X = [["to", "new", "york"], [], ["rome", "rome"]]
    page = Page(render_entities(X, word_tagger.predict_entities(X)))
    assert page.texts == ["to new york", "", "rome rome"]
    assert [(mark["document"], mark["at"], mark["text"]) for mark in page.marks] == [
        (0, 3, "new york"),
        (2, 0, "rome"),
        (2, 5, "rome"),
    ]
    again = Page(RenderedEntities.from_estimator(word_tagger, X))
    assert (again.texts, [mark["text"] for mark in again.marks]) == (page.texts, ["new york", "rome", "rome"])


def test_hints_titles_and_colors():
    found = [[Entity("a", 0, 1, 0.98765), Entity("b", 1, 2), Entity("", 2, 3, 0.5)]]
    rendered = render_entities([["x", "y", "z"]], found, colors={"b": "#012345"}, title="<Found>")
    page = Page(rendered)
    assert [mark["hint"] for mark in page.marks] == ["a, probability 0.988", "b", "probability 0.500"]
    assert [mark["label"] for mark in page.marks] == ["a", "b", ""]
    assert page.title == "<Found>"
    assert color_of(page.marks[1]) == "#012345"
    assert rendered._repr_html_() == str(rendered) == rendered.html
    assert len(repr(rendered)) < 60


def test_many_labels_have_colors_of_their_own():
    entities = [Entity(f"label{k:03d}", k, k + 1) for k in range(60)]
    page = Page(render_entities([["word"] * 60], [entities]))
    assert len({color_of(mark) for mark in page.marks}) == 60


def test_colors_of_a_tagger_do_not_depend_on_the_documents(pipeline):
    both = Page(RenderedEntities.from_estimator(pipeline, ["Fly to New York today"]))
    assert [mark["label"] for mark in both.marks] == ["city", "day"]
    assert [color_of(mark) for mark in both.marks] == list(PALETTE[:2])
    day = Page(RenderedEntities.from_estimator(pipeline, ["Fly to today"]))
    assert {color_of(mark) for mark in day.marks if mark["label"] == "day"} == {PALETTE[1]}


def test_pipeline_search_and_series(pipeline):
    search = GridSearchCV(pipeline, {"rnnsequencetagger__hidden_size": [12]}, cv=2)
    search.fit(np.array(DOCUMENTS * 5, dtype=object), object_array(CITIES * 5))
    X = pd.Series(["to Rome,\nto <York>"])
    for estimator in (pipeline, search):
        page = Page(RenderedEntities.from_estimator(estimator, X, title="Cities"))
        assert page.texts == X.tolist()
        assert "Rome" in {mark["text"] for mark in page.marks}
    tokens = pipeline[:-1].transform(X)
    assert Page(render_entities(tokens, pipeline[-1].predict_entities(tokens))).texts == X.tolist()


@pytest.mark.parametrize("color", [*PALETTE, "#000000", "#ffffff", "#777777", "#767676"])
def test_ink_is_the_one_of_more_contrast(color):
    rgb = [int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb]
    luminance = float(np.dot([0.2126, 0.7152, 0.0722], linear))
    on_black, on_white = (luminance + 0.05) / 0.05, 1.05 / (luminance + 0.05)
    assert readable_ink(rgb) == ("#000000" if on_black > on_white else "#ffffff")


@pytest.mark.parametrize(
    ("documents", "entities", "message"),
    [
        ("Rome", [[]], r"documents is a str, wanted a list"),
        (["Rome"], [[], []], r"one list for each of the 1 documents, got 2"),
        (["Rome"], [[Entity("a", 0, 1)]], r"entities\[0\]\[0\] has no start_char and end_char"),
        (["Rome"], [[Entity("a", 0, 1, None, 2, 5)]], r"start_char=2 and end_char=5 in a document of 4 characters"),
        (["Rome"], [[Entity("a", 0, 1, None, 2, 2)]], r"start_char=2 and end_char=2"),
        ([["Rome"]], [[Entity("a", 0, 2)]], r"start=0 and end=2 in a document of 1 tokens"),
        ([["a"] * 3], [[Entity("x", 1, 3), Entity("y", 0, 2)]], r"\[0\] 'x' overlaps with entities\[0\]\[1\] 'y'"),
        (["", "Rome"], [[], [Entity("x", 0, 1, None, 0, 4), Entity("y", 0, 1, None, 1, 2)]], r"hold 'o'"),
    ],
)
def test_entities_without_a_place(documents, entities, message):
    with pytest.raises(SequenceDataError, match=message):
        render_entities(documents, entities)


def test_other_errors(word_tagger):
    for color in ("red", "#fff", "#ff00zz", 3, "#ff0000; position: fixed"):
        with pytest.raises(ValueError, match=r"colors\['city'\]=.* must be a string of the form '#rrggbb'"):
            RenderedEntities.from_estimator(word_tagger, WORDS, colors={"city": color})
    X, y = problem("IOB2", ["x"])
    with pytest.raises(SequenceDataError, match="X holds no tokens that are strings"):
        RenderedEntities.from_estimator(small(RNNSequenceTagger).fit(X, y), X)
