"""What stands on the hidden states, and what a chain of labels decodes against all label sequences one by one."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import make_network
from scipy.special import softmax
from test_label_chain import ALLOWED, path_scores

from sklearn_rnn.networks.dropout import set_generator
from sklearn_rnn.networks.heads import (
    Below,
    ChainHead,
    ChainHeadSpec,
    PooledHead,
    PooledHeadSpec,
    StepHead,
    StepHeadSpec,
)
from sklearn_rnn.networks.pooling import make_pooling

SIZE = 6
LENGTHS = torch.tensor([3, 5, 1])


def random_states(seed=0, dtype=torch.float64):
    """Hidden states (3, 5, SIZE) of sequences of LENGTHS, on padding as random as elsewhere."""
    return torch.randn(3, 5, SIZE, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def built(spec, *, dropout=0.0, tied_dropout=False, direction_size=SIZE, seed=0):
    """The head of a record in float64, all of its weights drawn."""
    head = spec.build(Below(SIZE, direction_size, dropout=dropout, tied_dropout=tied_dropout)).double()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.normal_(generator=torch.Generator().manual_seed(seed))
    return head


@pytest.mark.parametrize("direction_size", [SIZE, SIZE // 2])
@pytest.mark.parametrize("pooling", ["last", "mean", "max", "concat", "attention"])
def test_a_pooled_head_maps_the_pooled_states(pooling, direction_size):
    head, states = built(PooledHeadSpec(2, pooling=pooling), direction_size=direction_size), random_states()
    pool = make_pooling(pooling, SIZE, direction_size).double()
    pool.load_state_dict(head.pooling.state_dict())
    vectors = pool(states, LENGTHS)
    assert torch.equal(head.representation(states, LENGTHS), vectors)
    expected = torch.einsum("bu,ku->bk", vectors, head.linear.weight) + head.linear.bias
    torch.testing.assert_close(head(states, LENGTHS), expected)


def test_a_head_that_attends_tells_the_weights_of_its_mean():
    head, states = built(PooledHeadSpec(2, pooling="attention")), random_states()
    weights = head.attention_weights(states, LENGTHS)
    for row, vector, own, length in zip(weights, head.representation(states, LENGTHS), states, LENGTHS, strict=True):
        torch.testing.assert_close(vector, (row[:length, None] * own[:length]).sum(0))
        torch.testing.assert_close(row[:length].sum(), torch.ones((), dtype=torch.float64))
        assert (row[length:] == 0).all()


@pytest.mark.parametrize("spec", [StepHeadSpec(2), ChainHeadSpec(2)], ids=["step", "chain"])
def test_a_step_head_maps_each_state(spec):
    head, states = built(spec), random_states()
    expected = torch.stack([torch.stack([head.linear(state) for state in own]) for own in states])
    torch.testing.assert_close(head(states, LENGTHS), expected)
    for vector, own, length in zip(head.representation(states, LENGTHS), states, LENGTHS, strict=True):
        torch.testing.assert_close(vector, own[:length].mean(0))


def test_the_representation_of_steps_sees_no_padding_and_is_of_the_type_of_the_weights():
    head, states = built(StepHeadSpec(2)), random_states(dtype=torch.float32)
    expected = head.representation(states, LENGTHS)
    states[0, 3:], states[2] = torch.nan, torch.nan
    found = head.representation(states, torch.tensor([3, 5, 0]))
    assert found.dtype == torch.float64
    torch.testing.assert_close(found[:2], expected[:2])
    assert (found[2] == 0).all(), "an empty sequence"


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize(
    "spec", [PooledHeadSpec(2, pooling="mean"), StepHeadSpec(2), ChainHeadSpec(2)], ids=["pooled", "step", "chain"]
)
def test_what_the_map_reads_is_dropped_in_training_alone(spec, tied):
    head, states = built(spec, dropout=0.5, tied_dropout=tied), random_states() + 10
    seen = []
    head.linear.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    set_generator(head, torch.Generator().manual_seed(0))
    head.eval()(states, LENGTHS)
    head.train()(states, LENGTHS)
    whole, dropped = seen
    kept = dropped != 0
    assert kept.any()
    assert not kept.all()
    torch.testing.assert_close(dropped[kept], 2 * whole[kept])
    if dropped.ndim > 2:
        assert bool((kept == kept[:, :1]).all()) == tied


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        (PooledHeadSpec(3, (1.0, 2.0, 3.0), "max"), PooledHead),
        (StepHeadSpec(3, (1.0, 2.0, 3.0)), StepHead),
        (ChainHeadSpec(3, (1.0, 2.0, 3.0)), ChainHead),
    ],
    ids=["pooled", "step", "chain"],
)
def test_biases_start_where_the_record_says(spec, kind):
    head = built(spec)
    assert type(head) is kind
    spec.settle(head)
    assert head.linear.bias.tolist() == [1, 2, 3]
    without = built(type(spec)(3))
    before = without.linear.bias.clone()
    type(spec)(3).settle(without)
    assert torch.equal(without.linear.bias, before)


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("allowed", [None, ALLOWED])
def test_the_chain_of_a_head_is_that_of_its_record(learned, allowed):
    spec = ChainHeadSpec(3, learned=learned, allowed=allowed)
    head = built(spec)
    spec.settle(head)
    assert (head.chain.learned, head.chain.constrained) == (learned, allowed is not None)
    assert (head.chain()[~ALLOWED] == -torch.inf).all() == (allowed is not None)


def labelling_network(*, chain, allowed=None, seed=0):
    network = make_network(n_outputs=3, pooling=None, bidirectional=True, chain=chain, allowed=allowed, seed=seed)
    if chain == "crf":
        with torch.no_grad():
            network.head.chain.scores.normal_(generator=torch.Generator().manual_seed(seed))
    return network.eval()


def random_batch(lengths, seed=0):
    """Values (batch, n_steps, 2), on padding as random as elsewhere, and the lengths."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(len(lengths), max(lengths), 2, generator=generator, dtype=torch.float64), torch.tensor(lengths)


