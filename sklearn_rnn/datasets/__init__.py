"""Sequences to try models on: generated, published and fetched, or read from files."""

from sklearn_rnn.datasets._clearing import clear_data_home
from sklearn_rnn.datasets._fetching import get_data_home
from sklearn_rnn.datasets._generators import make_adding_problem, make_tagging, make_temporal_order
from sklearn_rnn.datasets._reading import read_conll
from sklearn_rnn.datasets._running_text import fetch_tiny_shakespeare
from sklearn_rnn.datasets._series import fetch_japanese_vowels
from sklearn_rnn.datasets._tagging import fetch_atis, fetch_conll2000, fetch_ud_english_ewt, fetch_wnut17
from sklearn_rnn.datasets._text import (
    fetch_movie_reviews,
    fetch_sms_spam,
    fetch_sst2,
    fetch_surnames,
    fetch_trec,
)

__all__ = [
    "clear_data_home",
    "fetch_atis",
    "fetch_conll2000",
    "fetch_japanese_vowels",
    "fetch_movie_reviews",
    "fetch_sms_spam",
    "fetch_sst2",
    "fetch_surnames",
    "fetch_tiny_shakespeare",
    "fetch_trec",
    "fetch_ud_english_ewt",
    "fetch_wnut17",
    "get_data_home",
    "make_adding_problem",
    "make_tagging",
    "make_temporal_order",
    "read_conll",
]
