"""Scheduled sampling: which steps are replaced, and by what."""

import pytest
import torch

from sklearn_rnn.networks.scheduled import ScheduledSampling

BEGIN = 9


def mixed(share, read, said):
    sampling = ScheduledSampling(share)
    sampling.generator = torch.Generator().manual_seed(0)
    return sampling(read, said)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_as_many_steps_are_replaced_as_were_asked_for(share):
    read, said = torch.zeros(50, 101, dtype=torch.int64), torch.ones(50, 101, dtype=torch.int64)
    read[:, 0] = BEGIN
    found = mixed(share, read, said)
    assert (found[:, 0] == BEGIN).all()
    assert float(found[:, 1:].double().mean()) == pytest.approx(share, abs=0.02)


def test_a_step_becomes_what_was_said_before_it_but_never_the_end():
    read, said = torch.tensor([[BEGIN, 1, 2, 3]]), torch.tensor([[5, BEGIN, 7, 8]])
    assert mixed(1.0, read, said).tolist() == [[BEGIN, 5, 2, 7]]
