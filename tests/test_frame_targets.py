"""Frames and real numbers that come next, as targets of a language model."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from likelihoods import built, normal
from numpy.testing import assert_allclose
from scipy import stats
from scipy.special import expit

from sklearn_rnn import RNNLanguageModel
from sklearn_rnn.data.encoding import StepEncoding
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.data.validation import InputSpec
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.targets.frames import Frames, RealSteps

LENGTHS = [3, 1, 4]


def sequences_of(values, lengths=LENGTHS):
    return Sequences(np.asarray(values, dtype=np.float64), np.concatenate([[0], np.cumsum(lengths)]))


def random_steps(kind, lengths=LENGTHS, n_features=3, seed=0):
    numbers = np.random.default_rng(seed).normal(size=(sum(lengths), n_features))
    values = (numbers > 0) * 1.0 if kind is Frames else 100 + [5, 0.1, 2][:n_features] * numbers
    return sequences_of(values, lengths)


def learned(target, steps, *, standardize=True, weight=None):
    """The target, and the steps as a network reads them."""
    spec = InputSpec("numeric", steps.n_features, table=False)
    encoding = StepEncoding.learn(steps, spec, standardize=standardize)
    data = TrainingSet(steps, np.empty((len(steps), 0)), np.ones(len(steps)) if weight is None else np.array(weight))
    target.learn(data, data, None, encoding)
    return target, encoding.encode(steps, spec, "float64")


kinds = pytest.mark.parametrize("kind", [Frames, RealSteps])
scaled = pytest.mark.parametrize("standardize", [False, True])
streams = pytest.mark.parametrize("stream", [False, True])


@kinds
@scaled
def test_documents_are_read_from_a_begin_and_end_with_an_end(kind, standardize):
    steps = random_steps(kind)
    target, encoded = learned(kind(), steps, standardize=standardize)
    read, following = target.continued(encoded)
    assert read.lengths.tolist() == following.lengths.tolist() == [4, 2, 5]
    for raw, own, seen, come in zip(steps, encoded, read, following, strict=True):
        assert (seen[0] == 0).all()
        assert_allclose(seen[1:], own)
        assert_allclose(target.from_loss(come[:-1, :-1]), raw, atol=1e-12)
        assert come[:, -1].tolist() == [0] * len(raw) + [1]
        assert np.isnan(come[-1, :-1]).all()


@kinds
@scaled
def test_a_stream_is_read_one_step_late(kind, standardize):
    steps = random_steps(kind, [8])
    target, encoded = learned(kind(stream=True), steps, standardize=standardize)
    read, following = target.continued(encoded)
    assert_allclose(read.values, np.vstack([np.zeros(3), encoded.values[:-1]]))
    assert_allclose(target.from_loss(following.values), steps.values, atol=1e-12)
    assert not target.head().ends


@streams
def test_training_starts_from_how_often_each_feature_is_1(stream):
    steps = random_steps(Frames, [8] if stream else LENGTHS)
    target, _ = learned(Frames(stream=stream), steps)
    head = built(target.head())
    target.head().settle(head)
    bias = head.linear.bias.detach().numpy()
    assert_allclose(expit(bias[:3]), (steps.values.sum(0) + 0.5) / 9)
    if not stream:
        assert_allclose(np.exp(bias[3]), 3 / 8)


def test_what_is_learned_counts_by_weight():
    steps, weight = random_steps(Frames), [1.0, 2.0, 0.0]
    twice = Sequences(steps.values[[0, 1, 2, 3, 3]], [0, 3, 4, 5])
    weighted, _ = learned(Frames(), steps, weight=weight)
    repeated, _ = learned(Frames(), twice)
    assert_allclose(weighted.log_odds, repeated.log_odds)
    assert_allclose(weighted.end_log_odds, repeated.end_log_odds)
    rows = np.array([[0.0], [1.0], [5.0], [7.0]])
    weighted, _ = learned(RealSteps(), sequences_of(rows, [2, 2]), weight=[1.0, 3.0])
    assert_allclose(weighted.standard.location, [(0 + 1 + 3 * 5 + 3 * 7) / 8])


def test_frames_have_the_head_that_is_asked_for():
    steps = random_steps(Frames)
    assert learned(Frames(), steps)[0].head().n_units == 0
    assert learned(Frames(frame_head="chained"), steps)[0].head().n_units > 0
    assert learned(RealSteps(n_mixtures=4), random_steps(RealSteps))[0].head().n_mixtures == 4


@scaled
@streams
def test_a_density_is_one_of_numbers_in_their_own_units(standardize, stream):
    steps = random_steps(RealSteps, [8])
    target, encoded = learned(RealSteps(n_mixtures=1, stream=stream), steps, standardize=standardize)
    head = built(target.head())
    target.head().settle(head)
    _, following = target.continued(encoded)
    rows = torch.from_numpy(following.values)
    outputs = head.linear.bias.detach().expand(len(rows), -1)
    found = target.log_likelihood(outputs, rows, head).detach().numpy()
    density = stats.norm(steps.values.mean(0), steps.values.std(0)).logpdf(steps.values).sum(1)
    share = 0 if stream else 1 / 9
    assert_allclose(found[:8], density + np.log1p(-share), rtol=1e-6)
    if not stream:
        assert_allclose(found[8], np.log(share))


def test_losses_and_validation_scores_are_in_the_units_of_x():
    X = [1000 * np.random.default_rng(k).normal(size=(5, 2)) for k in range(30)]
    options = {"hidden_size": 3, "max_epochs": 2, "dropout": 0.0, "learning_rate": 1e-6, "random_state": 0}
    model = RNNLanguageModel(**options).fit(X, X_val=X)
    assert_allclose([-model.loss_curve_[-1], model.validation_scores_[-1]], model.score(X), rtol=1e-3)


@kinds
@scaled
def test_the_best_step_is_in_the_units_of_x_and_can_be_read_again(kind, standardize):
    steps = random_steps(kind)
    target, encoded = learned(kind(), steps, standardize=standardize)
    head = built(target.head())
    outputs = normal(200, head.linear.out_features)
    best = target.best(outputs, head)
    assert np.isnan(best).all(1).tolist() == (outputs[:, -1] > 0).tolist()
    known = best[~np.isnan(best[:, 0])]
    if kind is Frames:
        assert set(known.ravel()) == {0, 1}
    else:
        assert (abs(known - steps.values.mean(0)) < 8 * steps.values.std(0)).all()
    assert_allclose(target.as_read(steps.values), encoded.values, atol=1e-12)


@pytest.mark.parametrize("value", [0.5, -1, 2, 64])
def test_frames_that_are_not_0_and_1_are_refused_with_their_place(value):
    frames = [np.eye(3), np.ones((2, 3))]
    model = RNNLanguageModel(output="binary", max_epochs=1, hidden_size=4, random_state=0)
    wrong = [np.eye(3), np.array([[0, 1, 0], [1, 0, value]])]
    expected = rf"X\[1\]\[1\]\[2\] = {value}.*1 such.*output='gaussian_mixture'"
    with pytest.raises(SequenceDataError, match=expected):
        model.fit(wrong)
    model.fit(frames)
    for method in (model.predict, model.score_samples):
        with pytest.raises(SequenceDataError, match=expected):
            method(wrong)


def test_numbers_far_beyond_those_of_fit_are_refused():
    target, encoded = learned(RealSteps(), random_steps(RealSteps))
    _, following = target.continued(encoded.with_values(encoded.values * 1e14))
    with pytest.raises(SequenceDataError, match=r"times as large as the scale that was learned.*in one unit"):
        target.weighed(TrainingSet(encoded, following, np.ones(3)), training=False)


def test_no_step_is_nothing_to_learn_from():
    with pytest.raises(ValueError, match="no step that has a weight"):
        learned(Frames(), random_steps(Frames), weight=[0, 0, 0])


def test_a_mixture_has_no_classes():
    assert Frames().has_probabilities
    assert not RealSteps().has_probabilities
    assert not hasattr(RNNLanguageModel(output="gaussian_mixture"), "predict_proba")


@given(
    lengths=st.lists(st.integers(0, 6), min_size=2, max_size=5).filter(sum),
    kind=st.sampled_from([Frames, RealSteps]),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=15)
def test_sequences_are_scored_and_continued_as_each_alone(lengths, kind, seed):
    X = list(random_steps(kind, lengths, seed=seed))
    output = "binary" if kind is Frames else "gaussian_mixture"
    options = {"frame_head": "chained", "hidden_size": 5, "max_epochs": 1, "n_mixtures": 2, "dtype": "float64"}
    model = RNNLanguageModel(output=output, random_state=0, **options).fit(X)
    together, best = model.score_steps(X), model.predict(X)
    assert_allclose(model.score_samples(X), [steps.sum() for steps in together])
    for x, scores, own in zip(X, together, best, strict=True):
        assert scores.shape == (len(x) + 1,)
        assert_allclose(model.score_steps([x])[0], scores, rtol=1e-9)
        assert_allclose(model.predict([x])[0], own, rtol=1e-9)


@pytest.mark.parametrize("frame_head", ["independent", "chained"])
def test_a_round_of_chords_is_learned(frame_head):
    """Each frame follows from the one before; of the first one each of three is as probable."""
    chords = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [1, 1, 0, 0]], dtype=float)
    X = [chords[(np.arange(6) + k) % 3] for k in range(3)] * 4
    options = {"hidden_size": 16, "learning_rate": 0.03, "max_epochs": 160, "batch_size": 12, "dropout": 0.0}
    model = RNNLanguageModel(frame_head=frame_head, random_state=0, **options).fit(X)
    steps = np.array([model.score_steps([x])[0] for x in X[:3]])
    assert (steps[:, 1:] > np.log(0.9)).all()
    assert model.predict([x[:4] for x in X[:3]]).tolist() == [x[4].tolist() for x in X[:3]]
    assert np.isnan(model.predict(X[:1])).all(), "the end"
    first = steps[:, 0]
    if frame_head == "chained":
        assert_allclose(first, np.log(1 / 3), atol=0.1)
    else:  # of notes that are independent all eight combinations that the rates of notes give
        assert (first < np.log(0.25)).all()
    assert_allclose(model.predict_proba([np.empty((0, 4))]), [[2 / 3, 2 / 3, 1 / 3, 1 / 3]], atol=0.1)
