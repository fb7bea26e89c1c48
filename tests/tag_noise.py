"""Tags that sequences do not tell, and taggers of all kinds that are fitted to them once."""

import functools

import numpy as np
import pytest
from samples import small

from sklearn_rnn import RNNSequenceTagger

LETTERS = {"BIOES": "BIES", "BILOU": "BILU"}


def write(n_steps, spans, scheme):
    """The tags of spans (start, end, kind)."""
    tags, before = ["O"] * n_steps, (None, None)
    for start, end, kind in spans:
        for t in range(start, end):
            first, last = t == start, t == end - 1
            if scheme == "IOB1":
                letter = "B" if first and before == (start, kind) else "I"
            elif scheme == "IOB2":
                letter = "B" if first else "I"
            else:
                letter = LETTERS[scheme][3 if first and last else 0 if first else 2 if last else 1]
            tags[t] = f"{letter}-{kind}"
        before = (end, kind)
    return tags


def read(tags):
    """The spans of valid tags in BIOES or BILOU."""
    spans = []
    for t, tag in enumerate(tags):
        if tag[0] in "BSU":
            start = t
        if tag[0] in "ELSU":
            spans.append((start, t + 1, tag[2:]))
    return spans


def noise(n, scheme, *, kinds="x", longest=4, seed=0, signal=0.0):
    """Sequences of 1 to `longest` steps with valid tags that have nothing to do with them, or by `signal` a lot."""
    rng = np.random.default_rng(seed)
    X, y = [], []
    for length in rng.integers(1, longest + 1, size=n):
        spans, t = [], 0
        while t < length:
            end = min(length, t + rng.integers(1, 4))
            if rng.random() < 0.6:
                spans.append((t, end, rng.choice(list(kinds))))
            t = end
        tags = write(length, spans, scheme)
        means = [np.random.default_rng([ord(letter) for letter in tag]).normal(size=2) for tag in tags]
        X.append(rng.normal(size=(length, 2)) + signal * np.array(means))
        y.append(tags)
    return X, y


def fit(X, y, **parameters):
    return small(RNNSequenceTagger, **{"learning_rate": 0.1, "max_epochs": 6, **parameters}).fit(X, y)


CASES = {
    "crf": ("IOB2", {}),
    "free crf": ("IOB2", {"constrain_transitions": False}),
    "no scheme": ("IOB2", {"tag_scheme": None}),
    "softmax": ("IOB2", {"decoder": "softmax"}),
    "free softmax": ("IOB2", {"decoder": "softmax", "constrain_transitions": False}),
    "IOB1": ("IOB1", {}),
    "BIOES": ("BIOES", {}),
    "IOB2 as BIOES": ("IOB2", {"train_scheme": "BIOES"}),
    "IOB2 as BILOU": ("IOB2", {"train_scheme": "BILOU", "decoder": "softmax"}),
    "IOB1 as BIOES": ("IOB1", {"train_scheme": "BIOES"}),
    "IOB1 as BILOU": ("IOB1", {"train_scheme": "BILOU", "decoder": "softmax"}),
    "BILOU as BIOES": ("BILOU", {"train_scheme": "BIOES"}),
    "windows": ("IOB2", {"max_length": 3, "stride": 2}),
}
every_case = pytest.mark.parametrize("case", CASES)
QUERY = [3 * np.random.default_rng(5).normal(size=(length, 2)) for length in (4, 0, 1, 3, 2, 4)]


@functools.cache
def fitted(case):
    scheme, parameters = CASES[case]
    return fit(*noise(60, scheme), ignore_label="?", **parameters)
