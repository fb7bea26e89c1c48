"""Convolutions over the steps of sequences: a branch beside the recurrence, and a strided layer in front of it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sklearn_rnn.networks.pooling import step_mask

MOMENTUM = 0.1
"""Weight of the newest batch in the running statistics, once there have been more than ten."""


class Steps:
    """Which steps of a padded batch belong to a sequence.

    Parameters
    ----------
    lengths : tensor of int, shape (batch,)
    n_steps : int
        Those of the batch.
    """

    def __init__(self, lengths: Tensor, n_steps: int) -> None:
        self.lengths, self.n_steps = lengths, n_steps
        self.inside = step_mask(lengths, n_steps)
        self.all_inside = lengths.device.type == "cpu" and int(lengths.min()) >= n_steps
        self._places: Tensor | None = None

    @property
    def places(self) -> Tensor:
        """Where the steps lie in a batch that is laid out sequence by sequence, (n_rows,)."""
        if self._places is None:
            self._places = self.inside.flatten().nonzero()[:, 0]
        return self._places

    def only(self, x: Tensor) -> Tensor:
        """`x` (batch, n_steps, features) with 0 on padding, whatever is there."""
        return x if self.all_inside else torch.where(self.inside[:, :, None], x, 0)

    def rows(self, x: Tensor) -> Tensor:
        """The steps (n_rows, features) of `x` (batch, n_steps, features)."""
        rows = x.flatten(0, 1)
        return rows if self.all_inside else rows.index_select(0, self.places)

    def padded(self, rows: Tensor) -> Tensor:
        """The reverse of :meth:`rows`, with 0 on padding."""
        shape = (len(self.lengths), self.n_steps, rows.shape[1])
        if self.all_inside:
            return rows.view(shape)
        return rows.new_zeros(shape[0] * shape[1], shape[2]).index_copy(0, self.places, rows).view(shape)


class StepNorm(nn.Module):
    """Batch normalisation over the steps that sequences have (Ioffe and Szegedy 2015).

    In training by mean and variance of the steps of the batch; in evaluation, of a single step, and while its weights
    are kept out of training, by their running means. These are plain means of the batches at first, so that they can be
    used after a few.

    Parameters
    ----------
    size : int
        Features of a step.
    """

    eps = 1e-5
    running_mean: Tensor
    running_var: Tensor
    n_batches: Tensor
    learned_buffers = ("running_mean", "running_var", "n_batches")

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(size))
        self.bias = nn.Parameter(torch.empty(size))
        for name in self.learned_buffers:
            self.register_buffer(name, torch.empty(() if name == "n_batches" else (size,)))

    def reset_parameters(self) -> None:
        """Change nothing at first, and have seen nothing."""
        with torch.no_grad():
            for tensor, value in ((self.weight, 1), (self.bias, 0), (self.running_mean, 0), (self.running_var, 1)):
                tensor.fill_(value)
            self.n_batches.zero_()

    def forward(self, x: Tensor, steps: Steps) -> Tensor:
        """Normalise and rectify `x` (batch, n_steps, size); 0 on padding."""
        x = x.to(self.weight.dtype)
        learns = self.training and self.weight.requires_grad
        rows = steps.rows(x) if learns else x.flatten(0, 1)
        if not learns or len(rows) < 2:
            return steps.only(self._normalise(x.flatten(0, 1), self.running_mean, self.running_var).view(x.shape))
        mean, variance = torch.zeros_like(self.running_mean), torch.zeros_like(self.running_var)
        normalised = self._normalise(rows, mean, variance, training=True)
        with torch.no_grad():
            self.n_batches += 1
            share = (1 / self.n_batches).clamp(min=MOMENTUM)
            self.running_mean.lerp_(mean, share)
            self.running_var.lerp_(variance, share)
        return steps.padded(normalised)

    def _normalise(self, rows: Tensor, mean: Tensor, variance: Tensor, *, training: bool = False) -> Tensor:
        """Normalised and rectified `rows`; in `training`, `mean` and `variance` become those of the rows."""
        return F.batch_norm(rows, mean, variance, self.weight, self.bias, training, 1.0, self.eps).relu_()


class ConvolutionLayer(nn.Module):
    """A convolution over steps, normalised and rectified; a sequence has zeros before its first and after its last.

    Parameters
    ----------
    input_size, output_size : int
    kernel_size : int
        Steps that it looks at.
    dilation : int
        Distance of two of these.
    stride : int
        Distance of two steps of the output, of which there are ``ceil(length / stride)``.
    """

    def __init__(
        self, input_size: int, output_size: int, kernel_size: int, *, dilation: int = 1, stride: int = 1
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(output_size, input_size, kernel_size))
        self.norm = StepNorm(output_size)
        self.dilation, self.stride = dilation, stride
        self.output_size = output_size

    def forward(self, x: Tensor, steps: Steps) -> tuple[Tensor, Steps]:
        """Features (batch, n_steps_out, output_size) of `x` (batch, n_steps, input_size), and which are of sequences.

        Both hold 0 on padding.
        """
        span = self.dilation * (self.weight.shape[2] - 1) + 1
        n_out = -(-steps.n_steps // self.stride)
        before = (span - self.stride) // 2
        after = (n_out - 1) * self.stride + span - steps.n_steps - before
        both = before if before == after else 0
        if not both:
            x = F.pad(x, (0, 0, before, after))
        # An image of one row whose channels lie beside each other is what (batch, n_steps, features) is in memory, and
        # what convolutions, and normalisation after them, are the fastest on.
        image = x.to(self.weight.dtype).transpose(1, 2)[:, :, None]
        kernel = self.weight[:, :, None].contiguous(memory_format=torch.channels_last)
        strides, dilations = (1, self.stride), (1, self.dilation)
        convolved = F.conv2d(image, kernel, None, strides, (0, both), dilations).squeeze(2).transpose(1, 2)
        # shape: (batch, n_steps_out, output_size)
        if self.stride > 1:
            steps = Steps(-(-steps.lengths // self.stride), n_out)
        return self.norm(convolved, steps), steps


class ConvolutionBranch(nn.Module):
    """Convolutions one after the other over what a recurrence reads too (Karim et al. 2018).

    Parameters
    ----------
    input_size : int
    channels, kernel_sizes, dilations : sequences of int
        One for each layer.
    """

    def __init__(
        self, input_size: int, channels: Sequence[int], kernel_sizes: Sequence[int], dilations: Sequence[int]
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        for size, kernel_size, dilation in zip(channels, kernel_sizes, dilations, strict=True):
            self.layers.append(ConvolutionLayer(input_size, size, kernel_size, dilation=dilation))
            input_size = size
        self.output_size = input_size

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Features (batch, n_steps, output_size) of `x` (batch, n_steps, input_size); 0 on padding."""
        steps = Steps(lengths, x.shape[1])
        x = steps.only(x)
        for layer in self.layers:
            x, _ = layer(x, steps)
        return x


