"""What all heads that are distributions have in common: the end of a sequence, shapes, padding and the loss."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from likelihoods import built, normal, uniforms, with_end
from losses import batch_of
from scipy.special import log_expit

from sklearn_rnn.networks import engines
from sklearn_rnn.networks.heads import FrameHeadSpec, MixtureHeadSpec
from sklearn_rnn.networks.losses import LIKELIHOOD, WeightedLoss
from sklearn_rnn.networks.network import build_network
from sklearn_rnn.networks.specs import BackboneSpec, InputsSpec, NetworkSpec
from sklearn_rnn.networks.stepping import CompiledStepper, make_stepper
from sklearn_rnn.networks.truncated import TruncatedPass

SPECS = {
    "independent": lambda end: FrameHeadSpec.of((0.0,) * 3, end_log_odds=end),
    "chained": lambda end: FrameHeadSpec.of((0.0,) * 3, end_log_odds=end, chained=True, n_units=4),
    "mixture": lambda end: MixtureHeadSpec.of(3, 2, end_log_odds=end),
}
every = pytest.mark.parametrize("kind", SPECS)


def steps(n, kind, seed=0):
    numbers = normal(n, 3, seed=seed)
    return numbers if kind == "mixture" else (numbers > 0).double()


@every
def test_a_step_is_the_end_or_numbers_given_that_it_is_not(kind):
    head, without = built(SPECS[kind](0.0)), built(SPECS[kind](None))
    for own, other in zip(list(head.children())[2:], list(without.children())[2:], strict=True):
        other.load_state_dict(own.state_dict())
    outputs, numbers = normal(6, head.linear.out_features), steps(6, kind)
    is_end = torch.tensor([False, True, False, False, True, False])
    log_odds = outputs[:, -1].numpy()
    of_numbers = without.log_likelihood(outputs[:, :-1], numbers).detach().numpy()
    expected = np.where(is_end, log_expit(log_odds), log_expit(-log_odds) + of_numbers)
    np.testing.assert_allclose(head.log_likelihood(outputs, with_end(numbers, is_end)).detach(), expected)


@every
def test_nothing_is_learned_of_the_numbers_of_an_end(kind):
    head = built(SPECS[kind](0.0)).requires_grad_()
    outputs = normal(4, head.linear.out_features).requires_grad_()
    target = with_end(steps(4, kind), [True, False, True, True])
    head.log_likelihood(outputs, target).sum().backward()
    assert (outputs.grad[[0, 2, 3], :-1] == 0).all()
    assert outputs.grad.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in head.parameters())


@every
def test_only_ends_and_no_rows_at_all(kind):
    head = built(SPECS[kind](0.0))
    outputs = normal(2, head.linear.out_features)
    found = head.log_likelihood(outputs, with_end(steps(2, kind), [True, True]))
    np.testing.assert_allclose(found.detach(), log_expit(outputs[:, -1].numpy()))
    assert head.log_likelihood(outputs[:0], with_end(steps(2, kind), [True, True])[:0]).shape == (0,)
    numbers, is_end = head.draw(outputs[:0], uniforms(0, head.n_uniforms))
    assert (numbers.shape, is_end.shape) == ((0, 3), (0,))


@every
def test_no_shape_is_broadcast(kind):
    head = built(SPECS[kind](0.0))
    outputs = normal(4, head.linear.out_features)
    for shape in [(1, 4), (4, 3), (4,), (4, 1, 4)]:
        with pytest.raises(ValueError, match="against targets of shape"):
            head.log_likelihood(outputs, torch.zeros(shape, dtype=torch.float64))


@every
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_outputs_of_less_precision_are_measured_in_single(kind, dtype):
    head = built(SPECS[kind](0.0)).float()
    outputs = normal(4, head.linear.out_features).to(dtype)
    target = with_end(steps(4, kind), [False, False, True, False])
    found = head.log_likelihood(outputs, target)
    assert found.dtype == torch.float32
    torch.testing.assert_close(
        found.double(), head.double().log_likelihood(outputs.double(), target), rtol=1e-4, atol=1e-4
    )


@every
def test_outputs_of_more_precision_than_the_weights_keep_it(kind):
    """Those of an evaluation copy, measured by the head that was trained."""
    head = built(SPECS[kind](0.0)).float()
    outputs, numbers = normal(4, head.linear.out_features), uniforms(4, head.n_uniforms)
    target = with_end(steps(4, kind), [False, False, True, False])
    found, drawn = head.log_likelihood(outputs, target), head.draw(outputs, numbers)[0]
    exact = head.double()
    assert found.dtype == drawn.dtype == torch.float64
    torch.testing.assert_close(found, exact.log_likelihood(outputs, target), rtol=1e-14, atol=1e-14)
    torch.testing.assert_close(drawn, exact.draw(outputs, numbers)[0], rtol=1e-14, atol=1e-14)


@every
def test_the_loss_is_minus_the_weighted_log_likelihood(kind):
    head = built(SPECS[kind](0.0))
    outputs, target = normal(2, 3, head.linear.out_features), torch.empty(2, 3, 4, dtype=torch.float64)
    target[:] = with_end(steps(6, kind), [False, False, True] * 2).view(2, 3, 4)
    weight = torch.tensor([[1.0, 2.0, 0.5], [1.0, 0.0, 0.0]], dtype=torch.float64)
    expected = -(weight * head.log_likelihood(outputs, target)).sum() / 2
    target[weight == 0], outputs[weight == 0] = torch.nan, torch.nan
    loss = WeightedLoss(LIKELIHOOD)(outputs, batch_of(target, weight), head)
    torch.testing.assert_close(loss, expected)


@every
def test_outputs_step_by_step_are_those_at_once(kind):
    spec = NetworkSpec(InputsSpec(3), BackboneSpec("lstm", (4,)), SPECS[kind](-1.0), dtype=torch.float64)
    network, values = build_network(spec).eval(), normal(2, 5, 3)
    expected = network(values, torch.tensor([5, 5])).detach()
    stepper = make_stepper(network, 2)
    for t in range(5):
        stepper.advance(values[:, t].numpy(), np.arange(2))
        np.testing.assert_allclose(stepper.outputs, expected[:, t], atol=1e-12)
    assert CompiledStepper.serves(network) == engines.kernels_may_run(network.head.linear.weight)


@every
def test_truncated_training_has_the_loss_and_the_gradients_of_the_head_of_a_whole_pass(kind):
    """What is cut off are gradients through the state, which no weight of the head has."""
    spec = NetworkSpec(
        InputsSpec(3), BackboneSpec("gru", (4,)), SPECS[kind](-1.0), dtype=torch.float64, seed=1, tbptt_steps=2
    )
    network, loss = build_network(spec), WeightedLoss(LIKELIHOOD)
    is_end = torch.tensor([False, False, False, False, True] * 2)
    target = with_end(steps(10, kind), is_end).view(2, 5, 4)
    batch = replace(batch_of(target, torch.ones(2, 5, dtype=torch.float64)), values=normal(2, 5, 3))
    cut, outputs = TruncatedPass(network, loss)(batch)
    found = [parameter.grad.clone() for parameter in network.head.parameters()]
    network.zero_grad()
    whole = loss(network(batch.values, batch.lengths), batch, network.head)
    whole.backward()
    torch.testing.assert_close(cut, whole.detach())
    torch.testing.assert_close(found, [parameter.grad for parameter in network.head.parameters()])
    assert outputs.shape == (2, 5, network.head.linear.out_features)


@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    kind=st.sampled_from(list(SPECS)),
    ends=st.booleans(),
    seed=st.integers(0, 999),
)
@settings(deadline=None, max_examples=40)
def test_loss_and_gradients_of_a_batch_are_those_of_each_sequence_alone(lengths, kind, ends, seed):
    spec = NetworkSpec(
        InputsSpec(3), BackboneSpec("gru", (4,)), SPECS[kind](-1.0 if ends else None), dtype=torch.float64, seed=seed
    )
    network, loss = build_network(spec), WeightedLoss(LIKELIHOOD)
    n_steps = max(lengths)
    inside = torch.arange(n_steps) < torch.tensor(lengths)[:, None]
    values = normal(len(lengths), n_steps, 3, seed=seed)
    target = steps(len(lengths) * n_steps, kind, seed).view(len(lengths), n_steps, 3)
    if ends:
        is_end = torch.arange(n_steps) == torch.tensor(lengths)[:, None] - 1
        target = torch.cat([target.masked_fill(is_end[..., None], torch.nan), is_end[..., None].double()], dim=2)
    target[~inside] = torch.nan

    def run(rows, steps):
        network.zero_grad()
        batch = batch_of(target[rows, :steps], inside[rows, :steps].double(), torch.tensor(lengths)[rows])
        value = loss(network(values[rows, :steps], batch.lengths), batch, network.head)
        value.backward()
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in network.parameters()]
        return [value.detach(), *gradients]

    whole = run(torch.arange(len(lengths)), n_steps)
    alone = [run(torch.tensor([i]), length) for i, length in enumerate(lengths)]
    for together, parts in zip(whole, zip(*alone, strict=True), strict=True):
        torch.testing.assert_close(together, sum(parts) / len(lengths))
