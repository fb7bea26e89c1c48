"""Convolutions over ragged batches, against torch's own layers on each sequence by itself."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sklearn_rnn.networks.convolutions import ConvolutionBranch, StepNorm, Steps, StridedFront
from sklearn_rnn.networks.initialization import initialize

ragged = st.lists(st.integers(1, 9), min_size=1, max_size=4)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def made(module, seed=0):
    """The module in float64, with drawn weights everywhere, those that begin at 0 and 1 too."""
    module = module.double()
    initialize(module, "auto", torch.Generator().manual_seed(seed))
    with torch.no_grad():
        for k, part in enumerate(part for part in module.modules() if isinstance(part, StepNorm)):
            for name, tensor in (*part.named_parameters(), ("mean", part.running_mean)):
                tensor += 0.5 * random(*tensor.shape, seed=seed + 7 * k + len(name))
            part.running_var += random(*part.running_var.shape, seed=k).abs()
    return module


def branch(channels=(3, 2), kernel_sizes=(3, 2), dilations=(1, 2), seed=0):
    return made(ConvolutionBranch(2, channels, kernel_sizes, dilations), seed)


def of_torch(layer):
    """The convolution, as many zeros before a sequence as after it, and the norm that a layer stands for, as torch's.

    Where the number of zeros is odd, there is one more after the sequence.
    """
    n_out, n_in, kernel_size = layer.weight.shape
    options = {"stride": layer.stride, "dilation": layer.dilation, "bias": False}
    convolution = nn.Conv1d(n_in, n_out, kernel_size, **options).double()
    convolution.weight.data = layer.weight.detach()
    if layer.stride == 1:
        n_zeros = layer.dilation * (kernel_size - 1)
        convolution = nn.Sequential(nn.ConstantPad1d((n_zeros // 2, -(-n_zeros // 2)), 0.0), convolution)
    norm = nn.BatchNorm1d(n_out, dtype=torch.float64)
    norm.load_state_dict({**layer.norm.state_dict(), "num_batches_tracked": torch.tensor(0)}, strict=False)
    return convolution, norm


@given(
    lengths=ragged,
    n_extra=st.integers(0, 2),
    kernel_sizes=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    dilations=st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
@settings(deadline=None, max_examples=20)
def test_a_padded_batch_is_what_torch_makes_of_each_sequence(lengths, n_extra, kernel_sizes, dilations):
    network = branch(kernel_sizes=kernel_sizes, dilations=dilations).eval()
    x = random(len(lengths), max(lengths) + n_extra, 2, seed=sum(lengths))
    for own, length in zip(x, lengths, strict=True):
        own[length:] = torch.inf  # which nobody may look at
    found = network(x, torch.tensor(lengths))
    for own, features, length in zip(x, found, lengths, strict=True):
        expected = own[:length].T[None]
        for layer in network.layers:
            convolution, norm = of_torch(layer)
            expected = torch.relu(norm.eval()(convolution(expected)))
        torch.testing.assert_close(features[:length], expected[0].T, rtol=1e-10, atol=1e-12)
        assert (features[length:] == 0).all()


@given(lengths=ragged.filter(lambda lengths: sum(lengths) > 1), n_extra=st.integers(0, 2))
@settings(deadline=None, max_examples=12)
def test_training_normalises_over_the_steps_that_there_are(lengths, n_extra):
    network = branch(channels=(3,), kernel_sizes=(3,), dilations=(1,)).train()
    convolution, norm = of_torch(network.layers[0])
    x = random(len(lengths), max(lengths) + n_extra, 2, seed=sum(lengths))
    found = network(x, torch.tensor(lengths))
    rows = torch.cat([convolution(own[:n].T[None])[0].T for own, n in zip(x, lengths, strict=True)])
    expected = torch.relu(norm.train()(rows))
    inside = torch.arange(x.shape[1]) < torch.tensor(lengths)[:, None]
    torch.testing.assert_close(found[inside], expected, rtol=1e-9, atol=1e-10)
    assert (found[~inside] == 0).all()
    torch.testing.assert_close(network.layers[0].norm.running_mean, rows.mean(0))
    torch.testing.assert_close(network.layers[0].norm.running_var, rows.var(0))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("lengths", [[4, 4], [4, 2, 1]])
def test_gradients_are_those_of_finite_differences(training, lengths):
    network = branch().train(training)
    x = random(len(lengths), 4, 2).requires_grad_()
    weights = [parameter.detach().requires_grad_() for parameter in network.parameters()]
    names = [name for name, _ in network.named_parameters()]

    def features(x, *weights):
        given = dict(zip(names, weights, strict=True))
        return torch.func.functional_call(copy.deepcopy(network), given, (x, torch.tensor(lengths)))

    assert torch.autograd.gradcheck(features, (x, *weights), atol=1e-6, fast_mode=True)


def test_order_of_the_sequences_makes_no_difference_in_training():
    network = branch().train()
    x, lengths, order = random(4, 6, 2), torch.tensor([6, 2, 5, 1]), torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(copy.deepcopy(network)(x[order], lengths[order]), network(x, lengths)[order])


def test_running_statistics_are_a_mean_at_first_and_follow_later():
    norm = made(StepNorm(2)).train()
    norm.reset_parameters()
    batches = [random(3, 4, 2, seed=seed) + seed for seed in range(14)]
    for batch in batches[:4]:
        norm(batch, Steps(torch.tensor([4, 4, 4]), 4))
    means = torch.stack([batch.mean((0, 1)) for batch in batches])
    torch.testing.assert_close(norm.running_mean, means[:4].mean(0))
    for batch in batches[4:]:
        norm(batch, Steps(torch.tensor([4, 4, 4]), 4))
    expected = means[:10].mean(0)
    for mean in means[10:]:
        expected = 0.9 * expected + 0.1 * mean
    torch.testing.assert_close(norm.running_mean, expected)


def test_a_single_step_is_normalised_by_the_running_statistics():
    network = branch().train()
    before = copy.deepcopy(network.state_dict())
    x, lengths = random(1, 3, 2), torch.tensor([1])
    found = network(x, lengths)
    assert torch.equal(found, network.eval()(x, lengths))
    assert all(torch.equal(network.state_dict()[name], value) for name, value in before.items())


def test_what_is_frozen_learns_no_statistics():
    network = branch().train().requires_grad_(False)
    x, lengths = random(3, 4, 2), torch.tensor([4, 2, 3])
    before = copy.deepcopy(network.state_dict())
    assert torch.equal(network(x, lengths), network.eval()(x, lengths))
    assert all(torch.equal(network.state_dict()[name], value) for name, value in before.items())


@given(lengths=ragged, stride=st.integers(2, 4), n_extra=st.integers(0, 3))
@settings(deadline=None, max_examples=15)
def test_a_front_is_what_torch_makes_of_each_sequence(lengths, stride, n_extra):
    front = made(StridedFront(2, stride)).eval()
    x = random(len(lengths), max(lengths) + n_extra, 2, seed=sum(lengths))
    for own, length in zip(x, lengths, strict=True):
        own[length:] = torch.nan
    found, shorter = front(x, torch.tensor(lengths))
    assert shorter.tolist() == [-(-length // stride) for length in lengths]
    convolution, norm = of_torch(front.layer)
    for own, features, length, n in zip(x, found, lengths, shorter.tolist(), strict=True):
        padded = torch.zeros(2, stride // 2 + (n + 1) * stride, dtype=torch.float64)
        padded[:, stride // 2 : stride // 2 + length] = own[:length].T
        expected = torch.relu(norm.eval()(convolution(padded[None])))[0, :, :n]
        torch.testing.assert_close(features[:n], expected.T, rtol=1e-10, atol=1e-12)
        assert (features[n:] == 0).all()


def test_a_front_knows_which_steps_it_made_one_of():
    front = StridedFront(1, 3)
    merged = front.merged(torch.tensor([7, 2]), 7)
    assert merged.tolist() == [[3, 3, 3, 3, 3, 3, 1], [2, 2, 2, 1, 1, 1, 1]]
    spread = front.spread(torch.tensor([[[1.0], [2.0], [3.0]]]), 7)
    assert spread[0, :, 0].tolist() == [1, 1, 1, 2, 2, 2, 3]


@pytest.mark.parametrize(("weight_init", "std"), [("auto", np.sqrt(2 / 320)), ("torch", 1 / np.sqrt(3 * 320))])
def test_first_weights(weight_init, std):
    network = ConvolutionBranch(64, (64,), (5,), (1,))
    before = torch.get_rng_state()
    initialize(network, weight_init, torch.Generator().manual_seed(0))
    assert torch.equal(torch.get_rng_state(), before)
    layer = network.layers[0]
    assert float(layer.weight.detach().std()) == pytest.approx(std, rel=0.02)
    assert (layer.norm.weight == 1).all()
    assert (layer.norm.bias == 0).all()
    assert (layer.norm.running_mean == 0).all()
    assert (layer.norm.running_var == 1).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_features_are_in_the_type_of_the_network(dtype):
    network = branch().to(dtype).eval()
    assert network(random(2, 3, 2).float(), torch.tensor([3, 2])).dtype == dtype
