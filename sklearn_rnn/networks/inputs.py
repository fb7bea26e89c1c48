"""From encoded steps to the vectors that the recurrence reads: embeddings, characters and numbers side by side."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sklearn_rnn.networks.dropout import Drawing, Dropout, sample_mask
from sklearn_rnn.networks.initialization import EMBEDDING_STD
from sklearn_rnn.networks.layer import RecurrentLayer
from sklearn_rnn.networks.packing import SharedRows
from sklearn_rnn.networks.pooling import LastPooling, step_mask


@dataclass(frozen=True)
class InputLayout:
    """Which columns of an encoded step are what, in this order.

    Attributes
    ----------
    embedded : tuple of (int, int)
        Number of indices and size of the vectors of each embedded input; the token is the first.
    max_characters : int
        Columns that hold characters, after one for the number of the token's form; 0 for none.
    n_characters : int
        Number of distinct character codes.
    n_numeric : int
        Columns that are passed on as they are.
    """

    embedded: tuple[tuple[int, int], ...] = ()
    max_characters: int = 0
    n_characters: int = 0
    n_numeric: int = 0


class StepInputs(Drawing):
    """The vector of each step: what is embedded, the encoded characters, and the numbers, joined.

    Parameters
    ----------
    layout : InputLayout
    character_encoder : CharacterEncoder or None
    word_dropout : float
        Share of the tokens read as unknown in training.
    dropout : float
        Share of the values of the vectors dropped in training.
    tied : bool
        Whether the values that are dropped are the same at all steps of a sequence.
    """

    def __init__(
        self,
        layout: InputLayout,
        *,
        character_encoder: CharacterEncoder | None = None,
        word_dropout: float = 0.0,
        dropout: float = 0.0,
        tied: bool = False,
    ) -> None:
        super().__init__()
        self.layout = layout
        self.embeddings = nn.ModuleList(nn.Embedding(n_rows, size) for n_rows, size in layout.embedded)
        self.character_encoder = character_encoder
        self.word_dropout = word_dropout
        self.dropout = Dropout(dropout, tied_dim=1 if tied else None)
        self.output_size = sum(size for _, size in layout.embedded) + layout.n_numeric
        if character_encoder is not None:
            self.output_size += character_encoder.output_size

    def forward(self, values: Tensor) -> Tensor:
        """Vectors (batch, n_steps, output_size) of `values` (batch, n_steps, n_columns), or (batch, n_steps) tokens."""
        if values.ndim == 2:
            values = values[:, :, None]
        n_embedded = len(self.embeddings)
        n_indices = values.shape[2] - self.layout.n_numeric
        indices = values[:, :, :n_indices].long()
        # shape: (batch, n_steps, n_embedded [+ 1 + max_characters])
        parts = []
        for k, embedding in enumerate(self.embeddings):
            index = indices[:, :, k]
            parts.append(embedding(index if k else self._read_tokens(index)))
        if self.character_encoder is not None:
            forms, characters = indices[:, :, n_embedded], indices[:, :, n_embedded + 1 :]
            parts.append(self._encode_forms(forms.flatten(), characters.flatten(0, 1)).view(*forms.shape, -1))
        if self.layout.n_numeric:
            parts.append(values[:, :, n_indices:])
        return self.dropout(torch.cat(parts, dim=2) if len(parts) > 1 else parts[0])

    def shared(self, values: Tensor) -> SharedRows | None:
        """What :meth:`forward` returns as rows that many steps share; None where it is not rows of few tokens."""
        layout = self.layout
        tokens_alone = len(layout.embedded) == 1 and not layout.n_numeric and self.character_encoder is None
        if not tokens_alone or (self.training and self.dropout.p):
            return None
        index, weight = values.reshape(values.shape[:2]).long(), self.token_embedding.weight
        if 2 * len(weight) > index.numel() and 2 * len(index.unique()) > index.numel():
            return None
        index = self._read_tokens(index)
        if 2 * len(weight) <= index.numel():
            return SharedRows(weight, index)
        distinct, index = index.unique(return_inverse=True)
        return SharedRows(self.token_embedding(distinct), index)

    def _read_tokens(self, index: Tensor) -> Tensor:
        """The tokens `index` (batch, n_steps), in training some of them as unknown."""
        if not self.training or not self.word_dropout:
            return index
        kept = sample_mask(torch.empty(0, device=index.device), tuple(index.shape), self.word_dropout, self.generator)
        return index * (kept > 0)

    def set_vectors(self, vectors: Tensor, covered: Tensor) -> None:
        """Give tokens their pretrained vectors.

        Parameters
        ----------
        vectors : tensor of shape (n_tokens, size)
        covered : tensor of bool, shape (n_tokens,)
            Which rows are pretrained. The other tokens, and a begin behind them, keep a random vector of the same
            spread.
        """
        weight = self.token_embedding.weight
        with torch.no_grad():
            known = vectors.to(weight.dtype)
            if covered.any():
                weight.mul_(known[covered].std(correction=0) / EMBEDDING_STD)  # row 0, of unknown tokens, is 0
            weight[: len(known)][covered] = known[covered].to(weight.device)

    def freeze_tokens(self, frozen: bool) -> None:
        """Keep the vectors of tokens out of training, or let them in."""
        self.token_embedding.weight.requires_grad_(not frozen)

    @property
    def token_embedding(self) -> nn.Embedding:
        """The vectors of the tokens."""
        embedding = self.embeddings[0]
        assert isinstance(embedding, nn.Embedding)
        return embedding

    def _encode_forms(self, forms: Tensor, characters: Tensor) -> Tensor:
        """Vectors (n, size) of tokens given as `characters` (n, max_characters), each of the `forms` (n,) once."""
        assert self.character_encoder is not None
        distinct, form_of = torch.unique(forms, return_inverse=True)
        example = torch.empty_like(distinct).scatter_(0, form_of, torch.arange(len(forms), device=forms.device))
        return self.character_encoder(characters[example])[form_of]


class CharacterEncoder(nn.Module):
    """One vector from the characters of a token.

    Parameters
    ----------
    kind : {"cnn", "lstm"}
        A convolution of width 3 and the greatest value of each filter (Ma and Hovy 2016), or the last states of an LSTM
        in both directions (Lample et al. 2016).
    n_characters : int
        Number of character codes; 0 is padding.
    embedding_dim : int
        Size of the vector of a character.
    hidden_size : int
        Filters of the convolution, or units of the LSTM in both directions together.
    """

    def __init__(self, kind: str, n_characters: int, embedding_dim: int, hidden_size: int) -> None:
        super().__init__()
        self.kind = kind
        self.embedding = nn.Embedding(n_characters, embedding_dim)
        if kind == "cnn":
            self.convolution = nn.Linear(3 * embedding_dim, hidden_size)
            self.output_size = hidden_size
        else:
            units = -(-hidden_size // 2)
            self.recurrence = RecurrentLayer("lstm", embedding_dim, units, bidirectional=True)
            self.pooling = LastPooling(2 * units, units)
            self.output_size = 2 * units

    def forward(self, characters: Tensor) -> Tensor:
        """Vectors (n, output_size) of tokens (n, max_characters); 0 for one without characters."""
        lengths = (characters > 0).sum(1)
        inside = step_mask(lengths, characters.shape[1])[:, :, None]
        x = torch.where(inside, self.embedding(characters), 0)
        # shape: (n, max_characters, embedding_dim)
        if self.kind == "cnn":
            side = x.new_zeros(len(x), 1, x.shape[2])
            padded = torch.cat([side, x, side], dim=1)
            windows = torch.cat([padded[:, :-2], padded[:, 1:-1], padded[:, 2:]], dim=2)
            encoded = self.convolution(windows).masked_fill(~inside, -torch.inf).amax(1)
        else:
            states = self.recurrence(x.transpose(0, 1), lengths).transpose(0, 1)
            encoded = self.pooling(states, lengths.clamp(min=1))
        return torch.where(lengths[:, None] > 0, encoded, 0)