def emissions_of(lengths, *, seed=0, **parameters):
    """The head of a labelling network, what it gives for a random batch, and the lengths."""
    network, (values, lengths) = labelling_network(seed=seed, **parameters), random_batch(lengths, seed)
    return network.head, network(values, lengths).detach(), lengths


def paths_of(head, emissions, length):
    """All label sequences of one sequence (n_paths, length), and the probability of each."""
    paths, scores = path_scores(emissions[:length].numpy(), head.chain().detach().numpy())
    return paths, scores, softmax(scores)


both = pytest.mark.parametrize("constrained", [False, True])
chained = st.fixed_dictionaries(
    {
        "chain": st.sampled_from(["crf", "softmax"]),
        "allowed": st.sampled_from([None, ALLOWED]),
        "seed": st.integers(0, 2**16),
    }
)
some_lengths = st.lists(st.integers(1, 5), min_size=1, max_size=3)
brute_force = settings(deadline=None, max_examples=25)


@pytest.mark.parametrize("allowed", [None, ALLOWED])
@pytest.mark.parametrize("chain", ["crf", "softmax"])
def test_outputs_are_the_emissions_alone(chain, allowed):
    """What joins them is asked of the head, and has weights where it is learned."""
    network, (values, lengths) = labelling_network(chain=chain, allowed=allowed), random_batch([3, 2])
    outputs = network(values, lengths)
    assert torch.equal(outputs, network.head.linear(network.hidden_states(values, lengths)))
    assert outputs.shape == (2, 3, 3)
    scores = network.head.chain()
    assert scores.shape == (5, 3)
    if allowed is not None:
        assert (scores[~ALLOWED] == -torch.inf).all()
    assert any("chain" in name for name, _ in network.named_parameters()) == (chain == "crf")


@given(parameters=chained, lengths=some_lengths)
@brute_force
def test_labels_and_probabilities_are_those_of_all_label_sequences(parameters, lengths):
    head, emissions, tensor = emissions_of(lengths, **parameters)
    best = head.best_labels(emissions, tensor)
    marginals = head.label_marginals(emissions, tensor).detach()
    for i, length in enumerate(lengths):
        paths, scores, probability = paths_of(head, emissions[i], length)
        assert best[i, :length].tolist() == paths[scores.argmax()].tolist()
        expected = np.array([[probability[paths[:, t] == k].sum() for k in range(3)] for t in range(length)])
        np.testing.assert_allclose(marginals[i, :length], expected, rtol=1e-9, atol=1e-12)


@given(parameters=chained, lengths=some_lengths, n=st.integers(1, 4))
@brute_force
def test_ranked_paths_are_the_most_probable_of_all(parameters, lengths, n):
    head, emissions, tensor = emissions_of(lengths, **parameters)
    ranked = head.ranked_paths(emissions, tensor, n).detach().numpy()
    assert ranked.shape == (len(lengths), max(lengths), 2, n)
    for i, length in enumerate(lengths):
        paths, scores, probability = paths_of(head, emissions[i], length)
        order = np.argsort(-scores, kind="stable")[: min(n, np.isfinite(scores).sum())]
        for rank, path in enumerate(order):
            assert ranked[i, :length, 0, rank].tolist() == paths[path].tolist()
            np.testing.assert_allclose(ranked[i, :length, 1, rank], np.log(probability[path]), rtol=1e-9, atol=1e-9)
        assert (ranked[i, :length, 1, len(order) :] == -np.inf).all(), "there are no more paths"


