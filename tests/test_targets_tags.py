"""Labels of steps, against loops over steps."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.utils.class_weight import compute_class_weight

from sklearn_rnn import Sequences
from sklearn_rnn.data.encoding import StepEncoding
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.exceptions import UnseenLabelsWarning
from sklearn_rnn.metrics import span_f1_score
from sklearn_rnn.networks.losses import CHAIN, CROSS_ENTROPY
from sklearn_rnn.targets.tags import Tags

TAGS = [["B-x", "I-x", "O"], ["O"], ["O", "B-x", "?", "O"], ["B-x"]]
WEIGHT = np.array([1.0, 2.0, 0.5, 1.5])


def container(tags):
    return Sequences.from_arrays([np.array(part, dtype=object) for part in tags])


def data_of(tags, weight=WEIGHT, step_weight=None):
    labels = container(tags)
    steps = labels.with_values(np.arange(float(len(labels.values)))[:, None])
    beside = None if step_weight is None else Sequences.from_arrays([np.array(w, dtype=float) for w in step_weight])
    return TrainingSet(steps, labels, weight, beside)


def learned(tags=TAGS, **parameters):
    target = Tags(**{"ignore_label": "?", **parameters})
    target.learn(data_of(tags, np.ones(len(tags))), data_of(tags, np.ones(len(tags))), None, StepEncoding())
    return target


def encoded(target, tags=TAGS, *, training=True, **parts):
    data = data_of(tags, **parts)
    codes = target.encode(data.target, training=training)
    return TrainingSet(data.sequences, codes, data.weight, data.step_weight)


def test_a_sequence_is_present_if_a_step_is_labelled():
    target = learned()
    assert target.alignment == "step"
    assert target.present(container([["?"], ["O", "?"], [], ["B-x"]])).tolist() == [False, True, False, True]
    with pytest.raises(ValueError, match="y holds no label"):
        target.present(container([["?"], ["?", "?"]]))


def test_codes_are_positions_and_steps_without_a_label_have_one_of_their_own():
    target = learned()
    assert target.classes.tolist() == ["B-x", "I-x", "O"]
    codes = target.encode(container(TAGS), training=True)
    labelled = target.labelled(container(TAGS))
    assert_array_equal(target.classes[codes.values[labelled]], container(TAGS).values[labelled])
    assert (codes.values[~labelled] == 3).all()
    sets = target.code_sets(of_new=False)
    assert_array_equal(sets, np.vstack([np.eye(3), np.ones((1, 3)), np.zeros((1, 3))]))
    with pytest.warns(UnseenLabelsWarning, match="'NEW'"):
        assert target.encode(container([["NEW", "O"]]), training=False).values.tolist() == [-1, 2]


@pytest.mark.parametrize("class_weight", [None, "balanced", {"O": 4.0}])
@pytest.mark.parametrize("of_steps", [None, [[1, 0.5, 2], [0], [3, 1, 1, 0.5], [1]]])
@pytest.mark.parametrize("training", [True, False])
def test_weights_of_the_loss_have_mean_1_a_sequence(class_weight, of_steps, training):
    target = learned(class_weight=class_weight)
    found = target.weighed(encoded(target, step_weight=of_steps), training=training).step_weight
    expected = []
    for i, tags in enumerate(TAGS):
        own = np.ones(len(tags)) if of_steps is None else of_steps[i]
        expected += [0 if tag == "?" else WEIGHT[i] * w for tag, w in zip(tags, own, strict=True)]
    expected, flat = np.array(expected, dtype=float), np.concatenate(TAGS)
    if training and class_weight == "balanced":
        y = np.repeat(flat, (4 * expected).astype(int))
        of_class = dict(zip(target.classes, compute_class_weight("balanced", classes=target.classes, y=y), strict=True))
        expected *= [of_class.get(tag, 1.0) for tag in flat]
    elif training and class_weight:
        expected[flat == "O"] *= 4
    assert_allclose(found.values, expected * len(TAGS) / expected.sum())


def test_no_weight_at_all_is_refused():
    target = learned()
    with pytest.raises(ValueError, match="no step has a weight in the training data"):
        target.weighed(encoded(target, [["?", "O"]], weight=np.ones(1), step_weight=[[1, 0]]), training=True)


def test_head_and_loss():
    target = learned(decoder="softmax", label_smoothing=0.1)
    exact = encoded(target, [["O", "B-x"]], weight=np.ones(1))
    loss, settings = target.criterion(exact)
    assert loss is CROSS_ENTROPY
    assert (settings.label_smoothing, settings.label_sets, settings.uneven) == (0.1, None, False)
    _, settings = target.criterion(exact, encoded(target))
    assert_array_equal(settings.label_sets.numpy(), target.code_sets(of_new=True))
    stepwise = encoded(target, [["O", "B-x"]], weight=np.ones(1), step_weight=[[1, 2]])
    assert target.criterion(stepwise)[1].uneven
    chain = learned()
    assert chain.criterion(exact)[0] is CHAIN
    head = chain.head()
    assert head.n_outputs == 3
    assert not head.allowed[2, 1], "no I-x after O"
    assert not head.allowed[3, 1], "nor at the start"


@pytest.mark.parametrize("cut", ["head", "tail"])
def test_one_end_of_long_sequences_is_shown(cut):
    target = learned(max_length=2, truncate=cut)
    data = encoded(target, step_weight=[[1, 2, 3], [4], [5, 6, 7, 8], [9]])
    parts = target.cut(data)
    of_part = {part[0, 0]: i for i, part in enumerate(parts.sequences)}
    whole = zip(data.sequences, data.target, data.step_weight, data.weight, strict=True)
    kept = 0
    for steps, codes, own, weight in whole:
        rows = slice(-2, None) if cut == "head" else slice(0, 2)
        i = of_part[steps[rows][0, 0]]
        assert_array_equal(parts.sequences[i], steps[rows])
        assert_array_equal(parts.target[i], codes[rows])
        assert_array_equal(parts.step_weight[i], own[rows])
        assert parts.weight[i] == weight
        kept += 1
    assert len(parts) == kept == 4


def test_windows_without_a_label_are_not_shown():
    target = learned([["O", "?", "?", "B-x"]], max_length=2, stride=2)
    data = encoded(target, [["O", "?", "?", "?", "B-x", "O"]], weight=np.array([2.0]))
    parts = target.cut(data)
    assert sorted(part[:, 0].tolist() for part in parts.sequences) == [[0, 1], [4, 5]]
    assert parts.weight.tolist() == [2, 2]


def test_the_score_is_the_weighted_share_of_right_steps():
    target = learned()
    rng = np.random.default_rng(0)
    wanted, found = rng.integers(0, 3, size=9), rng.integers(0, 3, size=9)
    weight = rng.uniform(0, 2, size=9)
    score = target.score(found.astype(float), wanted.astype(float), weight, np.array([4, 2, 3]))
    assert score == pytest.approx(np.average(wanted == found, weights=weight))
    new = np.where(np.arange(9) == 1, 4, wanted)  # what weights turn the code of a new label into: always wrong
    score = target.score(new.astype(float), new.astype(float), weight, np.array([4, 2, 3]))
    assert score == pytest.approx(1 - weight[1] / weight.sum())


def test_the_score_of_spans_is_that_of_the_metric():
    target = learned(scoring="span_f1")
    truth = [["B-x", "I-x", "O"], ["O", "B-x"], ["B-x", "B-x"]]
    said = [["B-x", "I-x", "O"], ["B-x", "O"], ["B-x", "I-x"]]
    weight = np.array([1.0, 2.0, 0.5])
    codes = [
        np.array([target.classes.tolist().index(tag) for tag in np.concatenate(tags)], float) for tags in (said, truth)
    ]
    score = target.score(*codes, np.repeat(weight, [3, 2, 2]), np.array([3, 2, 2]))
    assert 0 < score < 1
    assert score == pytest.approx(span_f1_score(truth, said, scheme="IOB2", sample_weight=weight))


def test_a_stride_longer_than_a_window_is_refused():
    with pytest.raises(ValueError, match="stride=3 needs a max_length of at least as much, got 2"):
        Tags(max_length=2, stride=3).checked_stride()


def test_spans_are_scored_of_tags_alone():
    with pytest.raises(ValueError, match="scoring='span_f1' needs labels that mark spans"):
        learned([["up", "down"]], scoring="span_f1")
