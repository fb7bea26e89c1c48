"""Decoders that go on step by step, each row with a source of its own."""

import numpy as np
import pytest
import torch
from streaming import ENGINES
from transducing import PLACES, decoder_network, pairs

from sklearn_rnn.networks.decoder_stepping import DecoderStepper
from sklearn_rnn.networks.engines import Engine, using_engine


def stepper_of(network, source, lengths, n_rows):
    states, lengths = network.encoded(source, lengths)
    return DecoderStepper(
        network.head, network.head.memory(states, lengths), network.head.first_state(states, lengths), n_rows
    )


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize(("attention", "attend"), PLACES)
def test_steps_have_the_outputs_of_whole_targets(attention, attend, cell, engine):
    network = decoder_network(attention, attend, cell)
    source, lengths, read, target_lengths = pairs([3, 1, 4], [4, 4, 4])
    with using_engine(Engine(engine)), torch.inference_mode():
        wanted = network(source, lengths, read, target_lengths).numpy()
        stepper = stepper_of(network, source, lengths, 7)
        rows, sources = np.array([5, 0, 3, 6]), np.array([2, 0, 1, 2])
        stepper.start(rows, sources)
        taken = np.zeros(4, np.int64)
        for going in ([2, 0, 3, 1], [0, 2], [1, 0, 3], [2], [3, 0]):
            stepper.advance(read[sources[going], taken[going]].numpy(), rows[going])
            np.testing.assert_allclose(stepper.outputs[rows[going]], wanted[sources[going], taken[going]], atol=1e-10)
            taken[going] += 1
    np.testing.assert_array_equal(stepper.n_steps[rows], taken)


def test_copied_rows_go_on_from_where_the_others_were():
    network = decoder_network()
    source, lengths, read, target_lengths = pairs([3, 2], [3, 3])
    with torch.inference_mode():
        wanted = network(source, lengths, read, target_lengths).numpy()
        stepper = stepper_of(network, source, lengths, 4)
        stepper.start(np.array([0, 2]), np.array([0, 1]))
        stepper.advance(read[:, 0].numpy(), np.array([0, 2]))
        stepper.copy(np.array([2, 0, 0]), np.array([0, 1, 2]))  # a row may be both
        assert stepper.source[:3].tolist() == [1, 0, 0]
        stepper.advance(read[[1, 0, 0], 1].numpy(), np.arange(3))
    np.testing.assert_allclose(stepper.outputs[:3], wanted[[1, 0, 0], 1], rtol=0, atol=1e-12)
    np.testing.assert_allclose(stepper.weights[:3].sum(1), 1)
    assert (stepper.weights[0, 2:] == 0).all()


def test_a_row_begins_again():
    network = decoder_network("general", "feed", "lstm")
    source, lengths, read, _ = pairs([3, 2], [3, 3])
    with torch.inference_mode():
        stepper = stepper_of(network, source, lengths, 2)
        rows = np.arange(2)
        stepper.start(rows, rows)
        stepper.advance(read[:, 0].numpy(), rows)
        first = stepper.outputs.copy()
        stepper.advance(read[:, 1].numpy(), rows)
        stepper.reset(rows)
        assert stepper.n_steps.tolist() == [0, 0]
        stepper.advance(read[:, 0].numpy(), rows)
    np.testing.assert_array_equal(stepper.outputs, first)
