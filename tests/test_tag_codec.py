"""Codes of tags against all label sequences of short lengths."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from test_tag_schemes import LABELS, alphabet, container, segmentations, written

from sklearn_rnn.data.tag_schemes import SCHEMES, convert_tags
from sklearn_rnn.exceptions import BrokenTagsWarning, SequenceDataError
from sklearn_rnn.targets.tag_codec import TagCodec, tag_lists, warn_broken_tags

TRAIN_SCHEMES = (None, "BIOES", "BILOU")
every_pair = pytest.mark.parametrize(("scheme", "train_scheme"), list(product(SCHEMES, TRAIN_SCHEMES)))
pairs_with_gaps = pytest.mark.parametrize(
    ("scheme", "train_scheme"), [pair for pair in product(SCHEMES, TRAIN_SCHEMES) if pair[0] != "IOB1" or not pair[1]]
)
brute_force = settings(deadline=None, max_examples=25)
SPANS = {length: list(segmentations(length)) for length in range(6)}


def labelled(strings):
    """A container of strings, and which steps have a label: all but those whose tag is None."""
    tags = container(strings)
    return tags, np.array([tag is not None for tag in tags.values], dtype=bool)


def codec_of(scheme, train_scheme, classes=None, **options):
    """A codec that knows `classes`, by default all tags of the scheme."""
    known = np.array(sorted(alphabet(scheme) if classes is None else classes))
    tags, has_label = labelled([known.tolist()])
    return TagCodec.learn(tags, has_label, classes=known, tag_scheme=scheme, train_scheme=train_scheme, **options)


def both_ways(codec, length, classes=None):
    """Each sequence of valid tags, made of `classes` only, and the sequence of labels that means the same."""
    written_both = [
        (written(spans, length, codec.scheme), written(spans, length, codec.label_scheme)) for spans in SPANS[length]
    ]
    return [(tags, labels) for tags, labels in written_both if classes is None or set(tags) <= set(classes)]


def paths(codec, codes=None, length=None, closed=True):
    """All sequences of labels within the sets of `codes` that the transitions let through, found one by one."""
    allowed = codec.allowed(closed=closed)
    n_labels = len(codec.labels)
    sets = [np.ones(n_labels, dtype=bool)] * length if codes is None else codec.label_sets[codes]
    choices = [np.flatnonzero(each).tolist() for each in sets]
    found = [(k,) for k in choices[0] if allowed[-2, k]]
    for choice in choices[1:]:
        found = [(*path, k) for path in found for k in choice if allowed[path[-1], k]]
    return {tuple(codec.labels[list(path)].tolist()) for path in found if allowed[-1, path[-1]]}


spans_of_sequences = st.lists(st.integers(0, 5).flatmap(lambda n: st.tuples(st.just(n), st.sampled_from(SPANS[n]))))


@every_pair
@given(spans_of_sequences)
@brute_force
def test_valid_tags_come_back(scheme, train_scheme, lengths_and_spans):
    strings = [written(spans, length, scheme) for length, spans in lengths_and_spans]
    tags, has_label = labelled(strings)
    codec = codec_of(scheme, train_scheme)
    codes = codec.encode(tags, has_label)
    labels = [written(spans, length, train_scheme or scheme) for length, spans in lengths_and_spans]
    assert [tuple(codec.labels[part]) for part in codes] == labels
    assert tag_lists(codec.decode(codes)).tolist() == [list(string) for string in strings]
    assert codec.count_broken(tags, has_label) == 0
    assert_array_equal(codec.encode(tags, has_label, repair=False).values, codes.values)
    assert codec.classes[codec.class_codes(codes)].tolist() == tags.values.tolist()


@every_pair
@given(st.data())
@brute_force
def test_broken_tags_are_mended_and_counted(scheme, train_scheme, data):
    strings = data.draw(st.lists(st.lists(st.sampled_from(alphabet(scheme)), max_size=6)))
    tags, has_label = labelled(strings)
    codec = codec_of(scheme, train_scheme)
    mended = convert_tags(tags, scheme, scheme)
    codes = codec.encode(tags, has_label)
    assert codec.decode(codes).values.tolist() == mended.values.tolist()
    broken = mended.values != tags.values
    assert codec.count_broken(tags, has_label) == broken.sum()
    assert_array_equal(codec.encode(tags, has_label, repair=False).values, np.where(broken, -1, codes.values))


@pairs_with_gaps
@given(st.data())
@settings(deadline=None, max_examples=40)
def test_steps_without_a_label_may_be_anything_that_makes_valid_tags(scheme, train_scheme, data):
    codec = codec_of(scheme, train_scheme)
    length = data.draw(st.integers(1, 4))
    truth = written(data.draw(st.sampled_from(SPANS[length])), length, scheme)
    shown = [tag if data.draw(st.booleans()) else None for tag in truth]
    tags, has_label = labelled([shown])
    codes = codec.encode(tags, has_label)
    completions = {
        labels
        for full, labels in both_ways(codec, length)
        if all(tag is None or tag == other for tag, other in zip(shown, full, strict=True))
    }
    assert paths(codec, codes.values) == completions
    assert codec.count_broken(tags, has_label) == 0
    classes = [-1 if tag is None else codec.classes.tolist().index(tag) for tag in shown]
    assert codec.class_codes(codes).tolist() == classes
    assert_array_equal(codec.encode(tags, has_label, repair=False).values, codes.values)


@pairs_with_gaps
@given(st.data())
@settings(deadline=None, max_examples=40)
def test_whatever_is_given_some_labels_are_left(scheme, train_scheme, data):
    codec = codec_of(scheme, train_scheme)
    shown = data.draw(st.lists(st.sampled_from([None, *alphabet(scheme)]), min_size=1, max_size=5))
    tags, has_label = labelled([shown, shown[::-1]])
    codes = codec.encode(tags, has_label)
    assert paths(codec, codes[0])
    assert paths(codec, codes[1])
    completed = any(
        all(tag is None or tag == other for tag, other in zip(shown, full, strict=True))
        for full, _ in both_ways(codec, len(shown))
    )
    alone, has_label = labelled([shown])
    assert (codec.count_broken(alone, has_label) == 0) == completed


@every_pair
@given(st.sets(st.sampled_from(LABELS)), st.data())
@settings(deadline=None, max_examples=15)
def test_the_decoder_may_choose_exactly_what_the_tags_of_y_can_say(scheme, train_scheme, kinds, data):
    inside = [tag for tag in alphabet(scheme) if tag[2:] in kinds]
    dropped = data.draw(st.sets(st.sampled_from(inside))) if inside and train_scheme else set()
    classes = sorted({"O", *inside} - dropped)
    codec = codec_of(scheme, train_scheme, classes)
    sayable = {length: {labels for _, labels in both_ways(codec, length, classes)} for length in (1, 2, 3)}
    for length, expected in sayable.items():
        assert paths(codec, length=length) == expected
    if train_scheme and train_scheme != scheme:
        used = {label for expected in sayable.values() for labels in expected for label in labels}
        assert set(codec.labels.tolist()) == used


@every_pair
@pytest.mark.parametrize("kinds", [("x",), LABELS])
def test_cut_sequences_may_begin_and_end_inside_spans(scheme, train_scheme, kinds):
    classes = [tag for tag in alphabet(scheme) if tag == "O" or tag[2:] in kinds]
    codec = codec_of(scheme, train_scheme, classes, open_ends=True)
    whole = both_ways(codec, 5, classes)
    assert paths(codec, length=3, closed=False) == {labels[1:4] for _, labels in whole}
    assert paths(codec, length=3) == {labels for _, labels in both_ways(codec, 3, classes)}
    closed = codec_of(scheme, train_scheme, classes)
    assert_array_equal(closed.allowed(), codec.allowed(closed=True))


@every_pair
@pytest.mark.parametrize("missing", [(), ("B-x",), ("B-x", "B-y")])
def test_probabilities_of_labels_become_those_of_tags(scheme, train_scheme, missing, rng):
    classes = [tag for tag in alphabet(scheme) if scheme != "IOB1" or tag not in missing]
    codec = codec_of(scheme, train_scheme, classes)
    both = both_ways(codec, 4, classes)
    assert len(both) > 1
    probability = rng.dirichlet(np.full(len(both), 0.3))
    position = {tag: k for k, tag in enumerate(codec.classes.tolist())}
    index = {label: k for k, label in enumerate(codec.labels.tolist())}
    expected = np.zeros((4, len(position)))
    marginals, neighbours = np.zeros((4, len(index))), np.zeros((4, len(index), len(index)))
    for (tags, labels), weight in zip(both, probability, strict=True):
        for t in range(4):
            expected[t, position[tags[t]]] += weight
            marginals[t, index[labels[t]]] += weight
            if t:
                neighbours[t, index[labels[t - 1]], index[labels[t]]] += weight
    found = marginals @ codec.class_of_label()
    for pairs, opening, inside in codec.touching():
        found[:, opening] += neighbours[:, pairs].sum(axis=1)
        found[:, inside] -= neighbours[:, pairs].sum(axis=1)
    assert_allclose(found, expected, atol=1e-12)


def test_a_span_that_no_class_can_close_is_given_up():
    codec = codec_of("BIOES", None, ["B-x", "I-x", "O"])
    codes = codec.encode(*labelled([["O", "B-x", "I-x", None]]))
    assert paths(codec, codes.values) == {("O",) * 4}
    assert codec.count_broken(*labelled([["O", "B-x", "I-x", None]])) == 2


def test_tags_without_a_kind():
    tags, has_label = labelled([["B", "I", "O", "B"], ["O"]])
    codec = TagCodec.learn(tags, has_label, train_scheme="BILOU")
    assert codec.scheme == "IOB2"
    codes = codec.encode(tags, has_label)
    assert codec.labels[codes.values].tolist() == ["B", "L", "O", "U", "O"]
    assert codec.decode(codes).values.tolist() == tags.values.tolist()


def test_classes_that_mending_needs_are_learned():
    tags, has_label = labelled([["O", "I-x", "O"]])
    codec = TagCodec.learn(tags, has_label, tag_scheme="IOB2")
    assert codec.classes.tolist() == ["B-x", "I-x", "O"]
    assert codec.decode(codec.encode(tags, has_label)).values.tolist() == ["O", "B-x", "O"]


def test_outside_is_learned_where_no_tag_can_fill_a_sequence():
    pair, single = labelled([["B-x", "E-x"]]), labelled([["S-x"]])
    assert TagCodec.learn(*pair).classes.tolist() == ["B-x", "E-x", "O"]
    assert TagCodec.learn(*single).classes.tolist() == ["S-x"]
    with pytest.raises(ValueError, match=r"classes=\['B-x', 'E-x'\] leave some sequences without any valid labels"):
        TagCodec.learn(*pair, classes=np.array(["B-x", "E-x"]))


def test_free_labels_are_codes_of_their_own():
    tags, has_label = labelled([["NN", "VB", None], ["NN"]])
    codec = TagCodec.learn(tags, has_label)
    assert (codec.scheme, codec.allowed(), codec.count_broken(tags, has_label)) == (None, None, 0)
    codes = codec.encode(tags, has_label)
    assert codes.values.tolist() == [0, 1, 2, 0]
    assert codec.label_sets.tolist() == [[True, False], [False, True], [True, True]]
    assert codec.class_codes(codes).tolist() == [0, 1, -1, 0]


def test_integer_labels():
    tags, _ = labelled([[7, 3], [3]])
    tags = tags.with_values(tags.values.astype(int))
    codec = TagCodec.learn(tags, np.ones(3, dtype=bool))
    codes = codec.encode(tags, np.ones(3, dtype=bool))
    assert codes.values.tolist() == [1, 0, 0]
    assert codec.decode(codes).values.tolist() == [7, 3, 3]


def test_unconstrained_tags_stay_as_they_are():
    tags, has_label = labelled([["O", "I-x", "B-x"]])
    codec = TagCodec.learn(tags, has_label, tag_scheme="IOB2", constrain=False)
    assert codec.scheme == "IOB2"
    assert codec.allowed() is None
    assert codec.decode(codec.encode(tags, has_label)).values.tolist() == ["O", "I-x", "B-x"]
    assert codec.count_broken(tags, has_label) == 0


@every_pair
def test_labels_that_are_not_known_have_no_code(scheme, train_scheme):
    codec = codec_of(scheme, train_scheme)
    tags, has_label = labelled([["O", "B-new", "O"]])
    for repair in (True, False):
        codes = codec.encode(tags, has_label, repair=repair).values
        assert codes[1] == -1
        assert codec.labels[codes[[0, 2]]].tolist() == ["O", "O"]
    assert codec.count_broken(tags, has_label) == 0


def test_the_scheme_of_the_tags_is_no_other_to_train_with():
    assert codec_of("BIOES", "BIOES").train_scheme is None


@pytest.mark.parametrize(
    ("strings", "options", "error", "message"),
    [
        ([["O"], ["O", "E-x"]], {"tag_scheme": "IOB2"}, SequenceDataError, r"y\[1\]\[1\] is 'E-x', which is no tag of"),
        ([["NN"]], {"train_scheme": "BIOES"}, ValueError, "train_scheme='BIOES' needs tags of a scheme"),
        ([["B-x"]], {"train_scheme": "BIOES", "tag_scheme": None}, ValueError, "needs tags of a scheme"),
        ([["B-x"]], {"train_scheme": "BILOU", "constrain": False}, ValueError, "needs constrain_transitions=True"),
        ([["I-x", None]], {"train_scheme": "BIOES", "tag_scheme": "IOB1"}, ValueError, "needs every step of IOB1"),
    ],
)
def test_errors(strings, options, error, message):
    with pytest.raises(error, match=message):
        TagCodec.learn(*labelled(strings), **options)


def test_the_warning_counts():
    with pytest.warns(BrokenTagsWarning, match=r"^3 tag\(s\) of y break the scheme IOB2"):
        warn_broken_tags(3, "IOB2")
