"""The entities that a tagger finds: label, place, text and probability."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from sklearn_rnn._snapshots import of_one_fit
from sklearn_rnn.data.entities import Entity, place_in, token_input
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.data.inputs import Inputs
from sklearn_rnn.data.tag_schemes import SCHEMES, SpanTable, span_table


class EntityMixin:
    """What a tagger offers that finds entities."""

    _read_inputs: Any

    @of_one_fit
    def predict_entities(self, X: Any) -> NDArray[Any]:
        """The entities that the most probable labels mark, with their probabilities.

        A :class:`~sklearn_rnn.SequencePipeline` that splits documents into tokens has it too.

        Parameters
        ----------
        X : sequences in any supported format

        Returns
        -------
        entities : object array of shape (n_sequences,)
            Items are lists of :class:`~sklearn_rnn.inspection.Entity` in the order of their steps, with `label`,
            `start`, `end` (the step after the last) and `score`: the probability that the steps have these labels,
            whatever the labels around them. It is that of the labels that the tagger is trained with, those of
            `train_scheme` if it has one; BIOES and BILOU tags say where an entity ends, and IOB tags do not, so that
            their score includes longer entities. Tokens that are strings come with their `text`, and those from
            :class:`~sklearn_rnn.SequenceTokenizer` with the place of it in the document, `start_char` to `end_char`.

        Raises
        ------
        ValueError
            If the labels are no tags of a scheme.

        References
        ----------
        Culotta, A. and McCallum, A. (2004). Confidence estimation for information extraction. HLT-NAACL.

        Examples
        --------
        >>> from sklearn_rnn import RNNSequenceTagger, SequenceTokenizer
        >>> tokenizer = SequenceTokenizer()
        >>> X = tokenizer.fit_transform(["Fly to Oslo!", "From Rome to Oslo", "Rome"] * 4)
        >>> y = [["O", "O", "B-city", "O"], ["O", "B-city", "O", "B-city"], ["B-city"]] * 4
        >>> tagger = RNNSequenceTagger(max_epochs=30, random_state=0).fit(X, y)
        >>> [entity] = tagger.predict_entities(tokenizer.transform(["To Rome!"]))[0]
        >>> entity.label, entity.text, entity.start_char, entity.end_char
        ('city', 'Rome', 3, 7)
        """
        check_is_fitted(self, "net_")
        return _find_entities(self, self._read_inputs(X))


def _find_entities(tagger: Any, inputs: Inputs) -> NDArray[Any]:
    """An object array (n_sequences,) of the lists of entities that a fitted tagger finds in checked inputs."""
    codec = tagger.codec_
    if codec.scheme is None:
        raise ValueError(
            f"predict_entities needs labels that mark spans, but tag_scheme_ is None: those of y, such as "
            f"{str(codec.names[0])!r}, were not recognised as tags of a scheme ({', '.join(SCHEMES)}). Name the "
            f"scheme with tag_scheme, or use predict"
        )
    with tagger._predictor() as compute:
        emissions = tagger._emissions(compute, inputs)
        codes = tagger._best_labels(compute, emissions)
        spans = span_table(codec.decode(codes), codec.scheme)
        first = emissions.offsets[spans.sequence] + spans.start
        ends = np.zeros(len(codes.values), dtype=np.int64)
        ends[first] = spans.end
        log_probabilities = compute(
            lambda net, x, n, labels, ends: net.head.span_log_probabilities(x, n, labels, ends),
            emissions,
            codes.values,
            ends,
            per_step=True,
        )
    return _in_lists(spans, np.exp(log_probabilities[first]), inputs)


def _in_lists(spans: SpanTable, scores: NDArray[np.float64], inputs: Inputs) -> NDArray[Any]:
    """An object array (n_sequences,) of lists of entities."""
    tokens = token_input(inputs)
    entities: list[list[Entity]] = [[] for _ in range(len(inputs))]
    columns = (spans.sequence, spans.label, spans.start, spans.end, scores)
    for i, label, start, end, score in zip(*(column.tolist() for column in columns), strict=True):
        place = place_in(tokens, i, start, end)
        if place[0] is None or place[0] < place[1]:  # the one token of an empty document has no characters
            entities[i].append(Entity(spans.labels[label], start, end, score, *place))
    return object_array(entities)
