"""What the tests of heads that are distributions share."""

import torch

from sklearn_rnn.networks.heads import Below


def normal(*shape, seed=0, scale=1.0):
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def uniforms(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def built(spec, size=4, *, seed=0, scale=0.7):
    """The head of a record in float64, all of its weights drawn."""
    head = spec.build(Below(size, size)).double()
    with torch.no_grad():
        for k, parameter in enumerate(head.parameters()):
            parameter.copy_(normal(*parameter.shape, seed=seed + k, scale=scale))
    return head.eval()


def with_end(numbers, is_end):
    """Target rows (n, n_features + 1), the numbers of an end being NaN."""
    is_end = torch.as_tensor(is_end)
    return torch.column_stack([torch.where(is_end[:, None], torch.nan, numbers), is_end.to(numbers.dtype)])
