"""Labels of steps: tags of spans or any others, joined to their neighbours or not."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from sklearn_rnn._warning import warn
from sklearn_rnn.data.batching import Alignment
from sklearn_rnn.data.encoding import StepEncoding
from sklearn_rnn.data.formats import is_text
from sklearn_rnn.data.integers import distinct_labels
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.tag_contrast import contrast_of
from sklearn_rnn.data.tag_reading import recognise_spelling
from sklearn_rnn.data.tag_schemes import SCHEMES, closest_scheme
from sklearn_rnn.data.tag_spellings import PLAIN
from sklearn_rnn.data.tag_steps import TagSteps
from sklearn_rnn.data.targets import labelled_steps, warn_unseen_labels
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.data.weights import scaled
from sklearn_rnn.data.windows import Windows
from sklearn_rnn.exceptions import SequenceDataWarning
from sklearn_rnn.metrics._flat import share_of_right
from sklearn_rnn.metrics._labels import flat_labels
from sklearn_rnn.metrics._span_counts import count_spans
from sklearn_rnn.metrics._span_scores import averaged
from sklearn_rnn.networks.heads import ChainHead, ChainHeadSpec, Head, HeadSpec
from sklearn_rnn.networks.losses import CHAIN, CROSS_ENTROPY, Loss, LossSettings
from sklearn_rnn.targets.base import Target, any_uneven, sequences_with, step_weights
from sklearn_rnn.targets.class_weights import class_weight_vector, refuse_unknown_classes
from sklearn_rnn.targets.classes import ClassWeight, check_classes
from sklearn_rnn.targets.tag_codec import TagCodec, warn_broken_tags

Array = NDArray[np.float64]

NO_CODEC = TagCodec(np.empty(0), np.empty(0))


@dataclass
class Tags(Target):
    """A label for each step; a tagger has a parameter of the same name for each attribute but the last.

    Attributes
    ----------
    class_weight : dict, "balanced" or None
    label_smoothing : float
    decoder : {"crf", "softmax"}
    tag_scheme, train_scheme : str or None
    constrain_transitions : bool
    ignore_label : str, int or None
    scoring : {"accuracy", "span_f1"}
    max_length, stride : int or None
    truncate : {"head", "tail"}
    codec : TagCodec
        Learned: what labels are to the decoder.
    """

    class_weight: ClassWeight = None
    label_smoothing: float = 0.0
    decoder: str = "crf"
    tag_scheme: str | None = "auto"
    train_scheme: str | None = None
    constrain_transitions: bool = True
    ignore_label: str | int | None = None
    scoring: str = "accuracy"
    max_length: int | None = None
    stride: int | None = None
    truncate: str = "tail"
    codec: TagCodec = field(default_factory=lambda: NO_CODEC)

    alignment: ClassVar[Alignment] = "step"
    of_labels: ClassVar[bool] = True

    @property
    def classes(self) -> NDArray[Any]:
        """The labels of y, tags spelled in one way."""
        return self.codec.classes

    def read(self, labels: Sequences, *, fitted: bool) -> Sequences:
        """Labels with tags spelled as the codec does, which learns how the user spells them unless it is `fitted`."""
        labelled = self.labelled(labels)
        spelling = self.codec.spelling
        if not fitted or (self.codec.scheme is not None and not spelling.reads(set(labels.values[labelled].tolist()))):
            spelling = recognise_spelling(labels, labelled, self.tag_scheme, self.ignore_label)
        if not fitted:
            self.codec = replace(self.codec, spelling=spelling)
        if spelling == PLAIN:
            return labels
        values = labels.values.astype(object)
        values[labelled] = spelling.read_all(values[labelled])
        return labels.with_values(values)

    def present(self, labels: Sequences) -> NDArray[np.bool_]:
        labelled = self.labelled(labels)
        if len(labelled) and not labelled.any():
            raise ValueError(f"y holds no label: every step carries ignore_label={self.ignore_label!r}")
        return sequences_with(labels, labelled)

    def learn(self, whole: TrainingSet, training: TrainingSet, classes: Any, encoding: StepEncoding) -> None:
        tags = whole.target
        labelled = self.labelled(tags)
        self.codec = TagCodec.learn(
            tags,
            labelled,
            classes=None if classes is None else np.unique(self.codec.spelling.read_all(distinct_labels(classes))),
            tag_scheme=self.tag_scheme,
            train_scheme=self.train_scheme,
            constrain=self.constrain_transitions,
            open_ends=self.max_length is not None and bool(tags.lengths.max() > self.max_length),
            spelling=self.codec.spelling,
        )
        spans = tags.with_values(np.where(labelled, tags.values.astype(object), "O"))
        if self.scoring == "span_f1" and closest_scheme(spans) is None:
            raise ValueError(
                f"scoring='span_f1' needs labels that mark spans ({', '.join(SCHEMES)}), y holds "
                f"{self.codec.names.tolist()[:5]!r}: set scoring='accuracy'"
            )

    def check_classes(self, classes: Any) -> None:
        check_classes(classes, self.codec.names)

    def refuse_unknown(self, labels: Sequences) -> None:
        labelled = self.labelled(labels)
        refuse_unknown_classes(self.codec.spelling.write_all(labels.values[labelled]), self.codec.names)
        if self.warn_of_other_scheme(labels, labelled):
            return
        broken = self.codec.count_broken(labels, labelled)
        if broken:
            warn_broken_tags(broken, str(self.codec.scheme))

    def encode(self, labels: Sequences, *, training: bool) -> Sequences:
        """Codes of the labels; outside `training` -1 for one that is new, or may not stand where it does."""
        labelled = self.labelled(labels)
        codes = self.codec.encode(labels, labelled, repair=training)
        if training or not self.warn_of_other_scheme(labels, labelled):
            self.warn_unseen(labels, labelled)
        return codes

    def warn_of_other_scheme(self, labels: Sequences, labelled: NDArray[np.bool_]) -> bool:
        """Warn if tags at the steps that are `labelled` (total_steps,) are in another scheme than that of the codec."""
        scheme = self.codec.scheme
        if scheme is None or not labelled.any() or not is_text(labels.values[labelled]):
            return False
        tags = labels if labelled.all() else labels.with_values(np.where(labelled, labels.values.astype(object), "O"))
        contrast = contrast_of(TagSteps.read(tags), scheme, labelled)
        if contrast is None:
            return False
        warn(
            f"The labels of y look like tags of the scheme {contrast.scheme}, but the tagger reads them as {scheme}, "
            f"which {contrast.broken} tag(s) break in {contrast.n_spans} span(s): they are mended in training, and "
            f"count as errors in scores. Give convert_tag_scheme(y, {scheme!r}) of sklearn_rnn.preprocessing, or fit "
            f"with tag_scheme='auto' to tags of {contrast.scheme}",
            SequenceDataWarning,
        )
        return True

    def warn_unseen(self, labels: Sequences, labelled: NDArray[np.bool_]) -> None:
        """Warn of labels at the steps that are `labelled` (total_steps,) that training did not have."""
        unseen = set(labels.values[labelled].tolist()) - set(self.classes.tolist())
        if unseen:
            warn_unseen_labels(sorted(map(self.codec.spelling.write, unseen)))

    def cut(self, data: TrainingSet) -> TrainingSet:
        """Windows of long sequences, or with `stride` None one end of each, as far as they hold a label."""
        if self.max_length is None and self.stride is None:
            return data
        stride, longest = None if self.stride is None else self.checked_stride(), int(self.max_length or 0)
        if data.sequences.lengths.max() <= longest:
            return data.take(np.flatnonzero(sequences_with(data.target, data.target.values != len(self.codec.labels))))
        if stride is None:
            parts = data.truncated(longest, self.truncate)
        else:
            windows = Windows.over(data.sequences.offsets, longest, stride)
            beside = None if data.step_weight is None else windows.of(data.step_weight)
            weight = data.weight[windows.sequence]
            parts = TrainingSet(windows.of(data.sequences), windows.of(data.target), weight, beside)
        labelled = sequences_with(parts.target, parts.target.values != len(self.codec.labels))
        return parts.take(np.flatnonzero(labelled)).merged()

    def n_parts(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        if self.max_length is None or self.stride is None:
            return super().n_parts(lengths)
        return Windows.counts(lengths, self.max_length, self.checked_stride())

    def weighed(self, data: TrainingSet, *, training: bool) -> TrainingSet:
        n_labels, n_sets = len(self.codec.labels), len(self.codec.label_sets)
        codes = np.where(data.target.values >= 0, data.target.values, n_sets)
        labelled = codes != n_labels
        weight = step_weights(data, labelled)
        if training and self.class_weight is not None:
            of_step = self.codec.class_codes(data.target.with_values(codes))[labelled]
            vector = scaled(class_weight_vector(self.class_weight, self.codec.names, of_step, weight[labelled]))
            weight[labelled] *= vector[of_step]
        if not weight.any():
            raise ValueError(
                f"no step has a weight in the {'training' if training else 'validation'} data: every label is new, or "
                f"has weight 0 in class_weight={self.class_weight!r} or in sample_weight"
            )
        weight *= len(data) / weight.sum()
        target = data.target
        return replace(data, target=target.with_values(codes), step_weight=target.with_values(weight))

    def head(self) -> HeadSpec:
        allowed = self.codec.allowed()
        return ChainHeadSpec(
            len(self.codec.labels),
            learned=self.decoder == "crf",
            allowed=None if allowed is None else torch.from_numpy(allowed),
        )

    def criterion(self, *parts: TrainingSet) -> tuple[Loss, LossSettings]:
        n_labels = len(self.codec.labels)
        exact = all(np.all((part.target.values >= 0) & (part.target.values < n_labels)) for part in parts)
        settings = LossSettings(
            self.label_smoothing,
            None if exact else torch.from_numpy(self.code_sets(of_new=True)),
            uneven=self.class_weight is not None or any_uneven(parts),
        )
        return CHAIN if self.decoder == "crf" else CROSS_ENTROPY, settings

    def score(self, decided: Any, target: Any, weight: Any, lengths: Any) -> float:
        found, wanted = decided.astype(np.int64), target.astype(np.int64)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        if self.scoring == "accuracy":
            known = wanted < len(self.codec.label_sets)
            wanted[~known] = len(self.codec.labels)
            given, said = (self.codec.class_codes(Sequences(codes, offsets)) for codes in (wanted, found))
            return float(np.average(known & (given == said), weights=weight))
        exact = np.where(wanted < len(self.codec.labels), wanted, self.code_sets(of_new=False)[wanted].argmax(axis=1))
        exact = np.where(weight > 0, exact, found)
        truth, predicted = (self.codec.decode(Sequences(codes, offsets)) for codes in (exact, found))
        return self.span_f1(truth, predicted, np.maximum.reduceat(weight, offsets[:-1]))

    def settle(self, head: Head) -> None:
        """Sequences that were cut for training, where any label could come first or last, are whole from now on."""
        allowed = self.codec.allowed(closed=True)
        if self.codec.open_ends and allowed is not None:
            assert isinstance(head, ChainHead)
            head.chain.allowed.copy_(torch.from_numpy(allowed))

    def attributes(self) -> dict[str, Any]:
        return {"codec_": self.codec, "classes_": self.codec.names, "tag_scheme_": self.codec.scheme}

    def labelled(self, labels: Sequences) -> NDArray[np.bool_]:
        """Which steps (total_steps,) carry a label."""
        return labelled_steps(labels, self.ignore_label)

    def code_sets(self, *, of_new: bool) -> NDArray[np.bool_]:
        """The labels (n_codes + 1, n_labels) that each code stands for; a new one, the last, for all or for none."""
        last = np.full((1, len(self.codec.labels)), of_new, dtype=bool)
        return np.concatenate([self.codec.label_sets, last])

    def checked_stride(self) -> int:
        """The stride of windows, which must not be longer than a window."""
        if self.max_length is None or self.stride is None or self.stride > self.max_length:
            raise ValueError(f"stride={self.stride!r} needs a max_length of at least as much, got {self.max_length!r}")
        return self.stride

    def score_labels(self, truth: Sequences, predicted: Sequences, weight: Any) -> float:
        """What `scoring` says of predicted labels."""
        if self.scoring == "span_f1":
            return self.span_f1(truth, predicted, weight)
        return share_of_right(*flat_labels(truth, predicted, ignore_label=self.ignore_label, sample_weight=weight))

    def class_probabilities(self, marginals: Array, of_pairs: list[Array]) -> Array:
        """The probability (total_steps, n_classes) of each label of y, given those of the decoder's labels.

        Of labels made of IOB1 tags `of_pairs` holds, for each item of ``codec.touching()``, the probability
        (total_steps,) that two spans touch.
        """
        probabilities: Array = marginals @ self.codec.class_of_label()
        for touching, (_, opening, inside) in zip(of_pairs, self.codec.touching(), strict=True):
            probabilities[:, opening] += touching
            if inside >= 0:
                probabilities[:, inside] -= touching
        return probabilities

    def candidates(self, sequences: Sequences, paths: Array) -> list[list[tuple[list[Any], float]]]:
        """For each sequence pairs of a list of labels and its probability, the most probable first.

        `paths` (total_steps, 2, n) are codes, and the log-probability of the path that they belong to.
        """
        tags = [self.codec.decode(sequences.with_values(codes)) for codes in paths[:, 0].astype(np.int64).T]
        write = self.codec.spelling.write_all
        found: list[list[tuple[list[Any], float]]] = []
        for i, (begin, end) in enumerate(pairwise(sequences.offsets)):
            if begin == end:
                found.append([([], 1.0)])
                continue
            ranks = np.flatnonzero(paths[begin, 1] > -np.inf)  # of a long sequence a probability may round to 0
            found.append([(write(tags[k][i]).tolist(), float(np.exp(paths[begin, 1, k]))) for k in ranks])
        return found

    def transitions(self, scores: Array) -> Any:
        """The `scores` (n_labels + 2, n_labels) of a chain as a DataFrame: transitions, and those of start and end."""
        import pandas as pd

        labels = [str(label) for label in self.codec.label_names.tolist()]
        n_labels = len(labels)
        table = np.full((n_labels + 1, n_labels + 1), -np.inf)
        table[:, :n_labels] = scores[: n_labels + 1]
        table[:n_labels, n_labels] = scores[n_labels + 1]
        return pd.DataFrame(table, index=[*labels, "<start>"], columns=[*labels, "<end>"])

    def span_f1(self, truth: Sequences, predicted: Any, weight: NDArray[np.float64] | None) -> float:
        """The F1 of spans; `weight` (n_sequences,) is that of the spans of a sequence."""
        counts = count_spans(
            truth,
            predicted,
            scheme=self.codec.scheme or "auto",
            mode="strict",
            labels=None,
            ignore_label=self.ignore_label,
            sample_weight=weight,
            contrasts=False,
        )
        return float(averaged(counts, "micro", 1.0, 0.0).fscore)
