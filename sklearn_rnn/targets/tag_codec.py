"""Between the tags of the user and the labels that a decoder works with: schemes, constraints and partial labels."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_rnn._warning import warn
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.data.sequences import Sequences
from sklearn_rnn.data.tag_reading import (
    EITHER,
    MARKS,
    TagReading,
    kind_of,
    marks_of,
    recognise_scheme,
    refuse_unknown_tags,
)
from sklearn_rnn.data.tag_schemes import SCHEMES, allowed_transitions, convert_tags
from sklearn_rnn.data.tag_spellings import PLAIN, Spelling
from sklearn_rnn.exceptions import BrokenTagsWarning


@dataclass
class TagCodec:
    """What the labels of steps are to the user, and what they are to the decoder.

    Attributes
    ----------
    classes : array of shape (n_classes,)
        The labels of y, sorted, with those that come in where broken tags are mended.
    labels : array of shape (n_labels,)
        The labels of the decoder: `classes`, or the tags of `train_scheme`.
    scheme : str or None
        The scheme of `classes`.
    train_scheme : str or None
        The scheme of `labels`, if it is another.
    constrained : bool
        Whether only label sequences that the scheme allows are possible.
    open_ends : bool
        Whether sequences may be cut inside a span, so that any label may come first or last in training.
    spelling : Spelling
        How the user writes tags; here all are written in one way.
    """

    classes: NDArray[Any]
    labels: NDArray[Any]
    scheme: str | None = None
    train_scheme: str | None = None
    constrained: bool = False
    open_ends: bool = False
    spelling: Spelling = PLAIN
    _index: dict[Any, int] = field(init=False, repr=False)
    _class_index: dict[Any, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._index = {label: code for code, label in enumerate(self.labels.tolist())}
        self._class_index = {label: code for code, label in enumerate(self.classes.tolist())}

    @classmethod
    def learn(
        cls,
        tags: Sequences,
        labelled: NDArray[np.bool_],
        *,
        classes: NDArray[Any] | None = None,
        tag_scheme: str | None = "auto",
        train_scheme: str | None = None,
        constrain: bool = True,
        open_ends: bool = False,
        spelling: Spelling = PLAIN,
    ) -> TagCodec:
        """Learn from the tags (total_steps,) of a training set.

        Parameters
        ----------
        tags : Sequences
        labelled : array of bool, shape (total_steps,)
            Which steps carry a label at all.
        classes : array of shape (n_classes,), optional
            All labels that will ever come.
        tag_scheme : str or None
            One of `SCHEMES`, or "auto".
        train_scheme : {"BIOES", "BILOU"} or None
        constrain, open_ends : bool
        spelling : Spelling
            How the user writes what is spelled in one way here; labels are sorted by that.

        Returns
        -------
        codec : TagCodec

        Raises
        ------
        SequenceDataError
            If tags do not belong to the scheme; the message says where.
        ValueError
            If `train_scheme` has no scheme to be made from, or `classes` leave some sequences without any labels.
        """
        found = tags.values[labelled]
        known = np.unique(found.astype(str) if found.dtype == object else found) if classes is None else classes
        scheme = recognise_scheme(tags, labelled, known) if tag_scheme == "auto" else tag_scheme
        if scheme is not None:
            refuse_unknown_tags(tags, labelled, scheme)
        if train_scheme == scheme:
            train_scheme = None
        if train_scheme is not None:
            _check_train_scheme(train_scheme, scheme, constrain=constrain, whole=bool(labelled.all()))
        if scheme is None or not constrain:
            known = _sorted(known, spelling)
            return cls(known, known, scheme, spelling=spelling)
        if classes is None:
            mended = TagReading(tags, labelled, scheme).mended[labelled]
            known = np.unique(np.concatenate([known, mended.astype(str)]))
        known = _sorted(known, spelling)
        codec = cls._constrained(known, scheme, train_scheme, open_ends=open_ends)
        if not codec._fills_any_length():
            if classes is not None:
                raise ValueError(
                    f"classes={known.tolist()!r} leave some sequences without any valid labels in {scheme}: name all "
                    f"tags that may come, 'O' among them"
                )
            known = _sorted(np.unique([*known, "O"]), spelling)
            codec = cls._constrained(known, scheme, train_scheme, open_ends=open_ends)
        return replace(codec, spelling=spelling)

    @classmethod
    def _constrained(cls, classes: NDArray[Any], scheme: str, train_scheme: str | None, *, open_ends: bool) -> TagCodec:
        """A codec whose labels keep to their scheme; those of `train_scheme` are the ones that some valid tags need."""
        if train_scheme is None:
            return cls(classes, classes, scheme, None, True, open_ends)
        kinds = sorted({tag.partition("-")[2] for tag in classes.tolist() if tag != "O"})
        named = [f"{prefix}-{kind}" if kind else prefix for kind in kinds for prefix in MARKS[train_scheme]]
        codec = cls(classes, np.array(sorted([*named, "O"])), scheme, train_scheme, True, open_ends)
        needed = codec.class_of_label().any(axis=1)
        codec = cls(classes, codec.labels[needed], scheme, train_scheme, True, open_ends)
        return cls(classes, codec.labels[codec._alive()], scheme, train_scheme, True, open_ends)

    @property
    def names(self) -> NDArray[Any]:
        """`classes` as the user writes them, sorted."""
        return _like(self.spelling.write_all(self.classes), self.classes)

    @property
    def label_names(self) -> NDArray[Any]:
        """`labels` as the user writes them."""
        return _like(self.spelling.write_all(self.labels), self.labels)

    @property
    def label_scheme(self) -> str | None:
        """The scheme of the decoder's labels."""
        return self.train_scheme or self.scheme

    @cached_property
    def label_sets(self) -> NDArray[np.bool_]:
        """The labels (n_codes, n_labels) that each code of :meth:`encode` stands for.

        First one for each label, then one for all of them. With `train_scheme`, then nine for each of `classes`: of a
        tag whose span may open there, or may close there, or not, as a neighbour without a label leaves it unknown.
        """
        n_labels = len(self.labels)
        sets = [np.eye(n_labels, dtype=bool), np.ones((1, n_labels), dtype=bool)]
        if self.train_scheme is not None:
            kinds, marks = marks_of(self.labels.tolist(), self.train_scheme)
            of_kind = {kind: kinds == kind for kind in set(kinds.tolist())}
            for tag in self.classes.tolist():
                own = of_kind.get(kind_of(tag), np.zeros(n_labels, dtype=bool))
                for wanted in np.ndindex(3, 3):
                    asked = np.array(wanted) + EITHER
                    sets.append((own & np.all((asked == EITHER) | (asked == marks), axis=1))[None])
        return np.concatenate(sets)

    def allowed(self, *, closed: bool = False) -> NDArray[np.bool_] | None:
        """Which label may follow which, (n_labels + 2, n_labels): transitions, then start, then end; None for all.

        With `closed`, sequences are whole whatever `open_ends` says.
        """
        if not self.constrained:
            return None
        assert self.label_scheme is not None
        start, transitions, end = allowed_transitions(self.labels, self.label_scheme)
        for pairs, tag in self._touching_pairs():
            if tag not in self._class_index:  # y has no tag for a span that touches another
                transitions &= ~pairs
        allowed = np.concatenate([transitions, start[None], end[None]])
        if self.open_ends and not closed:
            allowed[-2:] = True
        return allowed

    def encode(self, tags: Sequences, labelled: NDArray[np.bool_], *, repair: bool = True) -> Sequences:
        """The codes of tags: of a label, or where neighbours are not known of all labels that the tag may stand for.

        Parameters
        ----------
        tags : Sequences
        labelled : array of bool, shape (total_steps,)
        repair : bool
            Whether tags that break the scheme are read as the CoNLL script reads them, and one that has no place
            between its neighbours as no label. Otherwise the code is -1, as for labels that are not known.

        Returns
        -------
        codes : Sequences
            Values (total_steps,) of int64, rows of :attr:`label_sets`. The code of a step without a label is that of
            all labels.
        """
        n_labels = len(self.labels)
        given = np.fromiter((self._class_index.get(tag, -1) for tag in tags.values.tolist()), np.int64)
        codes = given.copy()
        if self.constrained:
            assert self.scheme is not None
            reading = TagReading(tags, labelled & (given >= 0), self.scheme)
            classes = np.fromiter((self._class_index.get(tag, -1) for tag in reading.mended), np.int64, len(given))
            codes = np.where(classes >= 0, classes, n_labels)
            if self.train_scheme is not None:
                known = classes >= 0
                codes[known] = self._set_of_class[classes[known], reading.opens[known], reading.closes[known]]
            if repair:
                codes[given < 0] = n_labels
                codes[~labelled] = n_labels
                self._drop_impossible(tags.with_values(codes))
            else:
                codes[classes != given] = -1
            codes[given < 0] = -1
        codes[~labelled] = n_labels
        return tags.with_values(codes)

    def class_codes(self, codes: Sequences) -> NDArray[np.int64]:
        """The class (total_steps,) that each code stands for, -1 for all."""
        n_labels, values = len(self.labels), codes.values
        if self.train_scheme is None:
            return np.where(values < n_labels, values, -1)
        if self.scheme != "IOB1":
            class_of = np.append(self.class_of_label().argmax(axis=1), -1)
            return np.where(values <= n_labels, class_of[np.minimum(values, n_labels)], (values - n_labels - 1) // 9)
        example = self.label_sets.argmax(axis=1)  # whether a tag of IOB1 is B- or I- is for its neighbours to say
        example[n_labels] = self._index.get("O", 0)
        tags = self.decode(codes.with_values(example[values])).values.tolist()
        classes = np.fromiter((self._class_index.get(tag, -1) for tag in tags), np.int64, len(values))
        return np.where(values < n_labels, classes, (values - n_labels - 1) // 9)

    def count_broken(self, tags: Sequences, labelled: NDArray[np.bool_]) -> int:
        """How many tags :meth:`encode` has to mend, or to drop, as they break the scheme."""
        if not self.constrained:
            return 0
        assert self.scheme is not None
        known = np.isin(tags.values.astype(str), self.classes)
        mended = TagReading(tags, labelled & known, self.scheme).mended != tags.values
        dropped = self.encode(tags, labelled).values == len(self.labels)
        return int(np.count_nonzero((mended | dropped)[labelled & known]))

    def decode(self, codes: Sequences) -> Sequences:
        """The tags, as y had them, of the labels (total_steps,) that a decoder chose."""
        tags = codes.with_values(self.labels[codes.values])
        if self.train_scheme is None:
            return tags
        assert self.scheme is not None
        return convert_tags(tags, self.train_scheme, self.scheme)

    def class_of_label(self) -> NDArray[np.float64]:
        """A matrix (n_labels, n_classes) that adds the probabilities of labels to those of classes.

        From the tags of an IOB1 scheme, whose B- says that a span touches another, all go to I-.
        """
        if self.train_scheme is None:
            return np.eye(len(self.labels))
        assert self.scheme is not None
        label_kinds, label_marks = marks_of(self.labels.tolist(), self.train_scheme)
        kinds, marks = marks_of(self.classes.tolist(), self.scheme)
        agree = np.all((marks == EITHER) | (marks == label_marks[:, None]), axis=2) & (label_kinds[:, None] == kinds)
        if self.scheme == "IOB1":
            agree &= np.array([tag[0] != "B" for tag in self.classes.tolist()])
        return agree.astype(np.float64)

    def touching(self) -> list[tuple[NDArray[np.bool_], int, int]]:
        """For IOB1 tags: the pairs of labels (n_labels, n_labels) that mean B-, its class, and the class of I-."""
        index = self._class_index
        return [(pairs, index[tag], index["I" + tag[1:]]) for pairs, tag in self._touching_pairs() if tag in index]

    def _touching_pairs(self) -> list[tuple[NDArray[np.bool_], str]]:
        """For labels made of IOB1 tags: the pairs of labels of two spans that touch, and the tag that says so."""
        if self.train_scheme is None or self.scheme != "IOB1":
            return []
        kinds, marks = marks_of(self.labels.tolist(), self.train_scheme)
        opens, closes = marks.T == 1
        named = [(tag[1:], kind_of(tag)) for tag in self.classes.tolist() if tag[0] == "I"]
        return [(np.outer(closes & (kinds == kind), opens & (kinds == kind)), f"B{ending}") for ending, kind in named]

    @cached_property
    def _set_of_class(self) -> NDArray[np.int64]:
        """The code (n_classes, 3, 3) of a class whose span opens, and closes, there or not; the last is unknown."""
        n_labels = len(self.labels)
        own = n_labels + 1 + np.arange(9 * len(self.classes)).reshape(-1, 3, 3)
        sets = self.label_sets[own]
        certain = np.zeros((3, 3), dtype=bool)
        certain[1:, 1:] = True
        codes = np.where(certain, sets.argmax(axis=3), own)
        codes = np.where(sets.any(axis=3), codes, n_labels)
        return np.roll(codes, EITHER, axis=(1, 2))

    def _alive(self) -> NDArray[np.bool_]:
        """Which labels (n_labels,) some valid label sequence has."""
        allowed = self.allowed(closed=True)
        assert allowed is not None
        transitions, first, last = allowed[:-2], allowed[-2], allowed[-1]
        for _ in self.labels:
            first = first | transitions[first].any(axis=0)
            last = last | transitions[:, last].any(axis=1)
        return first & last

    def _fills_any_length(self) -> bool:
        """Whether there is a label that a sequence of any length may consist of."""
        allowed = self.allowed(closed=True)
        assert allowed is not None
        return bool(np.any(np.diag(allowed[:-2]) & allowed[-2] & allowed[-1]))

    def _drop_impossible(self, codes: Sequences) -> None:
        """Turn codes, in place, into that of all labels where no valid label sequence has them, as after a gap."""
        n_labels = len(self.labels)
        allowed = self.allowed()
        assert allowed is not None
        unsure = np.concatenate([[0], np.cumsum(codes.values >= n_labels)])
        for i in np.flatnonzero(np.diff(unsure[codes.offsets]) > 0):
            _drop_impossible(codes[i], self.label_sets, allowed)


def _drop_impossible(codes: NDArray[np.int64], sets: NDArray[np.bool_], allowed: NDArray[np.bool_]) -> None:
    """As :meth:`TagCodec._drop_impossible`, for the codes (n_steps,) of one sequence."""
    n_labels = sets.shape[1]
    following, reach, end = allowed[:-2], allowed[-2], allowed[-1]
    reached = []
    for t, code in enumerate(codes.tolist()):
        reached.append(reach)
        here = reach & sets[code]
        if not following[here].any() and (t + 1 < len(codes) or not here.any()):
            codes[t], here = n_labels, reach
        reach = following[here].any(axis=0)
    t = len(codes)
    while not np.any(here & end):  # give up labels from the last one on, until the others leave a way to an end
        t -= 1
        codes[t], here = n_labels, reached[t]
        for _ in range(t + 1, len(codes)):
            here = following[here].any(axis=0)


def _sorted(labels: NDArray[Any], spelling: Spelling) -> NDArray[Any]:
    """Sorted labels (n_labels,) in the order of how the user writes them."""
    return labels if spelling == PLAIN else np.array(sorted(labels.tolist(), key=spelling.write))


def _like(tags: NDArray[Any], labels: NDArray[Any]) -> NDArray[Any]:
    """Written `tags` (n_labels,) as an array of strings where `labels` are one."""
    return tags.astype(str) if labels.dtype.kind == "U" else tags


def _check_train_scheme(train_scheme: str, scheme: str | None, *, constrain: bool, whole: bool) -> None:
    if scheme == "IOB1" and not whole:
        raise ValueError(
            f"train_scheme={train_scheme!r} needs every step of IOB1 tags to have a label: whether a span opens beside "
            f"a step with ignore_label is not known. Give tags in IOB2, or leave train_scheme=None"
        )
    if scheme is None:
        raise ValueError(
            f"train_scheme={train_scheme!r} needs tags of a scheme, but those of y are of none that is known "
            f"({', '.join(SCHEMES)}), or break it too often: set tag_scheme, or leave train_scheme=None"
        )
    if not constrain:
        raise ValueError(
            f"train_scheme={train_scheme!r} needs constrain_transitions=True: only tags that keep to their scheme "
            f"can be handed back in {scheme}"
        )


def warn_broken_tags(count: int, scheme: str) -> None:
    """Warn that tags of a training set break their scheme, and how they are read."""
    warn(
        f"{count} tag(s) of y break the scheme {scheme}: they are read as the CoNLL evaluation script reads them (an "
        f"I- that continues no span opens one). Mend them, or set constrain_transitions=False to learn them so",
        BrokenTagsWarning,
    )


def tag_lists(tags: Sequences, spelling: Spelling = PLAIN) -> NDArray[Any]:
    """Tags as ``predict`` returns them: an object array (n_sequences,) of lists, as the user writes tags."""
    return object_array([part.tolist() for part in tags.with_values(spelling.write_all(tags.values))])
