"""The weights of a network one after the other, as the kernel of a single step reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from sklearn_rnn.networks.fused import weights_of
from sklearn_rnn.networks.heads import VocabularyHead
from sklearn_rnn.networks.pooling import AttentionPooling, ConcatPooling, LastPooling, MaxPooling, MeanPooling

Array = NDArray[Any]

POOLINGS: dict[type, str | None] = {
    type(None): None,
    LastPooling: "last",
    MeanPooling: "mean",
    MaxPooling: "max",
    ConcatPooling: "concat",
    AttentionPooling: "attention",
}


def head_parts(network: Any) -> tuple[Any, nn.Linear, Any]:
    """The pooling or None, the linear map and the chain or None that lie above the layers of a network."""
    head = network.head
    return getattr(head, "pooling", None), head.linear, getattr(head, "chain", None)


class FlatArrays:
    """Arrays that end as one, one after the other."""

    def __init__(self) -> None:
        self._parts: list[Array] = []
        self._size = 0

    def add(self, *parts: Any) -> int:
        """Where the first of the `parts` begins."""
        start = self._size
        for part in parts:
            array = part.detach().cpu().numpy() if isinstance(part, Tensor) else np.asarray(part)
            self._parts.append(array.reshape(-1))
            self._size += array.size
        return start

    def joined(self, dtype: np.dtype[Any]) -> Array:
        return np.concatenate([np.empty(0, dtype), *self._parts], dtype=dtype)


def cell_name(layer: Any) -> str | None:
    """What kernels call the cell of a layer; None if they do not have it."""
    name: str | None = "relu" if layer.unbounded else layer.cell.kernel
    return name


def recurrence_places(layer: Any, narrow: FlatArrays) -> Iterator[int]:
    """Cell, sizes and places of the weights of a layer, which go to `narrow`."""
    from sklearn_rnn.kernels.recurrence import CELLS, arrange

    w_x, w_h, b_x, b_h = (weight.detach().contiguous().numpy() for weight in weights_of(layer.directions[0]))
    cell, hidden, inputs = CELLS[cell_name(layer) or ""], w_h.shape[1], w_x.shape[1]
    n_gates = len(w_h) // hidden
    shapes: list[tuple[int, ...]] = [(n_gates, inputs + 1, hidden), (n_gates, hidden, hidden), (hidden,)]
    arrays = [np.empty(shape, w_x.dtype) for shape in shapes]
    arrange(cell, w_x, w_h, b_x, b_h, *arrays)
    yield from (cell, inputs, hidden, *(narrow.add(array) for array in arrays))


def surroundings_places(backbone: Any, k: int, wide: FlatArrays) -> tuple[int, int]:
    """Places of the skip connection and the norm of layer `k`, whose weights go to `wide`."""
    from sklearn_rnn.kernels.stepping import IDENTITY, NOTHING

    skip, norm = NOTHING, NOTHING
    if len(backbone.skips):
        skip = IDENTITY if isinstance(backbone.skips[k], nn.Identity) else wide.add(backbone.skips[k].weight.t())
    if len(backbone.norms):
        norm = wide.add(backbone.norms[k].eps, backbone.norms[k].weight, backbone.norms[k].bias)
    return skip, norm


def head_places(network: Any, wide: FlatArrays) -> list[int]:
    """Pooling, number of outputs and places of what lies above the layers, whose weights go to `wide`."""
    from sklearn_rnn.kernels import stepping

    pooling, linear, _ = head_parts(network)
    kind = POOLINGS[type(pooling)]
    head = network.head
    weight, bias = head.affine() if isinstance(head, VocabularyHead) else (linear.weight, linear.bias)
    places = [wide.add(weight.t()), wide.add(bias), 0, 0, 0]
    if kind == "attention":
        project, score = pooling.project, pooling.score
        places[2:] = [wide.add(project.weight.t()), wide.add(project.bias), wide.add(score.weight)]
    return [stepping.POOLINGS[kind], len(bias), *places]


def tables_of(inputs: Any) -> list[Array] | None:
    """The vectors of each embedded input; None where that is not all that is embedded."""
    if inputs.character_encoder is not None:
        return None
    return [embedding.weight.detach().double().numpy() for embedding in inputs.embeddings]
