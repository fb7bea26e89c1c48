"""Steps of numbers that are written one by one, against the network itself and a plain loop."""

import numpy as np
import pytest
import torch
from likelihoods import normal
from numpy.testing import assert_allclose
from scipy import stats

from sklearn_rnn import RNNLanguageModel
from sklearn_rnn.networks.choosing import Decoding, Draws
from sklearn_rnn.networks.heads import FrameHeadSpec, MixtureHeadSpec
from sklearn_rnn.networks.network import build_network
from sklearn_rnn.networks.number_decoding import NumberDecoder
from sklearn_rnn.networks.specs import BackboneSpec, InputsSpec, NetworkSpec
from sklearn_rnn.networks.stepping import make_stepper

SPECS = {
    "independent": FrameHeadSpec.of((0.0, 0.5), end_log_odds=-2.0),
    "chained": FrameHeadSpec.of((0.0, 0.5), end_log_odds=-2.0, chained=True, n_units=3),
    "mixture": MixtureHeadSpec.of(2, 3, end_log_odds=-2.0),
}
every = pytest.mark.parametrize("kind", SPECS)
BEGIN = np.zeros((1, 2))


def network_of(kind, *, gain=2.0):
    spec = NetworkSpec(InputsSpec(2), BackboneSpec("gru", (4,)), SPECS[kind], dtype=torch.float64, seed=1)
    network = build_network(spec).eval()
    with torch.no_grad():
        network.head.linear.weight.mul_(gain)
    return network


def decoder_of(network, n_rows=3, **given):
    def same(numbers, *_):
        return numbers

    given = {"units": same, "again": same, **given}
    return NumberDecoder(make_stepper(network, n_rows), network.head, same, **given)


def written(network, prompt, decoding, uniforms):
    """A plain loop: the whole sequence is read again for each new step; `uniforms` gives the next numbers."""
    steps, new = list(prompt), []
    while len(new) < decoding.max_new_tokens:
        values = torch.from_numpy(np.array(steps))[None]
        outputs = network(values, torch.tensor([len(steps)]))[:, -1].detach()
        drawn, end = network.head.draw(outputs, uniforms(network.head.n_uniforms), decoding.temperature)
        if bool(end) and len(new) >= decoding.min_new_tokens:
            break
        new.append(drawn[0].detach().numpy())
        steps.append(new[-1])
    return np.array(new).reshape(-1, 2)


@every
@pytest.mark.parametrize(("temperature", "least"), [(1.0, 0), (0.3, 4), (0.0, 0)])
def test_steps_are_those_of_a_plain_loop_whatever_is_written_beside_them(kind, temperature, least):
    network, decoding = network_of(kind), Decoding(12, min_new_tokens=least, temperature=temperature)
    prompts = [np.concatenate([BEGIN, normal(n, 2, seed=n).numpy()]) for n in (0, 3, 1, 0, 5, 2, 0)]
    found, _ = decoder_of(network).sample(prompts, decoding, Draws(0, range(7)))
    for k, (prompt, steps) in enumerate(zip(prompts, found, strict=True)):
        draws = Draws(0, range(7))
        expected = written(network, prompt, decoding, lambda n, d=draws, k=k: torch.from_numpy(d.uniform([k], n)))
        assert_allclose(steps, expected, atol=1e-9)
        assert least <= len(steps) <= 12
        one = list(decoder_of(network, 1).iterate(prompt, decoding, Draws(0, [k])))
        assert_allclose(np.array(one).reshape(-1, 2), expected, atol=1e-9)
    fewer, _ = decoder_of(network, 2).sample(prompts[:3], decoding, Draws(0, range(3)))
    for few, many in zip(fewer, found[:3], strict=True):
        np.testing.assert_array_equal(few, many)