SETS = torch.tensor([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 1, 1]], dtype=torch.bool)


@given(parameters=chained, lengths=some_lengths)
@brute_force
def test_probability_of_codes_is_that_of_all_label_sequences_that_they_stand_for(parameters, lengths):
    head, emissions, tensor = emissions_of(lengths, **parameters)
    codes = torch.from_numpy(np.random.default_rng(parameters["seed"]).integers(-1, 5, size=emissions.shape[:2]))
    found = head.log_probability_of(emissions, tensor, codes, SETS).detach().exp()
    for i, length in enumerate(lengths):
        paths, _, probability = paths_of(head, emissions[i], length)
        own = SETS[codes[i, :length]].numpy()
        within = own[np.arange(length), paths].all(axis=1)
        np.testing.assert_allclose(found[i], probability[within].sum(), rtol=1e-9, atol=1e-12)


@given(parameters=chained, lengths=some_lengths)
@brute_force
def test_probability_of_pairs_is_that_of_the_labels_of_two_steps(parameters, lengths):
    head, emissions, tensor = emissions_of(lengths, **parameters)
    pairs = torch.from_numpy(np.random.default_rng(parameters["seed"]).random((3, 3)) < 0.4)
    found = head.probability_of_pairs(emissions, tensor, pairs).detach().numpy()
    assert found.shape == emissions.shape[:2]
    assert (found[:, 0] == 0).all()
    for i, length in enumerate(lengths):
        paths, _, probability = paths_of(head, emissions[i], length)
        for t in range(1, length):
            among = pairs.numpy()[paths[:, t - 1], paths[:, t]]
            np.testing.assert_allclose(found[i, t], probability[among].sum(), rtol=1e-9, atol=1e-12)


@given(parameters=chained, lengths=some_lengths)
@brute_force
def test_probability_of_a_span_is_that_of_its_labels_wherever_it_lies(parameters, lengths):
    """Spans that follow each other, some with a gap between them, as those of a decoded sequence."""
    head, emissions, tensor = emissions_of(lengths, **parameters)
    rng = np.random.default_rng(parameters["seed"])
    labels, ends = rng.integers(3, size=emissions.shape[:2]), np.zeros(emissions.shape[:2], dtype=np.int64)
    for i, length in enumerate(lengths):
        start = int(rng.integers(2))
        while start < length:
            ends[i, start] = rng.integers(start + 1, length + 1)
            start = int(ends[i, start] + rng.integers(2))
    arguments = (torch.from_numpy(labels), torch.from_numpy(ends))
    found = head.span_log_probabilities(emissions, tensor, *arguments).detach().numpy()
    assert (found[ends == 0] == 0).all()
    for i, start in zip(*np.nonzero(ends), strict=True):
        paths, _, probability = paths_of(head, emissions[i], lengths[i])
        span = slice(start, ends[i, start])
        agree = (paths[:, span] == labels[i, span]).all(axis=1)
        np.testing.assert_allclose(np.exp(found[i, start]), probability[agree].sum(), rtol=1e-9, atol=1e-12)


def test_free_labels_are_each_the_most_probable():
    head, emissions, lengths = emissions_of([4, 2], chain="softmax")
    assert torch.equal(head.best_labels(emissions, lengths), emissions.argmax(2))
    torch.testing.assert_close(head.label_marginals(emissions, lengths), torch.softmax(emissions, 2))


@both
def test_an_empty_sequence_in_the_batch_changes_nothing_for_the_others(constrained):
    head, emissions, lengths = emissions_of([3, 1, 2], chain="crf", allowed=ALLOWED if constrained else None)
    with_empty = torch.tensor([3, 0, 2])
    for function in (head.best_labels, head.label_marginals):
        whole, other = function(emissions, lengths), function(emissions, with_empty)
        torch.testing.assert_close(other[0], whole[0])
        torch.testing.assert_close(other[2, :2], whole[2, :2])


@both
def test_batch_of_empty_sequences(constrained):
    head = labelling_network(chain="crf", allowed=ALLOWED if constrained else None).head
    emissions, lengths = torch.zeros(2, 1, 3, dtype=torch.float64), torch.tensor([0, 0])
    assert head.best_labels(emissions, lengths).shape == (2, 1)
    assert head.label_marginals(emissions, lengths).shape == (2, 1, 3)
