"""How a language model reads documents, tokens, frames and contexts."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from sklearn_rnn.data.contexts import Context
from sklearn_rnn.data.continuing import joined, opened
from sklearn_rnn.data.encoding import StepEncoding
from sklearn_rnn.data.formats import items_of
from sklearn_rnn.data.inputs import Inputs
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.stream_order import check_stream
from sklearn_rnn.data.targets import check_count
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.data.weights import validate_groups
from sklearn_rnn.estimators._base import BaseRNN
from sklearn_rnn.estimators._documents import Spelling, are_documents
from sklearn_rnn.estimators._language_groups import LanguageParameters
from sklearn_rnn.estimators._transfer import PretrainedNetwork
from sklearn_rnn.estimators._vectors import VectorMixin
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.networks.inputs import InputLayout
from sklearn_rnn.networks.specs import FirstStateSpec
from sklearn_rnn.targets.continuation import Continuation, Symbols
from sklearn_rnn.targets.frames import Frames, RealSteps

TARGETS: dict[str, type[Continuation]] = {
    "symbols": Symbols,
    "binary": Frames,
    "gaussian_mixture": RealSteps,
}
"""What comes next, by what a step is."""

CONTEXT_SIZE = 32
"""Size of the vector of a context that is a label."""


@dataclass(kw_only=True, eq=False, repr=False)
class LanguageReading(VectorMixin, LanguageParameters, BaseRNN):
    """What comes before training, prediction and generation."""

    _allow_empty: ClassVar[bool] = True

    def _read_raw(self, X: Any, *, reset: bool) -> Sequences:
        X = self._in_pieces(X)
        if self.stream:
            check_stream(X)
        if reset:
            self.spelling_ = Spelling.learn(self.tokenizer, X)
        inputs = super()._read_raw(self.spelling_.read(X), reset=reset)
        if not isinstance(inputs, Sequences):
            raise SequenceDataError(
                f"X has several inputs a step, {list(self.input_spec_.inputs)}: a language model says what comes next "
                f"of one. Give that alone; what belongs to a whole sequence may be its context, y"
            )
        return inputs

    def _in_pieces(self, X: Any) -> Any:
        """X, where a stream may be a single text."""
        return [X] if self.stream and isinstance(X, str) else X

    def _items(self, X: Any) -> Any:
        """The sequences of X, one by one, as they were given."""
        return items_of(X) if len(getattr(X, "shape", (0,))) == 1 else np.asarray(X)

    def _takes_over_ids(self) -> bool:
        return self.output == "symbols" or super()._takes_over_ids()

    def _read_examples(
        self, X: Any, y: Any, sample_weight: Any, groups: Any = None, *, reset: bool, weights: str = "sample_weight"
    ) -> tuple[Continuation, TrainingSet]:
        inputs = self._read_raw(X, reset=reset)
        target, _ = self._read_target(y, inputs, None if reset else self.target_)
        target.check(inputs)
        weight, _ = target.read_weight(sample_weight, inputs, name=weights)
        groups = validate_groups(groups, len(inputs))
        context = self._read_context(y, len(inputs), reset=reset)
        if not self.stream:
            data = TrainingSet(inputs, context, weight, None, groups, np.arange(len(inputs)))
            return target, data if weight.all() else data.take(np.flatnonzero(weight))
        of_steps = None if sample_weight is None else inputs.with_values(np.repeat(weight, inputs.lengths))
        step_weight = None if of_steps is None else joined(of_steps)
        return target, TrainingSet(joined(inputs), context[:1], np.ones(1), step_weight)

    def _read_target(self, y: Any, inputs: Inputs, fitted: Any) -> tuple[Continuation, Any]:
        """What the steps of X go on with."""
        if fitted is not None:
            return fitted, inputs
        self.output_ = self._kind_of_output(inputs)
        kind = TARGETS[self.output_]
        own = {declared.name for declared in fields(self)}
        return kind(**{item.name: getattr(self, item.name) for item in fields(kind) if item.name in own}), inputs

    def _kind_of_output(self, inputs: Any) -> str:
        """What a step is."""
        symbols = self.input_spec_.kind != "numeric"
        if self.output == "auto":
            if symbols:
                return "symbols"
            return "binary" if np.all((inputs.values == 0) | (inputs.values == 1)) else "gaussian_mixture"
        if symbols != (self.output == "symbols"):
            raise SequenceDataError(
                f"output={self.output!r} needs {'tokens' if not symbols else 'numbers'} in X, which holds "
                f"{'tokens' if symbols else 'numbers'}: set output='auto'"
            )
        return self.output

    def _read_context(self, y: Any, n_sequences: int, *, reset: bool) -> NDArray[Any]:
        """The columns (n_sequences, n_columns) of the context of each sequence."""
        if y is not None and self.stream:
            raise ValueError("y, a context of whole sequences, does not go with stream=True, where X is a single one")
        if reset:
            self.context_ = None if y is None else self._learn_context(y)
        elif (y is None) != (self.context_ is None):
            came, wanted = ("no y", "a context, y, for each sequence") if y is None else ("y", "no context")
            raise ValueError(f"{type(self).__name__} got {came}, and was fitted with {wanted}: give what fit was given")
        if self.context_ is None:
            return np.empty((n_sequences, 0), dtype=np.int64)
        columns = self.context_.encode(y, self._stored_dtype)
        check_count(columns, n_sequences)
        return columns

    def _learn_context(self, y: Any) -> Context:
        """The context that y is; beside each step it is that of a `pretrained` model."""
        before = None
        if self.pretrained is not None and self.context == "input":
            before = PretrainedNetwork(self.pretrained).context
        return Context.learn(y) if before is None else before

    @property
    def _context_beside(self) -> Context | None:
        return self.context_ if self.context == "input" else None

    def _learn_encoding(self, data: TrainingSet) -> None:
        super()._learn_encoding(data)
        if self.pretrained is None:
            self.encoding_.bounded = bool(self.encoding_.vocabularies)
        elif self.encoding_.vocabularies and not self.encoding_.bounded:
            raise ValueError(
                "pretrained has no vector for the begin of a document: a language model goes on from another one alone"
            )

    def _input_layout(self, encoding: StepEncoding, token_dim: int) -> InputLayout | None:
        layout, context = super()._input_layout(encoding, token_dim), self.context_
        if context is None or self.context == "state" or (layout is None and not context.is_label):
            return layout
        numbers = self.input_spec_.n_features if layout is None else layout.n_numeric
        layout = layout or InputLayout(n_numeric=numbers)
        if not context.is_label:
            return replace(layout, n_numeric=layout.n_numeric + context.spec.n_features)
        return replace(layout, embedded=(*layout.embedded, (context.n_labels, min(token_dim, CONTEXT_SIZE))))

    def _first_state_spec(self) -> FirstStateSpec | None:
        context = self.context_
        if context is None or self.context == "input":
            return None
        if context.is_label:
            return FirstStateSpec(n_labels=context.n_labels, label_size=CONTEXT_SIZE)
        return FirstStateSpec(n_numbers=context.spec.n_features)

    def _encoded_steps(self, inputs: Sequences) -> Sequences:
        return self._encode_steps(joined(inputs) if self.stream else inputs)

    def _opened(self, X: Any, y: Any) -> tuple[Sequences, Sequences]:
        """X, and what the network reads of it, a begin in front."""
        inputs, context = self._read_fitted(X, y)
        return inputs, self.target_.with_context(opened(self._encoded_steps(inputs), self.target_.begin), context)

    def _read_continued(self, X: Any, y: Any) -> tuple[Sequences, TrainingSet]:
        """X, and what the network reads and has to say of it."""
        inputs, context = self._read_fitted(X, y)
        steps = self._encoded_steps(inputs)
        data = TrainingSet(steps, context, np.ones(len(steps)))
        return inputs, self.target_.encoded(data, training=False)

    def _read_fitted(self, X: Any, y: Any) -> tuple[Sequences, NDArray[Any]]:
        """X of a prediction, and the columns of its contexts."""
        check_is_fitted(self, "net_")
        inputs = self._read_raw(X, reset=False)
        self.target_.check(inputs)
        return inputs, self._read_context(y, len(inputs), reset=False)

    def _head_outputs(self, states: NDArray[np.float64]) -> Tensor:
        """Outputs (n, n_outputs) of the head for hidden states (n, units)."""
        with self._predictor() as compute:
            hidden = torch.from_numpy(states).to(compute.device)[:, None]
            return compute.network.head(hidden, torch.ones(len(states), dtype=torch.int64))[:, 0].cpu()

    def _count_characters(self, X: Any) -> int:
        """The characters of the text in X; between words that are tokens there is a space."""
        X = self._in_pieces(X)
        if are_documents(X):
            return max(1, sum(map(len, X)))
        if self.input_spec_.kind != "text":
            raise ValueError("bits_per_character needs text: X holds numbers. perplexity counts steps")
        inputs = self._read_raw(X, reset=False)
        lengths = np.array([len(token) for token in inputs.values.tolist()])
        spaces = np.maximum(inputs.lengths - 1, 0).sum() if np.any(lengths > 1) else 0
        return max(1, int(lengths.sum() + spaces))
