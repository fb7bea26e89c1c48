"""What a network is built from: records that are nested as its parts are, and that other estimators may take over."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from sklearn_rnn.networks.heads import HeadSpec
from sklearn_rnn.networks.inputs import InputLayout


@dataclass(frozen=True)
class InputsSpec:
    """What the recurrence reads.

    Attributes
    ----------
    n_features : int
        Features a step, where steps are plain numbers.
    layout : InputLayout or None
        What the columns of an encoded step are; None for plain numbers.
    char_encoder : {"cnn", "lstm"} or None
    char_embedding_dim, char_hidden_size : int
    """

    n_features: int
    layout: InputLayout | None = None
    char_encoder: str | None = None
    char_embedding_dim: int = 0
    char_hidden_size: int = 0


@dataclass(frozen=True)
class BackboneSpec:
    """The recurrent layers; see :class:`sklearn_rnn.networks.recurrent.RecurrentStack`."""

    cell_type: str
    hidden_sizes: tuple[int, ...]
    bidirectional: bool = False
    nonlinearity: str = "tanh"
    proj_size: int = 0
    residual: bool = False
    layer_norm: bool = False


@dataclass(frozen=True)
class ConvolutionSpec:
    """The convolutions beside the recurrence; see :class:`sklearn_rnn.networks.convolutions.ConvolutionBranch`.

    Attributes
    ----------
    channels, kernel_sizes, dilations : tuple of int
        One for each layer.
    """

    channels: tuple[int, ...]
    kernel_sizes: tuple[int, ...]
    dilations: tuple[int, ...]


@dataclass(frozen=True)
class FirstStateSpec:
    """What the state before the first step is made of, in columns in front of those of a step.

    Attributes
    ----------
    n_labels, label_size : int
        Number of indices of a label, and the size of its vector; 0 where there is none.
    n_numbers : int
    """

    n_labels: int = 0
    label_size: int = 0
    n_numbers: int = 0

    @property
    def n_columns(self) -> int:
        """How many columns hold it, at each step the same."""
        return bool(self.n_labels) + self.n_numbers


@dataclass(frozen=True)
class DropoutSpec:
    """What training drops, and where.

    Attributes
    ----------
    dropout : float
        Share of values dropped between layers and before the head.
    recurrent_dropout, weight_dropout : float
        Shares of the hidden state on its way to the next step, and of the recurrent weights.
    embedding_dropout, word_dropout : float
        Shares of the values of embedded vectors, and of whole tokens.
    tied_dropout : bool
        Whether `dropout` and `embedding_dropout` drop the same values at all steps of a sequence.
    """

    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    weight_dropout: float = 0.0
    embedding_dropout: float = 0.0
    word_dropout: float = 0.0
    tied_dropout: bool = False


@dataclass(frozen=True)
class NetworkSpec:
    """A whole network.

    Attributes
    ----------
    inputs : InputsSpec
    backbone : BackboneSpec
    head : HeadSpec
    dropout : DropoutSpec
    convolutions : ConvolutionSpec or None
        None for a recurrence alone.
    first_state : FirstStateSpec or None
        None where the state before the first step is 0.
    stride : int
        Steps that a convolution in front of all else makes one of; 1 for no such convolution.
    ngrams : int
        Tokens of the longest n-gram that adds to the outputs by itself; 0 for none.
    tbptt_steps : int or None
        Steps after which back-propagation through time is cut off.
    weight_init : {"auto", "orthogonal", "identity", "torch"}
    dtype : torch.dtype
    seed : int
        Of the generator that the first weights are drawn from.
    """

    inputs: InputsSpec
    backbone: BackboneSpec
    head: HeadSpec
    dropout: DropoutSpec = field(default_factory=DropoutSpec)
    convolutions: ConvolutionSpec | None = None
    first_state: FirstStateSpec | None = None
    stride: int = 1
    ngrams: int = 0
    tbptt_steps: int | None = None
    weight_init: str = "auto"
    dtype: torch.dtype = torch.float32
    seed: int = 0
