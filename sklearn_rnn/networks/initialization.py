"""First weights, drawn from a generator of their own."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import init

from sklearn_rnn.networks.cells import Cell, Weights
from sklearn_rnn.networks.convolutions import ConvolutionLayer, StepNorm
from sklearn_rnn.networks.label_chain import LabelChain
from sklearn_rnn.networks.layer import RecurrentLayer
from sklearn_rnn.networks.ngrams import NgramBranch

EMBEDDING_STD = 0.1
"""Spread of first embeddings: what rare tokens keep of it is noise, so that small is better than 1."""


def initialize(network: nn.Module, weight_init: str, generator: torch.Generator) -> None:
    """Draw all weights of a network in place.

    Parameters
    ----------
    network : torch.nn.Module
    weight_init : {"auto", "orthogonal", "identity", "torch"}
        ``"orthogonal"``: each recurrent matrix orthogonal (Saxe et al. 2014), input matrices after Glorot and Bengio
        (2010), biases 0 but for those of the cell's record, such as 1 for the LSTM's forget gate. ``"identity"``: the
        recurrent matrices start as the identity (Le et al. 2015). ``"auto"``: identity for the vanilla cell with relu,
        orthogonal otherwise. ``"torch"``: uniform in ±1/sqrt(hidden_size), as torch's own layers. Convolutions, which
        are rectified, after He et al. (2015) but for ``"torch"``.
    generator : torch.Generator
    """
    with torch.no_grad():
        for part in network.modules():
            if isinstance(part, RecurrentLayer):
                for weights in part.directions:
                    _initialize_recurrent(weights, part.cell, weight_init, generator)
            elif isinstance(part, nn.Linear):
                _initialize_linear(part, weight_init, generator)
            elif isinstance(part, nn.Embedding):
                init.normal_(part.weight, std=EMBEDDING_STD, generator=generator)
                part.weight[0] = 0  # tokens that training did not have say nothing
            elif isinstance(part, ConvolutionLayer):
                _initialize_convolution(part, weight_init, generator)
            elif isinstance(part, (nn.LayerNorm, StepNorm)):
                part.reset_parameters()
            elif isinstance(part, LabelChain):
                part.scores.zero_()
            elif isinstance(part, NgramBranch):
                part.weight.zero_()


def _initialize_recurrent(weights: Weights, cell: Cell, weight_init: str, generator: torch.Generator) -> None:
    if weight_init == "torch":
        bound = 1 / math.sqrt(weights.hidden_size)
        for parameter in weights.parameters():
            init.uniform_(parameter, -bound, bound, generator=generator)
        return
    if weight_init == "auto":
        relu = "nonlinearity" in cell.options and weights.nonlinearity == "relu"
        weight_init = "identity" if relu else "orthogonal"
    for name, parameter in weights.named_parameters():
        if name.startswith("bias"):
            parameter.zero_()
            continue
        blocks = parameter.chunk(len(cell.gates)) if name != "weight_hr_l0" else (parameter,)
        for block in blocks:
            if block.ndim == 1:
                block.fill_(1)  # the diagonal of the identity, which is orthogonal
            elif name != "weight_hh_l0":
                init.xavier_uniform_(block, generator=generator)
            elif weight_init == "identity":
                init.eye_(block)
            else:
                init.orthogonal_(block, generator=generator)
    for gate, bias in cell.biases.items():
        weights.bias_ih_l0.chunk(len(cell.gates))[cell.gates.index(gate)].fill_(bias)
    if cell.initialize is not None:
        cell.initialize(weights, generator)


def _initialize_convolution(layer: ConvolutionLayer, weight_init: str, generator: torch.Generator) -> None:
    if weight_init == "torch":
        bound = 1 / math.sqrt(layer.weight[0].numel())
        init.uniform_(layer.weight, -bound, bound, generator=generator)
    else:
        init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)


def _initialize_linear(linear: nn.Linear, weight_init: str, generator: torch.Generator) -> None:
    if weight_init == "torch":
        bound = 1 / math.sqrt(linear.in_features)
        init.uniform_(linear.weight, -bound, bound, generator=generator)
        if linear.bias is not None:
            init.uniform_(linear.bias, -bound, bound, generator=generator)
        return
    init.xavier_uniform_(linear.weight, generator=generator)
    if linear.bias is not None:
        linear.bias.zero_()
