"""What CONTRIBUTING says of adding a cell, a loss, a head, a target and an estimator, followed step by step."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from samples import ragged
from sklearn.base import ClassifierMixin
from sklearn.model_selection import GridSearchCV
from torch import nn

from sklearn_rnn import RNNClassifier, RNNRegressor
from sklearn_rnn.data.targets import validate_class_labels
from sklearn_rnn.estimators._docs import documented
from sklearn_rnn.estimators._pooled import PooledRNN
from sklearn_rnn.networks import number_losses
from sklearn_rnn.networks.cells import CELLS, Cell
from sklearn_rnn.networks.heads import Head, HeadSpec
from sklearn_rnn.networks.losses import BINARY_CROSS_ENTROPY, LossSettings
from sklearn_rnn.networks.pooling import make_pooling
from sklearn_rnn.targets.base import Target
from sklearn_rnn.targets.number_losses import NUMBER_LOSSES, NumberLoss
from sklearn_rnn.testing import check_sequence_estimator

SMALL = {"hidden_size": 4, "max_epochs": 3, "conv_branch": False, "random_state": 0}


def leaky_step(x, hidden, state, weights):
    """A leaky integrator: ``h_t = 0.9 h_{t-1} + 0.1 tanh(W_ih x_t + b_ih + W_hh h_{t-1})``."""
    (before,) = state
    return (0.9 * before + 0.1 * torch.tanh(x + hidden @ weights.weight_hh_l0.T),)


@pytest.fixture
def leaky(monkeypatch):
    monkeypatch.setitem(CELLS, "leaky", Cell(("hidden",), leaky_step))


def test_a_cell(leaky):
    X = ragged()
    y = np.array([x[:, 0].mean() for x in X])
    options = {"bidirectional": False, "pooling": "last", "standardize": False, "dtype": "float64", **SMALL}
    model = RNNRegressor(cell_type="leaky", **options).fit(X, y)
    weights = {name: value.detach().numpy() for name, value in model.module_.backbone.layers[0].named_parameters()}
    w_x, w_h, b = (weights[f"directions.0.{name}"] for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0"))
    h = np.zeros(4)
    for step in X[0]:
        h = 0.9 * h + 0.1 * np.tanh(w_x @ step + b + w_h @ h)
    np.testing.assert_allclose(model.transform(X[:1])[0], h)


def log_cosh(outputs, target):
    """``log cosh`` of the difference: squared near 0, absolute far from it."""
    error = (number_losses.as_number(outputs) - target).abs()
    return error + torch.log1p(torch.exp(-2 * error)) - np.log(2)


@pytest.fixture
def with_log_cosh(monkeypatch):
    monkeypatch.setitem(NUMBER_LOSSES, "log_cosh", NumberLoss("log_cosh", log_cosh, predicts="centre"))


@pytest.mark.parametrize("per_step", [False, True])
def test_a_loss(with_log_cosh, per_step):
    X = ragged(40)
    y = [x[:, 0] * 2 + 1 if per_step else x[:, 0].mean() * 2 + 1 for x in X]
    model = RNNRegressor(loss="log_cosh", hidden_size=8, max_epochs=60, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.8
    with pytest.raises(ValueError, match="'loss' parameter"):
        RNNRegressor(loss="log_sinh", **SMALL).fit(X, y)


class TwoLayerHead(Head):
    """The last state, a hidden layer of rectified units, and a linear map."""

    def __init__(self, size, direction_size, convolved, n_outputs):
        super().__init__()
        self.pooling = make_pooling("last", size, direction_size, convolved)
        self.hidden = nn.Linear(self.pooling.output_size, 7)
        self.linear = nn.Linear(7, n_outputs)

    def forward(self, states, lengths):
        return self.linear(torch.relu(self.hidden(self.pooling(states, lengths))))

    def representation(self, states, lengths):
        return torch.relu(self.hidden(self.pooling(states, lengths)))


@dataclass(frozen=True)
class TwoLayerHeadSpec(HeadSpec):
    def build(self, below):
        return TwoLayerHead(below.size, below.direction_size, below.convolved, self.n_outputs)


@dataclass
class Grades(Target):
    """Classes in an order: an output for each step from one to the next says whether it was taken."""

    grades: np.ndarray = field(default_factory=lambda: np.empty(0))

    def learn(self, whole, training, classes, encoding):
        self.grades = np.unique(whole.target)

    def encode(self, labels, *, training):
        return (labels[:, None] > self.grades[:-1]).astype(float)

    def head(self):
        return TwoLayerHeadSpec(len(self.grades) - 1)

    def criterion(self, *parts):
        return BINARY_CROSS_ENTROPY, LossSettings()

    def score(self, decided, target, weight, lengths):
        return -float(np.average(np.abs(decided.sum(1) - target.sum(1)), weights=weight))

    def attributes(self):
        return {"classes_": self.grades}

    def labels(self, logits):
        return self.grades[(logits > 0).sum(axis=1)]


@documented
@dataclass(kw_only=True, eq=False, repr=False)
class RNNGrader(ClassifierMixin, PooledRNN):
    """Classifies sequences into classes that have an order.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    References
    ----------
    {references}
    """

    def predict(self, X):
        """The class of each sequence."""
        return self._learned_target.labels(self._outputs(X))

    def _read_target(self, y, inputs, fitted):
        return fitted or Grades(), validate_class_labels(y, len(inputs))[0]


@pytest.fixture
def graded():
    X = ragged(80)
    level = np.array([x[:, 0].mean() for x in X])
    return X, np.digitize(level, [-0.4, 0.4])


def test_a_target_a_head_and_an_estimator(graded):
    X, y = graded
    model = RNNGrader(hidden_size=8, max_epochs=60, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.9
    assert model.transform(X[:2]).shape == (2, 7)
    stopped = RNNGrader(early_stopping=True, **SMALL).fit(X, y)
    assert len(stopped.validation_scores_) == stopped.n_iter_
    assert RNNGrader(**SMALL).fit(X[:-1], y[:-1], X_val=X[-9:], y_val=y[-9:]).validation_scores_


def test_it_works_where_estimators_work(graded):
    X, y = graded
    search = GridSearchCV(RNNGrader(**SMALL), {"cell_type": ["rnn", "gru"]}, cv=2).fit(X, y)
    assert search.best_estimator_.predict(X).shape == (80,)
    check_sequence_estimator(RNNGrader(**{**SMALL, "max_epochs": 2}))


def test_other_estimators_know_nothing_of_it(graded):
    X, y = graded
    with pytest.raises(ValueError, match="'cell_type' parameter"):
        RNNClassifier(cell_type="leaky", **SMALL).fit(X, y)
