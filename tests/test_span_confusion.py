"""The kinds of errors with spans, against going through all pairs one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_rnn.metrics import span_confusion, span_precision_recall_fscore

KINDS = ["correct", "type", "boundary", "both", "missed", "spurious"]

other_scheme = pytest.mark.filterwarnings("ignore:The spans are read in the scheme")  # as a few tags may look


@st.composite
def pairs(draw):
    """True and predicted spans (start, end, label) of a few sequences, and their IOB2 tags."""
    lengths = draw(st.lists(st.integers(0, 14), min_size=1, max_size=4))
    spans = [[draw(segmentation(n)) for n in lengths] for _ in range(2)]
    tags = [[written(part, n) for part, n in zip(side, lengths, strict=True)] for side in spans]
    return spans, tags


@st.composite
def segmentation(draw, length):
    spans, start = [], 0
    while start < length:
        end = min(length, start + draw(st.integers(1, 6)))
        label = draw(st.sampled_from(["x", "x", "y", None]))
        if label is not None:
            spans.append((start, end, label))
        start = end
    return spans


def written(spans, length):
    tags = ["O"] * length
    for start, end, label in spans:
        tags[start:end] = [f"B-{label}"] + [f"I-{label}"] * (end - start - 1)
    return tags


def counted(true, pred):
    """The documented rule, a pair at a time."""
    counts = {(label, kind): 0 for label in ("x", "y") for kind in KINDS}
    for wanted, found in zip(true, pred, strict=True):
        candidates = []
        for i, (start, end, label) in enumerate(wanted):
            for j, (begin, stop, guess) in enumerate(found):
                common = min(end, stop) - max(start, begin)
                if common > 0:
                    same_bounds = (start, end) == (begin, stop)
                    candidates.append((not same_bounds, -common, label != guess, i, j))
        met_true, met_pred = set(), set()
        for other_bounds, _, other_label, i, j in sorted(candidates):
            if i not in met_true and j not in met_pred:
                met_true.add(i)
                met_pred.add(j)
                kind = [["correct", "type"], ["boundary", "both"]][other_bounds][other_label]
                counts[wanted[i][2], kind] += 1
        for i, (_, _, label) in enumerate(wanted):
            counts[label, "missed"] += i not in met_true
        for j, (_, _, label) in enumerate(found):
            counts[label, "spurious"] += j not in met_pred
    return counts


@given(pairs())
@settings(deadline=None, max_examples=300)
def test_errors_are_counted_as_one_by_one(drawn):
    (true, pred), (y_true, y_pred) = drawn
    confusion = span_confusion(y_true, y_pred)
    labels = sorted({label for side in (true, pred) for spans in side for _, _, label in spans})
    assert list(confusion.index) == [*labels, "total"]
    assert list(confusion.columns) == KINDS
    expected = counted(true, pred)
    for label in labels:
        assert confusion.loc[label].to_dict() == {kind: expected[label, kind] for kind in KINDS}
    assert confusion.loc["total"].tolist() == confusion.iloc[:-1].sum().tolist()


@given(pairs())
@settings(deadline=None, max_examples=50)
def test_errors_and_scores_count_the_same_spans(drawn):
    _, (y_true, y_pred) = drawn
    confusion = span_confusion(y_true, y_pred).iloc[:-1]
    precision, recall, _, support = span_precision_recall_fscore(y_true, y_pred, average=None)
    assert confusion[KINDS[:5]].sum(axis=1).tolist() == support.tolist()
    np.testing.assert_allclose(confusion["correct"], recall * support)
    assert (confusion["correct"].to_numpy() > 0).tolist() == (precision > 0).tolist()


@pytest.mark.parametrize(
    ("true", "pred", "expected"),
    [
        ("B-x I-x O", "B-x I-x O", {"correct": 1}),
        ("B-x I-x O", "B-y I-y O", {"type": 1}),
        ("B-x I-x O", "B-x O O", {"boundary": 1}),
        ("B-x I-x O", "O B-y I-y", {"both": 1}),
        ("B-x I-x O", "O O O", {"missed": 1}),
        ("O O O", "B-x I-x O", {"spurious": 1}),
        ("B-x O O", "O O B-x", {"missed": 1, "spurious": 1}),
        ("B-x I-x I-x I-x", "B-x B-x I-x I-x", {"boundary": 1, "spurious": 1}),
        ("B-x I-x I-x", "B-x B-y I-y", {"both": 1, "spurious": 1}),  # the most common steps before the label
        ("B-x I-x", "B-y B-x", {"boundary": 1, "spurious": 1}),  # then the label
        ("B-x B-x I-x", "B-x I-x I-x", {"boundary": 1, "missed": 1}),
        ("B-x B-y I-y", "B-x I-x I-x", {"both": 1, "missed": 1}),
    ],
)
def test_errors_of_examples(true, pred, expected):
    total = span_confusion([true.split()], [pred.split()]).loc["total"]
    assert {kind: count for kind, count in total.items() if count} == expected


def test_rows_are_the_labels_of_the_true_span_but_of_spurious_ones():
    confusion = span_confusion([["B-x", "O", "O"]], [["B-y", "O", "B-z"]])
    assert confusion.loc["x"].tolist() == [0, 1, 0, 0, 0, 0]
    assert confusion.loc["z"].tolist() == [0, 0, 0, 0, 0, 1]
    assert confusion.loc["y"].tolist() == [0] * 6


@other_scheme
def test_modes_ignored_steps_and_schemes():
    true, pred = [["B-x", "I-x", "O", "O"]], [["I-x", "I-x", "O", "B-y"]]
    assert span_confusion(true, pred).loc["total"].tolist() == [0, 0, 0, 0, 1, 1]
    assert span_confusion(true, pred, mode="conlleval").loc["total"].tolist() == [1, 0, 0, 0, 0, 1]
    true[0][3] = "?"
    assert span_confusion(true, pred, ignore_label="?").loc["total"].tolist() == [0, 0, 0, 0, 1, 0]
    assert span_confusion([["B-x", "I-x"]], [["B-x", "I-x"]], scheme="BIOES").loc["total"].tolist() == [0] * 6


def test_without_spans_all_counts_are_zero():
    confusion = span_confusion([["O"], []], [["O"], []])
    assert list(confusion.index) == ["total"]
    assert confusion.loc["total"].tolist() == [0] * 6
