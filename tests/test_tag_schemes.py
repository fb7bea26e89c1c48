"""Tags that mark spans, against all segmentations of short sequences, the CoNLL rules and seqeval."""

import warnings
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sklearn_rnn import Sequences
from sklearn_rnn.data.tag_schemes import (
    SCHEMES,
    allowed_transitions,
    closest_scheme,
    convert_tags,
    span_table,
    unknown_tags,
    violations,
)
from sklearn_rnn.exceptions import SequenceDataError

every_scheme = pytest.mark.parametrize("scheme", SCHEMES)
PREFIXES = {"IOB1": "BI", "IOB2": "BI", "BIOES": "BIES", "BILOU": "BILU", "BMES": "BMES", "BMEWO": "BMEW"}
LABELS = ("x", "y")
LONGEST = 4


def alphabet(scheme):
    return ["O", *(f"{prefix}-{label}" for prefix in PREFIXES[scheme] for label in LABELS)]


def all_strings(tags):
    return [string for length in range(LONGEST + 1) for string in product(tags, repeat=length)]


def segmentations(length, start=0):
    """Every way to lay spans (start, end, label) side by side into a sequence."""
    if start == length:
        yield ()
        return
    for rest in segmentations(length, start + 1):
        yield rest
    for end in range(start + 1, length + 1):
        for label in LABELS:
            for rest in segmentations(length, end):
                yield ((start, end, label), *rest)


def written(spans, length, scheme):
    """The definition of each scheme, a span at a time."""
    tags = ["O"] * length
    for start, end, label in spans:
        if scheme == "IOB1":
            touches = any(other[1] == start and other[2] == label for other in spans)
            prefixes = ["B" if touches else "I"] + ["I"] * (end - start - 1)
        elif scheme == "IOB2":
            prefixes = ["B"] + ["I"] * (end - start - 1)
        elif end - start == 1:
            prefixes = [PREFIXES[scheme][3]]
        else:
            prefixes = ["B"] + [PREFIXES[scheme][1]] * (end - start - 2) + [PREFIXES[scheme][2]]
        tags[start:end] = [f"{prefix}-{label}" for prefix in prefixes]
    return tuple(tags)


def valid_strings(scheme):
    """The spans of every string that the scheme can write."""
    lengths = range(LONGEST + 1)
    return {written(spans, length, scheme): spans for length in lengths for spans in segmentations(length)}


def container(strings):
    flat = [tag for string in strings for tag in string]
    values = np.array(flat, dtype=object)
    return Sequences(values, np.concatenate([[0], np.cumsum([len(string) for string in strings])]))


def spans_of(table, n_sequences):
    found = [[] for _ in range(n_sequences)]
    for sequence, start, end, label in zip(table.sequence, table.start, table.end, table.label, strict=True):
        found[sequence].append((start, end, table.labels[label]))
    return [tuple(spans) for spans in found]


def starts_chunk(before, tag, same):
    """startOfChunk of the reference script, with the single-step prefix that its successors know."""
    return tag in ("B", "S") or (before in ("E", "S", "O") and tag in ("E", "I")) or (tag != "O" and not same)


def ends_chunk(before, tag, same):
    """endOfChunk of the same."""
    return before in ("E", "S") or (before in ("B", "I") and tag in ("B", "S", "O")) or (before != "O" and not same)


def conlleval_spans(tags):
    """The chunks that the script counts, found step by step."""
    prefix = {"L": "E", "U": "S", "M": "I", "W": "S"}
    spans, begun, before, label_before = [], None, "O", ""
    for step, tag in enumerate([*tags, "O"]):
        letter, _, label = tag.partition("-")
        letter = prefix.get(letter, letter)
        if ends_chunk(before, letter, label == label_before):
            spans.append((begun, step, label_before))
        if starts_chunk(before, letter, label == label_before):
            begun = step
        before, label_before = letter, label
    return tuple(spans)


@every_scheme
def test_valid_tags_are_those_that_the_scheme_can_write(scheme):
    strings, valid = all_strings(alphabet(scheme)), valid_strings(scheme)
    assert 100 < len(valid) < len(strings)
    tags = container(strings)
    broken = np.searchsorted(tags.offsets, violations(tags, scheme), side="right") - 1
    assert {strings[i] for i in set(range(len(strings))) - set(broken.tolist())} == set(valid)


@every_scheme
def test_allowed_transitions_accept_the_same_strings(scheme):
    tags, valid = alphabet(scheme), valid_strings(scheme)
    start, transitions, end = allowed_transitions(np.array(tags), scheme)
    for string in product(range(len(tags)), repeat=3):
        accepted = start[string[0]] and end[string[-1]]
        accepted &= all(transitions[i, j] for i, j in pairwise(string))
        assert accepted == (tuple(tags[i] for i in string) in valid)


