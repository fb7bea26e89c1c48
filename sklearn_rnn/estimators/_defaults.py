"""What ``"auto"`` comes to: the parameters whose defaults know the data, and one rule for each.

``fit`` applies the rules to the copy of the estimator that it fits, once the data are read and before anything is
learned of them. The code below it sees values, and no ``"auto"``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from sklearn_rnn.data.aligned import AlignedSequences
from sklearn_rnn.data.batching import Alignment
from sklearn_rnn.data.inputs import Inputs
from sklearn_rnn.data.training_set import TrainingSet
from sklearn_rnn.data.validation import InputSpec
from sklearn_rnn.targets.base import Target

AUTO = "auto"

DEFAULT_EMBEDDING_DIM = 100
"""Size of the vector of a token."""

MAX_TOKENS = 100_000
"""Tokens that are looked at to see how long they are."""


@dataclass(frozen=True)
class Facts:
    """What the rules know of a fit. All of it is that of the samples and their weights, whatever the order of the rows.

    Attributes
    ----------
    embeds : bool
        Whether steps are, or hold, something that is embedded: tokens or ids of tokens.
    alignment : {"sequence", "step", "own"}
        What a target belongs to.
    labels : bool
        Whether targets are labels, and not numbers.
    n_sequences : int
        Distinct sequences that are trained on.
    n_rows : int
        Sequences of an epoch: a weight that is a count stands for as many, and each window of a long one is one.
    continues : bool
        Whether what comes next is the target.
    stream : bool
        Whether all sequences are one that goes on.
    n_characters : int
        The median number of characters of a token; 0 without tokens that are strings.
    """

    embeds: bool
    alignment: Alignment
    labels: bool
    n_sequences: int
    n_rows: int
    n_characters: int = 0
    continues: bool = False
    stream: bool = False

    @classmethod
    def of(cls, data: TrainingSet, spec: InputSpec, target: Target) -> Facts:
        """The facts of the merged but not yet encoded `data` that are trained on, read as `spec` says."""
        return cls(
            embeds=any(part.kind != "numeric" for part in spec.inputs.values() or [spec]),
            alignment=target.alignment,
            labels=target.of_labels,
            n_sequences=len(data),
            n_rows=int(data.copies @ target.n_parts(data.sequences.lengths)),
            n_characters=_median_characters(data.sequences, spec),
            continues=target.continues,
            stream=target.stream,
        )

    @property
    def transduces(self) -> bool:
        """Whether targets are sequences of their own length."""
        return self.alignment == "own"

    @property
    def of_numbers(self) -> bool:
        """Whether sequences of numbers have one target each."""
        return not self.embeds and self.alignment == "sequence"

    @property
    def of_shapes(self) -> bool:
        """Whether sequences of numbers are told apart: by what is anywhere in them, and not by where they end."""
        return self.of_numbers and self.labels

    @property
    def of_values(self) -> bool:
        """Whether sequences of numbers have numbers to be predicted, which mostly hang on where they end."""
        return self.of_numbers and not self.labels

    @property
    def spells(self) -> bool:
        """Whether tokens are letters, and not words."""
        return self.n_characters == 1


@dataclass(frozen=True)
class Budget:
    """How long training takes.

    Attributes
    ----------
    steps : int
        Optimizer steps that any set has.
    epochs : int
        Passes over the data that it has, if they are more steps, up to `most` steps.
    most : int
        Steps after which a large set has the fewest epochs, however many steps they are.
    """

    steps: int
    epochs: int
    most: int = 6000

    def max_epochs(self, n_batches: int) -> int:
        """The epochs of a set of `n_batches` in each."""
        steps = max(self.steps, min(self.epochs * n_batches, self.most))
        epochs = min(max(round(steps / n_batches), FEWEST_EPOCHS), MOST_EPOCHS)
        return max(1, min(epochs, MOST_STEPS // n_batches))


FEWEST_EPOCHS = 4
MOST_EPOCHS = 1000
MOST_STEPS = 40_000
"""Optimizer steps after which there is no other epoch, whatever the fewest are."""

BUDGETS = {
    "steps": Budget(2000, epochs=8),
    "words": Budget(1000, epochs=25, most=3000),
    "letters": Budget(1000, epochs=12),
    "shapes": Budget(1000, epochs=20),
    "numbers": Budget(1000, epochs=8),
    "stream": Budget(100, epochs=12),
    "documents": Budget(200, epochs=12),
    "documents of words": Budget(300, epochs=10),
    "frames": Budget(1000, epochs=15, most=4000),
    "transductions": Budget(3000, epochs=20, most=8000),
}
"""By what has a target: each step, or else sequences of words, letters or numbers, these with labels or numbers.

