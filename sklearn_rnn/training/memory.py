"""Whether a network fits into the memory of a device, before any of it is made."""

from __future__ import annotations

import os
from math import prod

import torch

from sklearn_rnn.exceptions import OutOfMemoryError
from sklearn_rnn.networks.cells import CELLS, gated_shapes
from sklearn_rnn.networks.convolutions import front_size
from sklearn_rnn.networks.ngrams import n_rows
from sklearn_rnn.networks.specs import NetworkSpec

BYTES_OF_LAYER = 10_000
"""What the objects of a layer take, at least, whatever its size."""


def check_layers(num_layers: int) -> None:
    """Raise OutOfMemoryError if the objects of `num_layers` layers alone do not fit into memory."""
    _check(num_layers * BYTES_OF_LAYER, f"num_layers={num_layers!r} layers take", torch.device("cpu"))


def check_network(spec: NetworkSpec, device: torch.device) -> None:
    """Raise OutOfMemoryError if the weights of a network and their gradients do not fit into the memory of `device`."""
    n_weights = least_weights(spec)
    size = spec.dtype.itemsize * n_weights
    _check(2 * size, f"The network has {n_weights:,} weights, which with their gradients take", device)


def least_weights(spec: NetworkSpec) -> int:
    """The weights of a network, but for biases and what is small beside its layers and the embeddings."""
    layout, backbone = spec.inputs.layout, spec.backbone
    n_weights, width = 0, spec.inputs.n_features
    if layout is not None:
        n_weights += sum(n_rows * size for n_rows, size in layout.embedded)
        width = layout.n_numeric + sum(size for _, size in layout.embedded)
        if spec.inputs.char_encoder is not None and layout.max_characters:
            dim, size = spec.inputs.char_embedding_dim, spec.inputs.char_hidden_size
            n_weights += (layout.n_characters + size) * dim
            if spec.inputs.char_encoder == "lstm":
                n_weights += 4 * size * (size // 2)  # two directions, which share the size
            width += size
    if spec.stride > 1:
        n_weights += 2 * spec.stride * width * front_size(width)
        width = front_size(width)
    convolved = 0
    if spec.convolutions is not None:
        own, convolved = spec.convolutions, spec.convolutions.channels[-1]
        sizes = [width, *own.channels]
        n_weights += sum(prod(shape) for shape in zip(sizes, own.channels, own.kernel_sizes, strict=False))
    cell, n_directions = CELLS[backbone.cell_type], 1 + backbone.bidirectional
    for hidden_size in backbone.hidden_sizes:
        if cell.shapes is not None:
            n_weights += n_directions * sum(map(prod, cell.shapes(width, hidden_size).values()))
        else:
            rows = gated_shapes(len(cell.gates), width, hidden_size)["weight_ih_l0"][0]
            n_weights += n_directions * rows * (width + (backbone.proj_size or hidden_size))
            n_weights += n_directions * backbone.proj_size * hidden_size
        width = n_directions * (backbone.proj_size or hidden_size)
    if spec.ngrams and layout is not None:
        n_weights += n_rows(spec.ngrams, layout.embedded[0][0]) * spec.head.n_outputs
    return n_weights + spec.head.n_weights(width + convolved)


def memory_of(device: torch.device) -> int | None:
    """The bytes of memory that `device` has, used or not; None if that is not known."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[1])
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    try:
        with open("/sys/fs/cgroup/memory.max") as file:  # what a container is given of it
            return min(memory, int(file.read()))
    except (OSError, ValueError):
        return memory


def _check(wanted: int, what: str, device: torch.device) -> None:
    memory = memory_of(device)
    if memory is not None and wanted > memory:
        raise OutOfMemoryError(
            f"{what} {_readable(wanted)}, and {'this machine' if device.type == 'cpu' else device} has "
            f"{_readable(memory)}: lower hidden_size, num_layers, embedding_dim, char_hidden_size or conv_channels"
        )


def _readable(size: int) -> str:
    """A number of bytes in a unit of which there are not too many."""
    for unit, factor in (("TB", 10**12), ("GB", 10**9)):
        if size >= factor:
            return f"{size / factor:,.1f} {unit}"
    return f"{size / 10**6:,.1f} MB"
