"""How an encoder-decoder reads sources and targets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from sklearn_rnn.data.encoding import StepEncoding
from sklearn_rnn.data.inputs import Inputs, read
from sklearn_rnn.data.row_order import check_beside
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.targets import check_count
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.estimators._defaults import DEFAULT_EMBEDDING_DIM, Facts
from sklearn_rnn.estimators._documents import Spelling
from sklearn_rnn.estimators._language_reading import TARGETS
from sklearn_rnn.estimators._parameters import record_of
from sklearn_rnn.estimators._transduction_groups import TransductionParameters
from sklearn_rnn.estimators._vectors import VectorMixin
from sklearn_rnn.estimators._whole import WholeSequenceRNN
from sklearn_rnn.exceptions import SequenceDataError
from sklearn_rnn.networks.heads.decoder import DecoderSpec
from sklearn_rnn.networks.inputs import InputLayout
from sklearn_rnn.networks.specs import NetworkSpec
from sklearn_rnn.targets.base import Target
from sklearn_rnn.targets.transduction import Transduction


@dataclass(kw_only=True, eq=False, repr=False)
class TransductionReading(VectorMixin, TransductionParameters, WholeSequenceRNN):
    """What comes before training and before prediction."""

    _allow_empty: ClassVar[bool] = False

    def _read_raw(self, X: Any, *, reset: bool) -> Inputs:
        if reset:
            self.spelling_ = Spelling.learn(self.tokenizer, X)
        X = self.spelling_.read(X)
        if hasattr(X, "__array__") and not hasattr(X, "shape"):
            X = np.asarray(X)
        vectors = self._are_vectors(X)
        if reset:
            self.of_vectors_ = vectors
            if vectors and self.attention is not None:
                raise ValueError(
                    f"attention={self.attention!r} looks at the steps of a source, and X of shape {np.shape(X)} holds "
                    f"one vector for each, in which there is nothing to attend to: set attention=None, or give "
                    f"sequences of shape (n_sequences, n_steps, n_features)"
                )
        inputs = super()._read_raw(np.asarray(X)[:, None] if vectors else X, reset=reset)
        if vectors != self.of_vectors_:
            came, wanted = ("vectors", "sequences") if vectors else ("sequences", "vectors")
            raise SequenceDataError(
                f"X holds {came}, and the model was fitted to {wanted}: vectors are an array of shape (n_sequences, "
                f"n_features), sequences a list of arrays, or an array of three dimensions"
            )
        return inputs

    def _are_vectors(self, X: Any) -> bool:
        """Whether X holds one vector for each sequence, and no sequence."""
        if len(getattr(X, "shape", ())) != 2 or not X.shape[1] or hasattr(X, "toarray"):
            return False
        dtypes = list(X.dtypes) if hasattr(X, "dtypes") else [getattr(X, "dtype", None)]
        ids = "" if self.embedding_dim is None else "iu"  # whole numbers then are tokens
        kinds = [getattr(dtype, "kind", "O") for dtype in dtypes]
        return all(kind in "fiub" and kind not in ids for kind in kinds)

    def _reads_ids(self, X: Any) -> bool:
        """Whether integers in X are token ids; of real numbers `embedding_dim` is that of targets alone."""
        return super()._reads_ids(X) and not _are_real(X)

    def _read_target(self, y: Any, inputs: Inputs, fitted: Any) -> tuple[Target, Any]:
        if y is None:
            raise ValueError("RNNEncoderDecoder requires y to be passed, but the target y is None")
        check_count(y, len(inputs))
        if fitted is None:
            self.target_spelling_ = Spelling.learn(self.target_tokenizer, y, name="y", parameter="target_tokenizer")
        steps, spec = read(
            self.target_spelling_.read(y),
            None if fitted is None else fitted.spec,
            dtype=None,
            allow_empty=True,
            reader=type(self).__name__,
            name="y",
        )
        if not isinstance(steps, Sequences):
            raise SequenceDataError("y has several inputs a step, wanted one: tokens, or rows of numbers")
        if fitted is not None:
            return fitted, steps
        return self._new_target(steps, spec, flat=np.ndim(next(iter(y))) == 1), steps

    def _new_target(self, steps: Sequences, spec: Any, *, flat: bool) -> Transduction:
        """What y is, before anything is learned of it."""
        kind = "symbols"
        if spec.kind == "numeric":
            kind = "binary" if np.all((steps.values == 0) | (steps.values == 1)) else "gaussian_mixture"
        self._check_kinds(kind)
        return Transduction(
            TARGETS[kind](),
            spec,
            min_df=self.min_df,
            max_features=self.max_features,
            embedding_dim=self.embedding_dim or DEFAULT_EMBEDDING_DIM,
            stored_dtype=self._stored_dtype,
            flat=flat,
            shared=self.share_embeddings,
        )

    def _check_kinds(self, kind: str) -> None:
        """Refuse parameters that are about symbols where there are numbers."""
        symbols = {"num_beams": 1, "scheduled_sampling": 0, "share_embeddings": False, "tie_weights": False}
        symbols["replace_unknown"] = False
        for name, none in symbols.items():
            value = getattr(self, name)
            if kind != "symbols" and value != none:
                raise ValueError(f"{name}={value!r} is about symbols, and y holds numbers: set it to {none!r}")
        numbers = self.input_spec_.kind in ("numeric", "aligned")
        for name in ("share_embeddings", "replace_unknown"):
            if getattr(self, name) and numbers:
                raise ValueError(f"{name}=True needs tokens in X, one a step, and X holds others: set it to False")
        if self.replace_unknown and self.attention is None:
            raise ValueError("replace_unknown=True asks what is attended to, with attention=None nothing: set either")

    def _resolve_auto(self, facts: Facts, target: Any, *, reset: bool, partial: bool) -> Any:
        target = super()._resolve_auto(facts, target, reset=reset, partial=partial)
        sizes = self._layer_sizes()
        between = self.attention is not None and self.attend == "between"
        n_layers = self.decoder_num_layers or (2 if between else len(sizes))
        if between and n_layers < 2:
            raise ValueError(
                f"attend='between' puts attention between layers of the decoder, and decoder_num_layers={n_layers}: "
                f"give it 2, or set attend='after'"
            )
        units = sizes[-1]
        if self.attention == "dot":  # whose two sides are of one size
            units = (self.proj_size or units) * (1 + self.bidirectional)
        if self.tie_weights:
            target.following.tie_weights = True
        hidden_sizes = (self.decoder_hidden_size or units,) * n_layers
        return replace(target, decoder=record_of(DecoderSpec, self, hidden_sizes=hidden_sizes))

    def _learn_encoding(self, data: TrainingSet) -> None:
        """As of all estimators; symbols that both sides share are learned of both."""
        super()._learn_encoding(data)
        if not self.share_embeddings:
            return
        if self.pretrained is not None:
            raise ValueError("share_embeddings=True learns the symbols of both sides, pretrained brings its own")
        if self.casing_features:
            raise ValueError("share_embeddings=True does not go with casing_features=True, which lowers X alone")
        both = _joined(data)
        self.encoding_ = StepEncoding.learn(
            both.sequences,
            self.input_spec_,
            min_df=self.min_df,
            max_features=self.max_features,
            characters=self.char_encoder is not None,
            counts=both.counts,
        )
        self.encoding_.bounded = True
        self.vocabulary_ = self.encoding_.vocabulary

    def _network_spec(self, n_features: int, encoding: StepEncoding, dim: int, head: Any, *, seed: int) -> NetworkSpec:
        if self.share_embeddings:
            head = replace(head, layout=InputLayout(embedded=((encoding.sizes[0], dim),)))
        return super()._network_spec(n_features, encoding, dim, head, seed=seed)

    def _read_pairs(self, X: Any, y: Any, sample_weight: Any = None) -> tuple[Inputs, Sequences]:
        """Sources of a prediction, and their targets."""
        inputs = self._read_inputs(X)
        check_beside(X, y, {"sample_weight": sample_weight})
        return inputs, self._read_target(y, inputs, self.target_)[1]

    def _encode_pairs(self, inputs: Inputs, targets: Sequences) -> TrainingSet:
        """Sources with their targets, both encoded."""
        sources = self._encode_steps(inputs)
        return self.target_.encoded(TrainingSet(sources, targets, np.ones(len(sources))), training=False)


def _joined(data: TrainingSet) -> TrainingSet:
    """Sources and targets, all as sequences of tokens beside each other."""
    one, two = data.sequences, data.target
    values = np.concatenate([one.values.astype(object), two.values.astype(object)])
    both = Sequences(values, np.concatenate([one.offsets, one.offsets[-1] + two.offsets[1:]]))
    weight = np.concatenate([data.weight, data.weight])
    return TrainingSet(both, np.empty((len(both), 0)), weight)


def _are_real(X: Any) -> bool:
    """Whether X holds real numbers, judged by its first sequence."""
    values = X.values if isinstance(X, Sequences) else X
    kind = getattr(getattr(values, "dtype", None), "kind", "O")
    if kind != "O" or not isinstance(values, (list, tuple, np.ndarray)) or not len(values):
        return bool(kind == "f")
    first = values[0]
    return isinstance(first, float) or (isinstance(first, (list, tuple, np.ndarray)) and _are_real(first))
