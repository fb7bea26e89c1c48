"""Parameters and values that do not exist: the error, of scikit-learn's type, names the one that was meant."""

import copy
import inspect
import pickle

import numpy as np
import pytest
import torch
from samples import ESTIMATORS, problem, small
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils._param_validation import InvalidParameterError

from sklearn_rnn import (
    PerStep,
    RNNClassifier,
    RNNRegressor,
    RNNSequenceTagger,
    SequenceBaggingClassifier,
    SequenceTokenizer,
)
from sklearn_rnn._spelling import ELSEWHERE, VALUES, meant_parameter, meant_value

MISSPELT = [
    (RNNClassifier, "hidden_sizes", "hidden_size"),
    (RNNClassifier, "hiddensize", "hidden_size"),
    (RNNClassifier, "Hidden_Size", "hidden_size"),
    (RNNClassifier, "max_epoch", "max_epochs"),
    (RNNClassifier, "bidirectonal", "bidirectional"),
    (RNNClassifier, "class_weights", "class_weight"),
    (RNNClassifier, "units", "hidden_size"),
    (RNNClassifier, "hidden_layer_sizes", "hidden_size"),
    (RNNClassifier, "epochs", "max_epochs"),
    (RNNClassifier, "max_iter", "max_epochs"),
    (RNNClassifier, "lr", "learning_rate"),
    (RNNClassifier, "learning_rate_init", "learning_rate"),
    (RNNClassifier, "patience", "n_iter_no_change"),
    (RNNClassifier, "seed", "random_state"),
    (RNNClassifier, "maxlen", "max_length"),
    (RNNClassifier, "module__hidden_size", "hidden_size"),
    (RNNClassifier, "optimizer__lr", "learning_rate"),
    (RNNClassifier, "iterator_train__batch_size", "batch_size"),
    (RNNClassifier, "n_jobs", "n_threads"),
    (RNNRegressor, "criterion", "loss"),
    (RNNSequenceTagger, "use_crf", "decoder"),
    (SequenceBaggingClassifier, "base_estimator", "estimator"),
    (SequenceBaggingClassifier, "n_estimator", "n_estimators"),
    (PerStep, "scaler", "transformer"),
    (SequenceTokenizer, "lower", "lowercase"),
    (SequenceTokenizer, "num_words", "max_features"),
    (SequenceTokenizer, "tokenizer", "analyzer"),
]


@pytest.mark.parametrize(("estimator", "name", "meant"), MISSPELT)
def test_a_parameter_that_was_meant_is_named(estimator, name, meant):
    with pytest.raises(
        TypeError, match=rf"^{estimator.__name__} got an unexpected .*'{name}'. Did you mean '{meant}'\?$"
    ):
        estimator(**{name: 1})
    made = PerStep(StandardScaler()) if estimator is PerStep else estimator()
    with pytest.raises(
        ValueError, match=rf"^Invalid parameter '{name}' for .*{estimator.__name__}. .*'{meant}'"
    ) as error:
        made.set_params(**{name: 1})
    assert len(str(error.value).splitlines()) == 2
    assert len(str(error.value)) < 200


def test_each_of_several_parameters_is_named():
    with pytest.raises(
        TypeError, match=r"(?s)'units'. Did you mean 'hidden_size'\?.*'epochs'. Did you mean 'max_epochs'\?"
    ):
        RNNClassifier(units=32, epochs=3, dropout=0.1)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("flavour", r"help\(RNNClassifier\) lists"),
        ("n_estimators", r"help\(RNNClassifier\) lists"),
        ("input_size", "learned of the data"),
        ("num_classes", "learned of the data"),
        ("return_sequences", "RNNSequenceTagger"),
        ("criterion", "cross-entropy"),
        ("X_val", "goes to fit"),
        ("stateful", "stream"),
    ],
)
def test_no_parameter_is_named_where_none_is_like_it(name, advice):
    with pytest.raises(TypeError, match=rf"unexpected keyword argument '{name}': .*{advice}"):
        RNNClassifier(**{name: 1})


