"""The best label paths against all paths, sorted."""

import numpy as np
import pytest
import torch
from chain_oracle import all_paths, problems, random_problem
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_rnn.networks import chain_decoding
from sklearn_rnn.networks.chain import nbest, path_score, viterbi
from sklearn_rnn.networks.engines import Engine, kernels_installed, using_engine

ENGINES = ["torch", "fused"] if kernels_installed() else ["torch"]


def ranking(emissions, chain):
    """All valid paths of one sequence and their scores, the best first; of equals that with the lowest last labels."""
    paths, scores = all_paths(emissions, chain)
    order = np.lexsort([*paths.T, -scores])
    order = order[scores[order] > -np.inf]
    return paths[order], scores[order]


def whole(problem):
    """The problem with all scores rounded to whole numbers, whose sums are exact, so that there are ties."""
    problem.emissions, problem.chain = problem.emissions.round(), problem.chain.round()
    return problem


@given(
    problems(dtype=st.sampled_from([torch.float32, torch.float64])).map(whole),
    st.sampled_from([1, 2, 5, 40]),
    st.sampled_from(ENGINES),
)
@settings(deadline=None, max_examples=120)
def test_the_best_paths_are_the_first_of_all(problem, n, engine):
    with using_engine(Engine(engine)):
        paths, scores = nbest(problem.emissions, problem.chain, problem.lengths, n)
    assert paths.shape == (len(problem), n, problem.emissions.shape[1])
    assert paths.dtype == torch.int64
    assert scores.dtype == problem.emissions.dtype
    for i, length in enumerate(problem.lengths.tolist()):
        expected, expected_scores = ranking(problem.emissions[i, :length], problem.chain)
        n_found = min(n, len(expected))
        np.testing.assert_array_equal(scores[i, :n_found], expected_scores[:n_found])
        assert scores[i, n_found:].eq(-torch.inf).all()
        assert paths[i, :, length:].eq(0).all()
        # Which of equals comes first is promised for the first path alone; the others are some of the equals.
        np.testing.assert_array_equal(paths[i, :1, :length][:n_found], expected[:1])
        found = paths[i, :n_found, :length]
        assert len({tuple(path) for path in found.tolist()}) == n_found
        score_of = dict(zip(map(tuple, expected.tolist()), expected_scores, strict=True))
        assert [score_of[tuple(path)] for path in found.tolist()] == expected_scores[:n_found].tolist()


@given(problems(dtype=st.sampled_from([torch.float32, torch.float64])).map(whole))
@settings(deadline=None, max_examples=40)
def test_the_viterbi_path_is_the_first_of_all(problem):
    paths, scores = viterbi(problem.emissions, problem.chain, problem.lengths)
    assert paths.dtype == torch.int64
    assert scores.dtype == problem.emissions.dtype
    for i, length in enumerate(problem.lengths.tolist()):
        expected, expected_scores = ranking(problem.emissions[i, :length], problem.chain)
        assert paths[i, length:].eq(0).all()
        if not len(expected):
            assert scores[i] == -torch.inf
            continue
        assert scores[i] == expected_scores[0]
        np.testing.assert_array_equal(paths[i, :length], expected[0])


def test_scores_are_those_of_the_paths_in_long_sequences():
    problem = random_problem([300, 120, 1, 0], 7, forbidden=0.1, padding=1e9)
    paths, scores = nbest(problem.emissions, problem.chain, problem.lengths, 6)
    assert (scores[:, :-1] >= scores[:, 1:]).all()
    for rank in range(6):
        expected = path_score(problem.emissions, problem.chain, paths[:, rank], problem.lengths)
        is_path = scores[:, rank] > -torch.inf
        torch.testing.assert_close(scores[is_path, rank], expected[is_path], rtol=1e-12, atol=1e-12)
    best, best_scores = viterbi(problem.emissions, problem.chain, problem.lengths)
    assert torch.equal(paths[:, 0], best)
    assert torch.equal(scores[:, 0], best_scores)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("ways_at_once", [1, 40, 2 * 5 * 5 * 4], ids=["one", "some labels", "two sequences"])
@pytest.mark.parametrize("n", [1, 4])
def test_paths_and_scores_are_bit_for_bit_the_same_in_any_batch(n, ways_at_once, engine, monkeypatch):
    problem = random_problem([9, 3, 0, 6, 1], 5, n_extra=2, forbidden=0.1, dtype=torch.float32)
    with using_engine(Engine(engine)):
        paths, scores = nbest(problem.emissions, problem.chain, problem.lengths, n)
        monkeypatch.setattr(chain_decoding, "WAYS_AT_ONCE", ways_at_once)
        in_parts = nbest(problem.emissions, problem.chain, problem.lengths, n)
        assert torch.equal(paths, in_parts[0])
        assert torch.equal(scores, in_parts[1])
        for i, length in enumerate(problem.lengths.tolist()):
            alone = problem.rows([i], max(length, 1))
            found, found_scores = nbest(alone.emissions, alone.chain, alone.lengths, n)
            assert torch.equal(paths[i, :, :length], found[0, :, :length])
            assert torch.equal(scores[i], found_scores[0])


@pytest.mark.skipif(not kernels_installed(), reason="there are no kernels")
@given(
    lengths=st.lists(st.integers(0, 12), min_size=1, max_size=4),
    n_labels=st.integers(1, 30),
    n=st.integers(1, 60),
    forbidden=st.sampled_from([0.0, 0.3]),
    ties=st.booleans(),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=60)
def test_kernels_rank_paths_as_torch_does(lengths, n_labels, n, forbidden, ties, seed):
    """To the last bit, and of equals in the same order."""
    problem = random_problem([*lengths, 1], n_labels, forbidden=forbidden, seed=seed)
    problem = whole(problem) if ties else problem
    with using_engine(Engine("torch")):
        paths, scores = nbest(problem.emissions, problem.chain, problem.lengths, n)
    with using_engine(Engine("fused")):
        found, found_scores = nbest(problem.emissions, problem.chain, problem.lengths, n)
    assert torch.equal(found_scores, scores)
    is_path = scores > -torch.inf
    assert torch.equal(found[is_path], paths[is_path])


def test_equal_labels_go_to_the_lowest():
    paths, scores = viterbi(torch.zeros(2, 4, 3), torch.zeros(5, 3), torch.tensor([4, 2]))
    assert paths.eq(0).all()
    assert scores.eq(0).all()


def test_a_sum_that_float32_would_round_away_decides():
    emissions = torch.zeros(1, 3, 2, dtype=torch.float32)
    emissions[0, 0] = 2.0**25
    emissions[0, 1:, 1] = 1.0  # 2**25 + 1 is 2**25 in float32
    chain = torch.zeros(4, 2)
    assert viterbi(emissions, chain, torch.tensor([3]))[0].tolist() == [[0, 1, 1]]


@pytest.mark.gpu
def test_a_gpu_finds_the_same_paths():
    problem = whole(random_problem([9, 3, 0, 6, 1], 5, n_extra=2, forbidden=0.1))
    paths, scores = nbest(problem.emissions, problem.chain, problem.lengths, 4)
    found, found_scores = nbest(problem.emissions.cuda(), problem.chain.cuda(), problem.lengths.cuda(), 4)
    is_path = scores > -torch.inf
    assert torch.equal(found.cpu()[is_path], paths[is_path])
    assert torch.equal(found_scores.cpu(), scores)
