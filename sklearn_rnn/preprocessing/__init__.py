"""Transformers of sequences, for pipelines; and the tags of spans, between characters of documents and steps."""

from sklearn_rnn.preprocessing._per_step import PerStep
from sklearn_rnn.preprocessing._spans import convert_tag_scheme, spans_from_offsets, spans_from_tags, tags_from_spans
from sklearn_rnn.preprocessing._static import repeat_static
from sklearn_rnn.preprocessing._tokenizer import SequenceTokenizer
from sklearn_rnn.preprocessing._trimming import trim_padding

__all__ = [
    "PerStep",
    "SequenceTokenizer",
    "convert_tag_scheme",
    "repeat_static",
    "spans_from_offsets",
    "spans_from_tags",
    "tags_from_spans",
    "trim_padding",
]
