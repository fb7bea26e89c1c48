"""The chain that joins the labels of a network, against all label sequences one by one."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from test_network import make_network

from sklearn_rnn.networks.label_chain import LabelChain


def path_scores(emissions, chain):
    """All label sequences of `emissions` (n_steps, n_labels) and the score of each, by adding them up."""
    n_steps, n_labels = emissions.shape
    paths, scores = list(itertools.product(range(n_labels), repeat=n_steps)), []
    for path in paths:
        score = sum(emissions[t, label] for t, label in enumerate(path))
        score += sum(chain[before, after] for before, after in itertools.pairwise(path))
        scores.append(score + chain[n_labels, path[0]] + chain[n_labels + 1, path[-1]])
    return np.array(paths), np.array(scores)


ALLOWED = torch.tensor([[1, 1, 0], [0, 1, 1], [1, 1, 1], [1, 0, 1], [0, 1, 1]], dtype=torch.bool)


def make_chain(*, learned, constrained, seed=0):
    """A chain of three labels, its scores drawn if they are learned."""
    chain = LabelChain(3, learned=learned, constrained=constrained).double()
    with torch.no_grad():
        chain.scores.zero_()
        if learned:
            chain.scores.normal_(generator=torch.Generator().manual_seed(seed))
        if constrained:
            chain.allowed.copy_(ALLOWED)
    return chain


both = pytest.mark.parametrize("constrained", [False, True])
kinds = pytest.mark.parametrize(("learned", "constrained"), list(itertools.product([False, True], repeat=2)))


@kinds
def test_what_is_forbidden_scores_minus_infinity_and_the_rest_its_score(learned, constrained):
    chain = make_chain(learned=learned, constrained=constrained)
    scores = chain()
    assert scores.shape == (5, 3)
    allowed = ALLOWED if constrained else torch.ones(5, 3, dtype=torch.bool)
    assert torch.equal(scores[allowed], chain.scores[allowed])
    assert (scores[~allowed] == -torch.inf).all()
    assert (chain.scores != 0).all() if learned else (chain.scores == 0).all()


@kinds
def test_only_learned_scores_are_weights(learned, constrained):
    chain = make_chain(learned=learned, constrained=constrained)
    assert [name for name, _ in chain.named_parameters()] == (["scores"] if learned else [])
    assert set(chain.state_dict()) == {"scores", "allowed"}


@kinds
def test_labels_are_joined_if_scores_are_learned_or_some_forbidden(learned, constrained):
    assert make_chain(learned=learned, constrained=constrained).joins == (learned or constrained)


def test_no_gradient_reaches_what_is_forbidden():
    chain = make_chain(learned=True, constrained=True)
    torch.logsumexp(chain().flatten(), 0).backward()
    assert (chain.scores.grad[~ALLOWED] == 0).all()
    expected = torch.zeros(5, 3, dtype=torch.float64)
    expected[ALLOWED] = chain.scores.detach()[ALLOWED].softmax(0)
    torch.testing.assert_close(chain.scores.grad, expected)


def test_what_is_allowed_is_saved_with_the_weights():
    saved, fresh = make_chain(learned=True, constrained=True), make_chain(learned=True, constrained=True, seed=1)
    with torch.no_grad():
        fresh.allowed.fill_(True)
    fresh.load_state_dict(saved.state_dict())
    assert torch.equal(fresh(), saved())


def labelling_network(*, chain, allowed=None, seed=0):
    network = make_network(n_outputs=3, pooling=None, bidirectional=True, chain=chain, allowed=allowed, seed=seed)
    if chain == "crf":
        with torch.no_grad():
            network.chain.scores.normal_(generator=torch.Generator().manual_seed(seed))
    return network.eval()


def random_batch(lengths, seed=0):
    """Values (batch, n_steps, 2), on padding as random as elsewhere, and the lengths."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(len(lengths), max(lengths), 2, generator=generator, dtype=torch.float64), torch.tensor(lengths)


