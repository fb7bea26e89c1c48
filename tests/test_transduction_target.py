"""Sequences of their own length as a target: what is learned of them, read and said."""

import numpy as np
import pytest

from sklearn_rnn import RNNEncoderDecoder
from sklearn_rnn.data.batching import SequenceDataset
from sklearn_rnn.data.encoding import StepEncoding
from sklearn_rnn.data.inputs import read
from sklearn_rnn.data.orders import BatchIterator, Buckets
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.targets.continuation import Symbols
from sklearn_rnn.targets.transduction import MARGIN, Transduction


def learned(sources, targets, weight=None, **parameters):
    """A target that has learned tokens, and the training set."""
    (X, _), (y, spec) = read(sources), read(targets, allow_empty=True)
    data = TrainingSet(X, y, np.ones(len(X)) if weight is None else np.array(weight))
    target = Transduction(Symbols(), spec, **parameters)
    encoding = StepEncoding.learn(X, read(sources)[1])
    target.learn(data, data, None, encoding)
    return target, data


SOURCES = [["a", "b"], ["c"], ["a"]]
TARGETS = [["x"], [], ["y", "x", "x", "y"]]


def test_a_begin_is_read_and_an_end_is_said():
    target, data = learned(SOURCES, TARGETS)
    encoded = target.encoded(data, training=True)
    x, y, end = (*(target.following.vocabulary[symbol] for symbol in "xy"), target.following.end)
    assert [row.tolist() for row in encoded.read] == [[end, x], [end], [end, y, x, x, y]]
    assert [row.tolist() for row in encoded.target] == [[x, end], [end], [y, x, x, y, end]]
    assert target.attributes()["target_classes_"].tolist() == ["x", "y", "</s>"]
    assert target.head().layout.embedded[0][0] == end + 1 == target.head().n_outputs


def test_a_target_may_be_as_long_as_those_of_training_for_their_sources():
    target, _ = learned(SOURCES, TARGETS)
    ratio = max((len(y) + MARGIN) / (len(x) + MARGIN) for x, y in zip(SOURCES, TARGETS, strict=True))
    for n in (1, 2, 30):
        assert target.most_new(np.array([n])) == int(np.ceil(ratio * (n + MARGIN)))
    assert all(target.most_new(np.array([len(x)])) > len(y) for x, y in zip(SOURCES, TARGETS, strict=True))


def test_the_loss_is_the_mean_of_a_step_whatever_its_target_is():
    target, data = learned(SOURCES, TARGETS, [1.0, 2.0, 1.0])
    weighed = target.weighed(target.encoded(data, training=True), training=True)
    steps = weighed.step_weight.values
    assert steps.sum() == pytest.approx(len(data))
    np.testing.assert_allclose(steps / steps[0], [1, 1, 2, 1, 1, 1, 1, 1])


def test_symbols_of_both_sides_may_be_the_same_ones():
    target, _ = learned([["x", "z"], ["y"], ["x"]], TARGETS, shared=True)
    assert target.following.vocabulary == {"x": 1, "y": 2, "z": 3}
    assert target.following.end == 4


def test_batches_hold_pairs_that_are_alike_on_both_sides(rng):
    n_source, n_target = rng.integers(1, 30, (2, 512))
    parts = [Sequences(np.zeros(n.sum(), np.int64), np.concatenate([[0], np.cumsum(n)])) for n in (n_source, n_target)]
    ones = parts[1].with_values(np.ones(n_target.sum()))
    data = TrainingSet(*parts, np.ones(512), ones, read=parts[1])
    dataset = SequenceDataset(data, "own")
    padded, seen = 0, 0
    for batch in BatchIterator(dataset, 8, Buckets(np.random.RandomState(0))):
        for part in batch.parts:
            assert part.read.shape == part.target.shape == part.weight.shape
            assert int(part.target_lengths.max()) == part.read.shape[1]
            padded += part.values.numel() + part.read.numel()
            seen += len(part)
    assert seen == 512
    assert padded < 1.35 * (n_source.sum() + n_target.sum())


@pytest.mark.parametrize("flat", [True, False])
def test_steps_are_numbers_where_those_of_y_were(flat):
    X = ["ab", "b"] * 4
    y = [np.arange(1.0, 4.0), np.array([2.5])] * 4
    y = y if flat else [steps[:, None] for steps in y]
    model = RNNEncoderDecoder(hidden_size=4, max_epochs=1, random_state=0).fit(X, y)
    assert {steps.ndim for steps in model.sample(X, random_state=0)} == {1 if flat else 2}
