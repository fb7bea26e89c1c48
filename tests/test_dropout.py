"""Dropout with a generator of its own."""

import pytest
import torch

from sklearn_rnn.networks.dropout import Dropout, HeldMasks, hold_masks, sample_mask, set_generator


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_share_and_scale(p):
    dropout = Dropout(p)
    set_generator(dropout, torch.Generator().manual_seed(0))
    dropped = dropout(torch.ones(20_000, dtype=torch.float64))
    torch.testing.assert_close(dropped.unique(), torch.tensor([0, 1 / (1 - p)], dtype=torch.float64))
    assert abs(float((dropped == 0).double().mean()) - p) < 0.02
    assert abs(float(dropped.mean()) - 1) < 0.1


def test_inactive_in_evaluation_and_at_share_0():
    x = torch.randn(5, generator=torch.Generator().manual_seed(0))
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x


def test_same_generator_same_mask_and_no_global_draw():
    before = torch.get_rng_state()
    masks = [sample_mask(torch.empty(0), (50,), 0.5, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[0], masks[2])
    assert torch.equal(torch.get_rng_state(), before)


def test_mask_has_the_type_of_its_example():
    assert sample_mask(torch.empty(0, dtype=torch.float64), (3, 2), 0.5, None).dtype == torch.float64


@pytest.mark.parametrize("tied_dim", [None, 0, 1, 2])
def test_one_draw_serves_along_the_tied_dimension(tied_dim):
    dropout, shape = Dropout(0.3, tied_dim=tied_dim), (20, 30, 40)
    set_generator(dropout, torch.Generator().manual_seed(0))
    kept = dropout(torch.ones(shape)) > 0
    for dim in range(3):
        same = (kept == kept.select(dim, 0).unsqueeze(dim)).all()
        assert bool(same) == (dim == tied_dim)
    assert abs(float(kept.float().mean()) - 0.7) < 0.05


@pytest.mark.parametrize("tied", [False, True])
def test_held_masks_are_those_that_last_for_all_steps(tied):
    dropout = Dropout(0.5, tied_dim=0 if tied else None)
    set_generator(dropout, torch.Generator().manual_seed(0))
    hold_masks(dropout, HeldMasks(torch.Generator().manual_seed(1)))
    first, second = dropout(torch.ones(4, 3, 50)), dropout(torch.ones(2, 3, 50))
    assert torch.equal(first[:2], second) == tied
    hold_masks(dropout, None)
    assert not torch.equal(dropout(torch.ones(2, 3, 50)), second)