@every_scheme
def test_the_first_violation_is_where_no_valid_tags_can_go_on(scheme):
    strings, valid = all_strings(alphabet(scheme)), valid_strings(scheme)
    beginnings = {string[:length] for string in valid for length in range(LONGEST + 1)}
    tags = container([string for string in strings if 0 < len(string) < LONGEST])
    rows = violations(tags, scheme)
    sequence = np.searchsorted(tags.offsets, rows, side="right") - 1
    for i, string in enumerate(tags):
        found = (rows[sequence == i] - tags.offsets[i]).tolist()
        lost = [step for step in range(len(string)) if tuple(string[: step + 1]) not in beginnings]
        assert found[:1] == (lost[:1] or ([] if tuple(string) in valid else [len(string) - 1]))
        assert found == sorted(set(found))


@pytest.mark.parametrize(
    ("tags", "scheme", "expected"),
    [
        ("O I-x I-x I-y", "IOB2", [1, 3]),
        ("B-x I-x I-y", "IOB1", [0]),
        ("B-x O I-x E-x", "BIOES", [1, 2]),
        ("B-x S-x B-y", "BIOES", [1, 2]),
        ("B-x U-x L-y", "BILOU", [1, 2]),
        ("B-x NOUN I-x", "IOB2", [1, 2]),  # what is no tag breaks the span
        ("B I B", "IOB2", []),
        ("", "IOB2", []),
    ],
)
def test_violations_of_examples(tags, scheme, expected):
    assert violations(container([tags.split()]), scheme).tolist() == expected


@every_scheme
@pytest.mark.parametrize("mode", ["strict", "conlleval"])
def test_valid_tags_mark_their_spans(scheme, mode):
    valid = valid_strings(scheme)
    assert spans_of(span_table(container(list(valid)), scheme, mode), len(valid)) == list(valid.values())


@every_scheme
def test_all_tags_are_read_as_the_reference_script_reads_them(scheme):
    strings = all_strings(alphabet(scheme))
    found = spans_of(span_table(container(strings), scheme, "conlleval"), len(strings))
    assert found == [conlleval_spans(string) for string in strings]


@every_scheme
def test_all_tags_are_read_as_seqeval_reads_them(scheme):
    strict = pytest.importorskip("seqeval.scheme")
    lenient = pytest.importorskip("seqeval.metrics.sequence_labeling")
    strings = [list(string) for string in all_strings(alphabet(scheme))]
    theirs, known = strings, getattr(strict, {"BIOES": "IOBES"}.get(scheme, scheme), strict.IOBES)
    if known is strict.IOBES:  # which BMES and BMEWO are in other letters
        theirs = [[tag.translate(str.maketrans("MW", "IS")) for tag in string] for string in strings]
    expected = strict.Entities(theirs, known).entities
    found = spans_of(span_table(container(strings), scheme, "strict"), len(strings))
    assert found == [tuple((e.start, e.end, e.tag) for e in entities) for entities in expected]
    found = spans_of(span_table(container(strings), scheme, "conlleval"), len(strings))
    letters = str.maketrans("LUMW", "ESIS")  # its lenient mode knows those of BIOES alone
    with warnings.catch_warnings(action="ignore"):
        expected = [lenient.get_entities([tag.translate(letters) for tag in string]) for string in strings]
    assert found == [tuple((start, last + 1, label) for label, start, last in chunks) for chunks in expected]


@st.composite
def tag_strings(draw):
    """A few sequences of tags in any prefixes, some of them empty, with labels that hold dashes or nothing."""
    label = st.sampled_from(["x", "y", "x-y", ""])
    tag = st.one_of(st.just("O"), st.builds(lambda p, s: f"{p}-{s}" if s else p, st.sampled_from("BIESLUMW"), label))
    return draw(st.lists(st.lists(tag, max_size=9), min_size=1, max_size=5))


@given(tag_strings())
@settings(deadline=None)
def test_any_tags_are_read_as_the_reference_script_reads_them(strings):
    found = spans_of(span_table(container(strings), "IOB2", "conlleval"), len(strings))
    assert found == [conlleval_spans(string) for string in strings]


@given(tag_strings(), st.sampled_from(SCHEMES), st.sampled_from(["strict", "conlleval"]))
@settings(deadline=None)
def test_sequences_are_read_one_by_one(strings, scheme, mode):
    strings = [[tag for tag in string if tag[0] in "O" + PREFIXES[scheme]] for string in strings]
    table = span_table(container(strings), scheme, mode)
    alone = [spans_of(span_table(container([string]), scheme, mode), 1)[0] for string in strings]
    assert spans_of(table, len(strings)) == alone
    assert_array_equal(table.sequence, np.sort(table.sequence))


@pytest.mark.parametrize("target", SCHEMES)
@every_scheme
def test_converted_tags_mark_the_same_spans(scheme, target):
    valid = valid_strings(scheme)
    tags = container(list(valid))
    converted = convert_tags(tags, scheme, target)
    expected = [written(spans, len(string), target) for string, spans in valid.items()]
    assert [tuple(string) for string in converted] == expected
    assert_array_equal(convert_tags(converted, target, scheme).values, tags.values)
    assert converted.values.dtype == object
    assert {type(tag) for tag in converted.values} == {str}