@pytest.mark.parametrize("estimator", [*ESTIMATORS, SequenceTokenizer])
def test_parameters_have_names(estimator):
    with pytest.raises(TypeError, match=rf"{estimator.__name__}\(\w+=...\) takes no positional arguments, got 64"):
        estimator(64)


def test_parameters_that_need_none_have_none():
    assert PerStep(StandardScaler()).transformer is not None
    assert SequenceBaggingClassifier(RNNClassifier()).estimator is not None
    with pytest.raises(TypeError, match=r"missing 1 required positional argument: 'transformer'"):
        PerStep()


@pytest.mark.parametrize(
    ("estimator", "name", "value", "meant"),
    [
        (RNNClassifier, "cell_type", "LSTM", "lstm"),
        (RNNClassifier, "cell_type", "Lstm", "lstm"),
        (RNNClassifier, "cell_type", "ltsm", "lstm"),
        (RNNClassifier, "cell_type", "SimpleRNN", "rnn"),
        (RNNClassifier, "cell_type", torch.nn.LSTM, "lstm"),
        (RNNClassifier, "optimizer", "Adam", "adam"),
        (RNNClassifier, "optimizer", "AdamW", "adamw"),
        (RNNClassifier, "optimizer", "RMSprop", "rmsprop"),
        (RNNClassifier, "pooling", "avg", "mean"),
        (RNNClassifier, "pooling", "Max", "max"),
        (RNNClassifier, "dtype", np.float32, "float32"),
        (RNNClassifier, "dtype", torch.float64, "float64"),
        (RNNClassifier, "dtype", np.dtype("float64"), "float64"),
        (RNNClassifier, "class_weight", "auto", "balanced"),
        (RNNClassifier, "lr_schedule", "one_cycle", "onecycle"),
        (RNNClassifier, "lr_schedule", "ReduceLROnPlateau", "plateau"),
        (RNNClassifier, "truncate", "post", "tail"),
        (RNNClassifier, "truncate", "pre", "head"),
        (RNNClassifier, "char_encoder", "CNN", "cnn"),
        (RNNClassifier, "nonlinearity", "ReLU", "relu"),
        (RNNRegressor, "loss", "mse", "squared_error"),
        (RNNRegressor, "loss", "MAE", "absolute_error"),
        (RNNRegressor, "loss", "Huber", "huber"),
        (RNNRegressor, "target", "steps", "step"),
        (RNNSequenceTagger, "tag_scheme", "BIO", "IOB2"),
        (RNNSequenceTagger, "tag_scheme", "IOBES", "BIOES"),
        (RNNSequenceTagger, "decoder", "CRF", "crf"),
        (RNNSequenceTagger, "scoring", "f1", "span_f1"),
    ],
)
def test_a_value_that_was_meant_is_named(estimator, name, value, meant):
    X, y = problem(estimator)
    with pytest.raises(InvalidParameterError, match=rf"The '{name}' parameter .* instead. Did you mean '{meant}'\?$"):
        small(estimator, **{name: value}).fit(X, y)


@pytest.mark.parametrize(
    ("name", "value"),
    [("cell_type", "transformer"), ("cell_type", None), ("optimizer", "lbfgs"), ("hidden_size", "64"), ("engine", 3)],
)
def test_no_value_is_named_where_none_is_like_it(name, value):
    X, y = problem(RNNClassifier)
    with pytest.raises(InvalidParameterError, match=rf"The '{name}' parameter .* instead\.$"):
        small(RNNClassifier, **{name: value}).fit(X, y)


def test_values_of_transformers_are_named_too():
    with pytest.raises(InvalidParameterError, match=r"analyzer.*Did you mean 'word'\?"):
        SequenceTokenizer(analyzer="Words").fit(["a"])


