"""Linear maps whose numbers do not depend on how many rows are mapped at once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from sklearn_rnn.networks.engines import kernels_may_run


class LinearInOrder(nn.Linear):
    """:class:`torch.nn.Linear`, which for a row gives the same bits in any batch, where the kernels may run.

    It reads its input in the type of its weights.

    Only where no gradient is wanted: those are torch's. Its weights must not change after the first call.
    """

    _columns: Any = None  # the weights, transposed

    def forward(self, input: Tensor) -> Tensor:
        """Map `input` (..., in_features) to (..., out_features)."""
        input = input.to(self.weight.dtype)
        wanted = torch.is_grad_enabled() and (self.weight.requires_grad or input.requires_grad)
        fits = input.shape[-1] == self.in_features
        if wanted or not fits or not kernels_may_run(input):
            return super().forward(input)  # which also says what does not fit
        from sklearn_rnn.kernels.products import linear

        rows = input.detach().reshape(-1, self.in_features).contiguous()
        out = rows.new_empty(len(rows), self.out_features)
        if self._columns is None:
            self._columns = self.weight.detach().t().contiguous().numpy()
        bias = rows.new_empty(0) if self.bias is None else self.bias.detach()
        linear(rows.numpy(), self._columns, bias.numpy(), out.numpy())
        return out.view(*input.shape[:-1], self.out_features)
