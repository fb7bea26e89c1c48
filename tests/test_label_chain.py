"""The scores that join the labels of neighbouring steps."""

import itertools

import numpy as np
import pytest
import torch

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
