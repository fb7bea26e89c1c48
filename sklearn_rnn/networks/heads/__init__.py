"""What lies between hidden states and outputs, and how outputs are decoded: one module for each kind of head."""

from sklearn_rnn.networks.heads.base import Head, HeadSpec
from sklearn_rnn.networks.heads.chain import ChainHead, ChainHeadSpec
from sklearn_rnn.networks.heads.pooled import PooledHead, PooledHeadSpec
from sklearn_rnn.networks.heads.step import StepHead, StepHeadSpec
from sklearn_rnn.networks.heads.vocabulary import AdaptiveVocabularyHead, VocabularyHead, VocabularyHeadSpec

__all__ = [
    "AdaptiveVocabularyHead",
    "ChainHead",
    "ChainHeadSpec",
    "Head",
    "HeadSpec",
    "PooledHead",
    "PooledHeadSpec",
    "StepHead",
    "StepHeadSpec",
    "VocabularyHead",
    "VocabularyHeadSpec",
]
