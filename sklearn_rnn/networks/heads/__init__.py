"""What lies between hidden states and outputs, and how outputs are decoded: one module for each kind of head."""

from sklearn_rnn.networks.heads.base import Below, Head, HeadSpec
from sklearn_rnn.networks.heads.chain import ChainHead, ChainHeadSpec
from sklearn_rnn.networks.heads.decoder import DecoderHead, DecoderHeadSpec
from sklearn_rnn.networks.heads.frames import FrameHead, FrameHeadSpec
from sklearn_rnn.networks.heads.likelihood import LikelihoodHead
from sklearn_rnn.networks.heads.mixtures import MixtureHead, MixtureHeadSpec
from sklearn_rnn.networks.heads.pooled import PooledHead, PooledHeadSpec
from sklearn_rnn.networks.heads.step import StepHead, StepHeadSpec
from sklearn_rnn.networks.heads.vocabulary import AdaptiveVocabularyHead, VocabularyHead, VocabularyHeadSpec

__all__ = [
    "AdaptiveVocabularyHead",
    "Below",
    "ChainHead",
    "ChainHeadSpec",
    "DecoderHead",
    "DecoderHeadSpec",
    "FrameHead",
    "FrameHeadSpec",
    "Head",
    "HeadSpec",
    "LikelihoodHead",
    "MixtureHead",
    "MixtureHeadSpec",
    "PooledHead",
    "PooledHeadSpec",
    "StepHead",
    "StepHeadSpec",
    "VocabularyHead",
    "VocabularyHeadSpec",
]