@pytest.mark.parametrize(
    ("outer", "params", "meant"),
    [
        (SequenceBaggingClassifier(RNNClassifier()), {"hidden_size": 3}, "estimator__hidden_size"),
        (PerStep(StandardScaler()), {"with_mean": False}, "transformer__with_mean"),
    ],
)
def test_a_parameter_of_the_estimator_inside_is_named(outer, params, meant):
    with pytest.raises(ValueError, match=f"Did you mean '{meant}'") as error:
        outer.set_params(**params)
    assert len(str(error.value).splitlines()) == 2
    outer.set_params(**{meant: next(iter(params.values()))})


def test_nested_parameters_are_named():
    X, y = problem(RNNClassifier)
    model = make_pipeline(PerStep(StandardScaler()), small(RNNClassifier))
    wanted = r"^Invalid parameter 'hidden_sizes' for estimator RNNClassifier. Did you mean 'hidden_size'\?"
    with pytest.raises(ValueError, match=wanted):
        model.set_params(rnnclassifier__hidden_sizes=3)
    with pytest.raises(ValueError, match=wanted):
        GridSearchCV(model, {"rnnclassifier__hidden_sizes": [3]}, cv=2).fit(X, y)
    with pytest.raises(ValueError, match=wanted):
        SequenceBaggingClassifier(small(RNNClassifier)).set_params(estimator__hidden_sizes=3)
    with pytest.raises(
        ValueError, match=r"'rnnclassifier__hidden_size' for estimator RNNClassifier. .*'hidden_size'\?"
    ):
        GridSearchCV(small(RNNClassifier), {"rnnclassifier__hidden_size": [3]}, cv=2).fit(X, y)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("epochs", r"Parameters are set where it is made: RNNClassifier\(max_epochs=...\)"),
        ("verbose", r"RNNClassifier\(verbose=...\)"),
        ("validation_split", r"RNNClassifier\(validation_fraction=...\)"),
        ("validation_data", r"Did you mean 'X_val'\?"),
        ("sample_weights", r"Did you mean 'sample_weight'\?"),
        ("flavour", r"it takes X, y, sample_weight, X_val"),
    ],
)
def test_keywords_of_fit_are_explained(name, advice):
    X, y = problem(RNNClassifier)
    for method in ("fit", "partial_fit")[: 1 + (name not in ("validation_data", "flavour"))]:
        with pytest.raises(TypeError, match=rf"RNNClassifier.{method} got .* argument '{name}'.*{advice}"):
            getattr(small(RNNClassifier), method)(X, y, **{name: 1})


def test_all_else_is_as_it_was():
    model = RNNClassifier(hidden_size=3)
    for other in (clone(model), copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert repr(other) == "RNNClassifier(hidden_size=3)"
    assert "hidden_size" in inspect.signature(RNNClassifier).parameters
    assert "X_val" in inspect.signature(RNNClassifier.fit).parameters
    assert model.set_params(hidden_size=5, cell_type="lstm") is model
    assert model.get_params()["hidden_size"] == 5


def test_a_subclass_may_take_anything():
    class Mine(RNNClassifier):
        def __init__(self, *layers, **parameters):
            super().__init__(hidden_size=list(layers), **parameters)

    assert Mine(3, 4, dropout=0.1).hidden_size == [3, 4]


def test_names_of_others_belong_to_parameters_that_exist():
    estimators = [*ESTIMATORS, SequenceBaggingClassifier, SequenceTokenizer, PerStep]
    names = {name for estimator in estimators for name in estimator._get_param_names()}
    assert set(ELSEWHERE) <= names | {"sample_weight", "X_val", "y_val"}
    assert set(VALUES) <= names
    for name in names:
        assert meant_parameter(name, names) == name
    for name, options in VALUES.items():
        for option, others in options.items():
            assert all(meant_value(name, other, options) == option for other in [option, *others.split()])