class StridedFront(nn.Module):
    """One step of several: a convolution in front of all else, for long signals.

    Parameters
    ----------
    input_size : int
    stride : int
        Steps that become one; a feature looks at twice as many.
    """

    def __init__(self, input_size: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.output_size = front_size(input_size)
        self.layer = ConvolutionLayer(input_size, self.output_size, 2 * stride, stride=stride)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features (batch, ceil(n_steps / stride), output_size) of `x`, and their number for each sequence (batch,)."""
        steps = Steps(lengths, x.shape[1])
        features, shorter = self.layer(steps.only(x), steps)
        return features, shorter.lengths

    def spread(self, x: Tensor, n_steps: int) -> Tensor:
        """For each of `n_steps` steps what the one that it became part of has in `x` (batch, n_shorter, ...)."""
        return x.repeat_interleave(self.stride, dim=1)[:, :n_steps]

    def merged(self, lengths: Tensor, n_steps: int) -> Tensor:
        """How many steps became one together with each of `n_steps` steps, (batch, n_steps); at least 1."""
        first = torch.arange(n_steps, device=lengths.device) // self.stride * self.stride
        return (lengths[:, None] - first).clamp(1, self.stride)


def front_size(input_size: int) -> int:
    """Features of a :class:`StridedFront` that reads `input_size`."""
    return max(input_size, 32)
