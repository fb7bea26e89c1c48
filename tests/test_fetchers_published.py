"""The published files, where a folder of them is named by ``SKLEARN_RNN_DATA``."""

import doctest
import os
from collections import Counter

import pytest

from sklearn_rnn import datasets

FETCHERS = {name: getattr(datasets, name) for name in datasets.__all__ if name.startswith("fetch_")}
REAL = os.environ.get("SKLEARN_RNN_DATA")
COUNTS = [
    ("fetch_atis", "train", 4478, None, {"tags": 120, "intents": 21}),
    ("fetch_atis", "validation", 500, None, {}),
    ("fetch_atis", "test", 893, None, {}),
    ("fetch_conll2000", "train", 8936, 211727, {"tags": 22, "chunks": 106978}),
    ("fetch_conll2000", "test", 2012, 47377, {"tags": 19, "chunks": 23852}),
    ("fetch_ud_english_ewt", "train", 12544, 204577, {"tags": 17, "xpos": 49}),
    ("fetch_ud_english_ewt", "validation", 2001, 25147, {}),
    ("fetch_ud_english_ewt", "test", 2077, 25094, {}),
    ("fetch_wnut17", "train", 3394, 62730, {"tags": 13, "chunks": 1975}),
    ("fetch_wnut17", "validation", 1009, 15733, {"chunks": 836}),
    ("fetch_wnut17", "test", 1287, 23394, {"chunks": 1079}),
    ("fetch_sst2", "train", 6920, None, {"classes": 2}),
    ("fetch_sst2", "validation", 872, None, {}),
    ("fetch_sst2", "test", 1821, None, {}),
    ("fetch_movie_reviews", None, 10662, None, {"class counts": [5331, 5331]}),
    ("fetch_trec", "train", 5452, None, {"classes": 6, "fine_target": 50}),
    ("fetch_trec", "test", 500, None, {"fine_target": 42}),
    ("fetch_sms_spam", None, 5574, None, {"class counts": [4827, 747]}),
    ("fetch_surnames", None, 20050, None, {"classes": 18}),
    ("fetch_tiny_shakespeare", None, 7222, 1115394, {"speakers": 309}),
    ("fetch_japanese_vowels", "train", 270, None, {"classes": 9, "lengths": (7, 26)}),
    ("fetch_japanese_vowels", "test", 370, None, {"classes": 9, "lengths": (7, 29)}),
]


@pytest.mark.skipif(not REAL, reason="SKLEARN_RNN_DATA names no folder of published files")
@pytest.mark.parametrize(("name", "subset", "n_sequences", "n_steps", "others"), COUNTS)
def test_the_published_files_hold_what_they_should(name, subset, n_sequences, n_steps, others):
    bunch = FETCHERS[name](data_home=REAL, download_if_missing=False, **({"subset": subset} if subset else {}))
    assert len(bunch.data) == len(bunch.target) == n_sequences
    assert all(len(sequence) > 0 for sequence in bunch.data)
    steps_tagged = isinstance(bunch.target[0], list)
    if steps_tagged:
        for column in {"target", "pos", "xpos"} & set(bunch):
            assert [len(tags) for tags in bunch[column]] == [len(tokens) for tokens in bunch.data]
    lengths = [len(sequence) for sequence in bunch.data]
    counts = Counter(tag for tags in bunch.target for tag in tags) if steps_tagged else Counter(list(bunch.target))
    found = {
        "speakers": len(counts),
        "tags": len(counts),
        "classes": len(counts),
        "class counts": [n for _, n in sorted(counts.items())],
        "chunks": sum(n for tag, n in counts.items() if str(tag).startswith("B-")),
        "intents": len(set(bunch.get("intents", []))),
        "xpos": len({tag for tags in bunch.get("xpos", []) for tag in tags}),
        "fine_target": len(set(bunch.get("fine_target", []))),
        "lengths": (min(lengths), max(lengths)),
    }
    assert {key: found[key] for key in others} == others
    assert n_steps is None or sum(lengths) == n_steps


@pytest.mark.skipif(not REAL, reason="SKLEARN_RNN_DATA names no folder of published files")
@pytest.mark.parametrize("name", FETCHERS)
def test_the_examples_in_the_docstrings(name, monkeypatch):
    monkeypatch.setenv("SKLEARN_RNN_DATA_HOME", REAL)
    text = FETCHERS[name].__doc__.replace("# doctest: +SKIP", "")
    test = doctest.DocTestParser().get_doctest(text, {}, name, None, 0)
    runner = doctest.DocTestRunner()
    assert runner.run(test).failed == 0
    assert len(test.examples) > 1