@given(tag_strings(), st.sampled_from(SCHEMES), st.sampled_from(SCHEMES))
@settings(deadline=None)
def test_conversion_mends_broken_tags(strings, source, target):
    strings = [[tag for tag in string if tag[0] in "O" + PREFIXES[source]] for string in strings]
    converted = convert_tags(container(strings), source, target)
    assert len(violations(converted, target)) == 0
    found = spans_of(span_table(converted, target), len(strings))
    assert found == [conlleval_spans(string) for string in strings]


def test_conversion_keeps_what_else_the_container_holds():
    tags = Sequences(np.array(["B-x", "I-x", "O"]), [0, 0, 2, 3], ids=["a", "b", "c"])
    converted = convert_tags(tags, "IOB2", "BILOU")
    assert [part.tolist() for part in converted] == [[], ["B-x", "L-x"], ["O"]]
    assert converted.ids.tolist() == ["a", "b", "c"]
    assert tags.values.tolist() == ["B-x", "I-x", "O"]


@every_scheme
def test_a_scheme_is_known_from_its_tags(scheme):
    for string, spans in valid_strings(scheme).items():
        closest = closest_scheme(container([string]))
        same = scheme in ("BMES", "BMEWO") and string == written(spans, len(string), closest)  # in either's letters
        assert not spans or closest == scheme or same
    assert closest_scheme(container([*valid_strings(scheme), ()])) == scheme


@pytest.mark.parametrize(
    ("tags", "closest"),
    [
        ("O O", "IOB2"),
        ("", "IOB2"),
        ("NOUN VERB", None),
        ("O B-x B-y-z NOUN", None),
        ("B-x E-x U-x", None),
        ("B-x I-x O I-x O B-y", "IOB2"),
        ("I-x O I-x O B-x O I-y", "IOB1"),
        ("B-x E-x O S-x B-x O", "BIOES"),
        ("B I O", "IOB2"),
    ],
)
def test_schemes_of_examples(tags, closest):
    assert closest_scheme(container([tags.split()])) == closest


def test_integers_are_no_tags():
    tags = Sequences(np.array([0, 1, 1]), [0, 3])
    assert unknown_tags(tags.values, "IOB2") == [0, 1]
    assert violations(tags, "IOB2").tolist() == [0, 1, 2]


def test_unknown_tags_are_listed_once():
    values = np.array(["O", "E-x", "B-x", "S-y", "E-x", "x", "", "O-x", "BI-x", "b-x", None], dtype=object)
    assert unknown_tags(values, "IOB2") == ["E-x", "S-y", "x", "", "O-x", "BI-x", "b-x", None]
    assert unknown_tags(values, "BIOES") == ["x", "", "O-x", "BI-x", "b-x", None]


@pytest.mark.parametrize("mode", ["strict", "conlleval"])
def test_many_labels(mode):
    labels = [f"label {i:04}" for i in range(1000)]
    table = span_table(container([[f"B-{label}", f"I-{label}", "O"] for label in labels]), "IOB2", mode)
    assert table.labels == labels
    assert_array_equal(table.label, np.arange(1000))
    assert_array_equal(table.sequence, np.arange(1000))
    assert_array_equal(table.end, np.full(1000, 2))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda tags: span_table(tags, "IOB3"), ValueError, r"scheme must be one of .*got 'IOB3'"),
        (lambda tags: span_table(tags, "IOB2", "loose"), ValueError, r"mode must be one of .*got 'loose'"),
        (lambda tags: convert_tags(tags, "IOBES", "IOB2"), ValueError, "source must be one of"),
        (lambda tags: convert_tags(tags, "IOB2", "IOBES"), ValueError, "target must be one of"),
        (lambda tags: violations(tags, "auto"), ValueError, "scheme must be one of"),
        (lambda tags: unknown_tags(tags.values, None), ValueError, "scheme must be one of"),
        (lambda tags: span_table(tags, "IOB2", name="y"), SequenceDataError, r"y\[2\]\[1\] is 'S-x'.*no IOB2 tag"),
        (lambda tags: convert_tags(tags, "IOB1", "IOB2"), SequenceDataError, r"tags\[2\]\[1\] is 'S-x'.*'B-label'"),
        (lambda tags: span_table(tags, "IOB2", "conlleval"), SequenceDataError, r"tags\[2\]\[2\] is '\?'.*no span tag"),
        (lambda tags: allowed_transitions(["O", "S-x"], "IOB2"), SequenceDataError, "classes holds 'S-x'.*no IOB2 tag"),
    ],
)
def test_errors_name_what_came(call, error, message):
    with pytest.raises(error, match=message):
        call(container([["O"], [], ["B-x", "S-x", "?"]]))
