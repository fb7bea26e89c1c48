"""Linear maps that treat a row alike in any batch, against torch's."""

import copy

import pytest
import torch
from torch import nn

pytest.importorskip("numba")

from sklearn_rnn.networks.engines import Engine, using_engine
from sklearn_rnn.networks.linear import LinearInOrder


def make_pair(n_inputs=33, n_outputs=5, *, bias=True):
    """A map and torch's, with the same weights, of which no gradient is wanted."""
    torch.manual_seed(0)
    plain = nn.Linear(n_inputs, n_outputs, bias=bias).double().requires_grad_(False)
    in_order = LinearInOrder(n_inputs, n_outputs, bias=bias).double().requires_grad_(False)
    in_order.load_state_dict(plain.state_dict())
    return in_order, plain


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(33,), (1, 33), (70, 33), (4, 7, 33), (0, 33)])
def test_agrees_with_torch(shape, bias):
    in_order, plain = make_pair(bias=bias)
    x = torch.randn(shape, dtype=torch.float64)
    torch.testing.assert_close(in_order(x), plain(x), rtol=1e-13, atol=1e-14)
    strided = torch.randn(*shape, 2, dtype=torch.float64)[..., 1]
    torch.testing.assert_close(in_order(strided), plain(strided), rtol=1e-13, atol=1e-14)


def test_a_row_is_the_same_wherever_it_is():
    in_order, _ = make_pair()
    x = torch.randn(50, 33, dtype=torch.float64)
    order = torch.randperm(50)
    with using_engine(Engine("fused")):
        whole = in_order(x)
        assert torch.equal(in_order(x[order]), whole[order])
        for i in range(50):
            assert torch.equal(in_order(x[i : i + 1]), whole[i : i + 1])


def test_is_torch_s_own_where_kernels_do_not_run():
    in_order, plain = make_pair()
    x = torch.randn(50, 33, dtype=torch.float64)
    with using_engine(Engine("torch")):
        assert torch.equal(in_order(x), plain(x))


def test_what_does_not_fit_is_an_error_as_in_torch():
    in_order, _ = make_pair()
    with pytest.raises(RuntimeError, match="shapes"):
        in_order(torch.zeros(33, 2, dtype=torch.float64))


def test_reads_its_input_in_the_type_of_its_weights():
    in_order, plain = make_pair()
    x = torch.randn(3, 33)
    torch.testing.assert_close(in_order(x), plain(x.double()), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("of", ["weights", "inputs"])
def test_gradients_are_those_of_torch(of):
    in_order, plain = make_pair()
    wanted = []
    for module in (in_order, plain):
        module = copy.deepcopy(module).requires_grad_(of == "weights")
        x = torch.ones(3, 33, dtype=torch.float64, requires_grad=of == "inputs")
        module(x).square().sum().backward()
        wanted.append(module.weight.grad if of == "weights" else x.grad)
    assert torch.equal(*wanted)