@every
def test_the_best_steps_need_no_draws_and_none_is_none(kind):
    network = network_of(kind)
    best, _ = decoder_of(network).sample([BEGIN], Decoding(5, temperature=0.0))
    again, _ = decoder_of(network).sample([BEGIN], Decoding(5, temperature=0.0), Draws(3, range(1)))
    np.testing.assert_array_equal(best[0], again[0])
    assert decoder_of(network).sample([BEGIN] * 2, Decoding(0))[0][1].shape == (0, 2)
    assert list(decoder_of(network).iterate(BEGIN, Decoding(0))) == []
    assert decoder_of(network).sample([], Decoding(3))[0] == []


def test_a_stop_ends_a_sequence():
    network, seen = network_of("mixture"), []

    def stop(number, steps):
        seen.append((number, len(steps)))
        return number == 1 and len(steps) == 2

    decoding, draws = Decoding(4, min_new_tokens=4), Draws(0, range(2))
    found, _ = decoder_of(network).sample([BEGIN] * 2, decoding, draws, stop)
    assert [len(steps) for steps in found] == [4, 2]
    assert (1, 2) in seen
    assert (1, 3) not in seen
    assert len(list(decoder_of(network).iterate(BEGIN, decoding, Draws(0, [0]), lambda _, s: len(s) == 3))) == 3


def test_numbers_that_run_away_are_an_error():
    network = network_of("mixture")
    with pytest.raises(ValueError, match="not finite"):
        decoder_of(network, again=lambda x: np.full_like(x, np.inf)).sample([BEGIN], Decoding(9, 9), Draws(0, [0]))


@pytest.mark.parametrize("frame_head", ["independent", "chained"])
def test_frequencies_of_samples_are_their_likelihoods(frame_head):
    """All sequences of up to two frames of two features, and the longer ones together."""
    rng = np.random.default_rng(0)
    X = [(rng.random((n, 2)) < 0.4) * 1.0 for n in rng.integers(1, 4, 60)]
    options = {"hidden_size": 6, "max_epochs": 3, "dtype": "float64", "random_state": 0}
    model = RNNLanguageModel(frame_head=frame_head, output="binary", **options).fit(X)
    frames = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=float)
    cases = [np.empty((0, 2)), *frames[:, None], *(np.stack([a, b]) for a in frames for b in frames)]
    probabilities = np.exp(model.score_samples(cases))
    places = {case.tobytes(): i for i, case in enumerate(cases)}
    drawn = model.sample(1500, random_state=1, max_new_tokens=40)
    counts = np.bincount([places.get(steps.tobytes(), len(cases)) for steps in drawn], minlength=len(cases) + 1)
    expected = 1500 * np.append(probabilities, 1 - probabilities.sum())
    assert stats.chisquare(counts, expected).pvalue > 0.01
    for few, many in zip(model.sample(3, random_state=1, max_new_tokens=40), drawn[:3], strict=True):
        np.testing.assert_array_equal(few, many)


def test_a_model_of_real_numbers_writes_in_their_units_behind_a_prompt():
    X = [100 + 20 * np.column_stack([np.arange(n), np.arange(n)[::-1]]) for n in range(4, 9)] * 4
    options = {"hidden_size": 16, "max_epochs": 60, "learning_rate": 0.02, "random_state": 0, "dropout": 0.0}
    model = RNNLanguageModel(n_mixtures=2, **options).fit(X)
    prompt = X[1][:2]
    for full in (True, False):
        drawn = model.sample(5, prompt=prompt, return_full_text=full, min_new_tokens=2, random_state=0)
        for steps in drawn:
            if full:
                np.testing.assert_array_equal(steps[:2], prompt)
            assert steps.shape[1] == 2
            assert len(steps) >= 2 + 2 * full
            assert (abs(steps - 170) < 300).all()
    (step, *_) = model.generate([prompt], max_new_tokens=1)
    assert_allclose(step[-1], model.predict([prompt])[0], rtol=1e-6)
    first = [next(model.iter_sample(prompt, random_state=0, return_full_text=False)) for _ in range(2)]
    np.testing.assert_array_equal(*first)