Where X itself is the target: a stream of symbols, documents of letters or words, or steps that are numbers. Each step
teaches much there, and small sets are soon known by heart.
"""


def budget_of(facts: Facts) -> Budget:
    """How long a fit takes."""
    if facts.continues:
        documents = "documents" if facts.spells else "documents of words"
        return BUDGETS["frames" if not facts.embeds else "stream" if facts.stream else documents]
    if facts.transduces:
        return BUDGETS["transductions"]
    if facts.alignment == "step":
        return BUDGETS["steps"]
    if facts.embeds:
        return BUDGETS["letters" if facts.spells else "words"]
    return BUDGETS["shapes" if facts.labels else "numbers"]


Chosen = Mapping[str, Any]
"""The parameters of an estimator, with what "auto" came to in those that are decided by now."""


def _batch_size(facts: Facts, chosen: Chosen) -> int:
    if facts.continues or facts.transduces:
        return 64 if facts.stream else 32
    if facts.alignment == "step":
        return 16
    if facts.embeds:
        return 16 if facts.n_sequences < 10_000 else 32
    return 16 if facts.n_sequences < 1_000 else 32 if facts.n_sequences < 5_000 else 64


def _max_epochs(facts: Facts, chosen: Chosen) -> int:
    return budget_of(facts).max_epochs(-(-facts.n_rows // chosen["batch_size"]))


def _learning_rate(facts: Facts, chosen: Chosen) -> float:
    if facts.stream and facts.embeds:
        return 0.006
    if facts.alignment == "step":
        return 0.003 if facts.embeds else 0.005
    if facts.of_values:
        return 0.005
    return 0.003 if facts.spells else 0.002


def _dropout(facts: Facts, chosen: Chosen) -> float:
    if facts.transduces:
        return 0.2
    if facts.continues:
        return 0.5 if facts.embeds and not facts.spells else 0.2
    return 0.5 if facts.embeds else 0.2


def _embedding_dropout(facts: Facts, chosen: Chosen) -> float:
    if not facts.embeds or ((facts.continues or facts.transduces) and facts.spells):
        return 0.0
    if facts.continues or facts.transduces:
        return 0.3
    return 0.1 if facts.spells else 0.5


def _word_dropout(facts: Facts, chosen: Chosen) -> float:
    if not facts.embeds or facts.spells or facts.continues or facts.transduces:
        return 0.0
    if facts.alignment == "step":
        return 0.2
    return 0.2 if facts.n_sequences < 1_000 else 0.1 if facts.n_sequences < 3_000 else 0.0


def _reads_characters(facts: Facts) -> bool:
    """Whether the form of a token says something: it is a word, and not a letter, and each of them has a target."""
    return facts.alignment == "step" and facts.n_characters > 1


def _char_encoder(facts: Facts, chosen: Chosen) -> str | None:
    return "cnn" if _reads_characters(facts) else None


def _casing_features(facts: Facts, chosen: Chosen) -> bool:
    return _reads_characters(facts)


def _hidden_size(facts: Facts, chosen: Chosen) -> int:
    if facts.continues:
        return 192
    if facts.transduces:
        return 128
    return 100 if facts.embeds else 64


def _label_smoothing(facts: Facts, chosen: Chosen) -> float:
    return 0.1 if facts.alignment == "sequence" else 0.0


def _pooling(facts: Facts, chosen: Chosen) -> str:
    if facts.of_values:
        return "last"
    return "max" if facts.embeds and not facts.spells else "concat"


def _conv_branch(facts: Facts, chosen: Chosen) -> bool:
    return facts.of_shapes and chosen["bidirectional"] and chosen["tbptt_steps"] is None


def _ngrams(facts: Facts, chosen: Chosen) -> int:
    return 2 if facts.embeds and chosen["bidirectional"] and chosen["tbptt_steps"] is None else 0


@dataclass(frozen=True)
class Rule:
    """What decides a parameter.

    Attributes
    ----------
    decide : callable
        The value, given the facts and the parameters with those that are decided before.
    lasting : bool
        Whether it describes the network or the encoding, so that a ``fit`` that goes on from another keeps its value.
    of_steps : bool
        Whether there is such a thing where each step has a target.
    """

    decide: Callable[[Facts, Chosen], Any]
    lasting: bool = True
    of_steps: bool = True


RULES: dict[str, Rule] = {
    "batch_size": Rule(_batch_size, lasting=False),
    "max_epochs": Rule(_max_epochs, lasting=False),  # counts batches
    "learning_rate": Rule(_learning_rate, lasting=False),
    "hidden_size": Rule(_hidden_size),
    "dropout": Rule(_dropout),
    "embedding_dropout": Rule(_embedding_dropout),
    "word_dropout": Rule(_word_dropout),
    "label_smoothing": Rule(_label_smoothing, lasting=False),
    "char_encoder": Rule(_char_encoder),
    "casing_features": Rule(_casing_features),
    "pooling": Rule(_pooling, of_steps=False),
    "conv_branch": Rule(_conv_branch),
    "ngrams": Rule(_ngrams, of_steps=False),
}
"""The rule of each parameter that may be "auto", in the order in which they are decided."""


def ruled(estimator: Any) -> list[str]:
    """The parameters of `estimator`, or of its class, that have a rule, in the order of the rules."""
    own = {declared.name for declared in fields(estimator)}
    return [name for name in RULES if name in own]


def decide(parameters: Mapping[str, Any], facts: Facts, fixed: Mapping[str, Any]) -> dict[str, Any]:
    """The value of each of the `parameters` that has a rule: as it is given, or what "auto" comes to, or None.

    Parameters
    ----------
    parameters : dict
        All parameters of an estimator.
    facts : Facts
    fixed : dict
        What "auto" comes to in some of them for other reasons than a rule.

    Returns
    -------
    decided : dict
        None of what there is not, as of the pooling of targets of steps.
    """
    chosen = dict(parameters)
    names = [name for name in RULES if name in parameters]
    for name in names:
        rule = RULES[name]
        if facts.alignment == "step" and not rule.of_steps:
            chosen[name] = None
        elif is_auto(chosen[name]):
            chosen[name] = fixed[name] if name in fixed else rule.decide(facts, chosen)
    return {name: chosen[name] for name in names}


def announce(estimator: Any, decided: Mapping[str, Any]) -> None:
    """Print what "auto" came to in the parameters of `estimator` that have it."""
    if decided:
        values = ", ".join(f"{name}={value!r}" for name, value in decided.items())
        print(f'{type(estimator).__name__}: "auto" is {values}', flush=True)


def is_auto(value: Any) -> bool:
    """Whether a parameter leaves its value to a rule."""
    return isinstance(value, str) and value == AUTO


def _median_characters(inputs: Inputs, spec: InputSpec) -> int:
    """The median number of characters of the tokens of `inputs`, of many those that come first."""
    if isinstance(inputs, AlignedSequences):
        strings = [inputs.inputs[name] for name, part in spec.inputs.items() if part.kind == "text"][:1]
    else:
        strings = [inputs] if spec.kind == "text" else []
    if not strings:
        return 0
    return int(np.median([len(token) for token in strings[0].values[:MAX_TOKENS].tolist()]))