def test_a_learned_chain_is_handed_to_the_loss_beside_the_outputs():
    network, (values, lengths) = labelling_network(chain="crf", allowed=ALLOWED), random_batch([3, 2])
    outputs, chain = network(values, lengths)
    assert torch.equal(outputs, network.outputs_of(values, lengths))
    assert torch.equal(chain, network.chain())
    assert (chain[~ALLOWED] == -torch.inf).all()


@pytest.mark.parametrize("allowed", [None, ALLOWED])
def test_without_a_learned_chain_the_loss_takes_the_outputs_alone(allowed):
    network, (values, lengths) = labelling_network(chain="softmax", allowed=allowed), random_batch([3, 2])
    outputs = network(values, lengths)
    assert outputs.shape == (2, 3, 3)
    assert torch.equal(outputs, network.outputs_of(values, lengths))
    assert all("chain" not in name for name, _ in network.named_parameters())


def test_outputs_without_a_chain_are_what_scores_are_computed_from():
    network, (values, lengths) = make_network(pooling="mean"), random_batch([3, 2])
    outputs = network(values, lengths)
    assert network.predictions(outputs, lengths) is outputs


chained = st.fixed_dictionaries(
    {
        "chain": st.sampled_from(["crf", "softmax"]),
        "allowed": st.sampled_from([None, ALLOWED]),
        "seed": st.integers(0, 2**16),
    }
)


@given(parameters=chained, lengths=st.lists(st.integers(1, 5), min_size=1, max_size=3))
@settings(deadline=None, max_examples=25)
def test_labels_and_probabilities_are_those_of_all_label_sequences(parameters, lengths):
    network, (values, tensor) = labelling_network(**parameters), random_batch(lengths, parameters["seed"])
    with torch.no_grad():
        handed = network(values, tensor)
        emissions, scores = network.outputs_of(values, tensor), network.chain().numpy()
        best, marginals = network.best_labels(emissions, tensor), network.label_marginals(emissions, tensor)
        assert torch.equal(network.predictions(handed, tensor), best)
    for i, length in enumerate(lengths):
        paths, path_score = path_scores(emissions[i, :length].numpy(), scores)
        assert best[i, :length].tolist() == paths[path_score.argmax()].tolist()
        expected = np.array([[softmax(path_score)[paths[:, t] == k].sum() for k in range(3)] for t in range(length)])
        np.testing.assert_allclose(marginals[i, :length], expected, rtol=1e-9, atol=1e-12)


def test_free_labels_are_each_the_most_probable():
    network, (values, lengths) = labelling_network(chain="softmax"), random_batch([4, 2])
    emissions = network.outputs_of(values, lengths).detach()
    assert torch.equal(network.best_labels(emissions, lengths), emissions.argmax(2))
    torch.testing.assert_close(network.label_marginals(emissions, lengths), torch.softmax(emissions, 2))


@both
def test_an_empty_sequence_in_the_batch_changes_nothing_for_the_others(constrained):
    network = labelling_network(chain="crf", allowed=ALLOWED if constrained else None)
    values, lengths = random_batch([3, 1, 2])
    emissions = network.outputs_of(values, lengths).detach()
    with_empty = torch.tensor([3, 0, 2])
    for function in (network.best_labels, network.label_marginals):
        whole, other = function(emissions, lengths), function(emissions, with_empty)
        torch.testing.assert_close(other[0], whole[0])
        torch.testing.assert_close(other[2, :2], whole[2, :2])


@both
def test_batch_of_empty_sequences(constrained):
    network = labelling_network(chain="crf", allowed=ALLOWED if constrained else None)
    emissions, lengths = torch.zeros(2, 1, 3, dtype=torch.float64), torch.tensor([0, 0])
    assert network.best_labels(emissions, lengths).shape == (2, 1)
    assert network.label_marginals(emissions, lengths).shape == (2, 1, 3)
