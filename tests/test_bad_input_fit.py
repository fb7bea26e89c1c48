"""Parameters that are refused, and what goes wrong in the middle of a fit: the message, and what is left behind."""

import copy
import pickle
import re
import signal

import numpy as np
import pytest
import torch
from samples import CELLS, ESTIMATORS, outputs, problem, small, weights
from sklearn.utils._param_validation import InvalidParameterError
from skorch.callbacks import Callback, EarlyStopping
from test_bad_input import LABELS, TABLE, TOKENS, X

from sklearn_rnn import RNNClassifier, RNNRegressor, RNNSequenceTagger
from sklearn_rnn.exceptions import OutOfMemoryError, TrainingDivergedError
from sklearn_rnn.networks.fused import ForwardPass
from sklearn_rnn.networks.network import RecurrentNetwork

WRONG_VALUES = {
    "cell_type": ["GRU", "transformer", None, 1],
    "hidden_size": [0, -3, 4.5, "64", None],
    "num_layers": [0, 1.5, "2", None],
    "bidirectional": ["yes", 2, None],
    "nonlinearity": ["sigmoid", None],
    "dropout": [1.0, -0.1, "0.2", None],
    "recurrent_dropout": [1.0, -0.1, None],
    "residual": ["no", None],
    "layer_norm": ["no", 3],
    "weight_init": ["glorot", None],
    "proj_size": [0, 2.5, "2"],
    "embedding_dim": [0, 1.5, "8"],
    "min_df": [0, -1, 1.5, -0.1, "2", None],
    "max_features": [0, -1, 2.5, "all"],
    "pretrained_embeddings": [],  # what holds vectors is seen when they are read: see below
    "freeze_embeddings": ["yes", 2, None],
    "char_encoder": ["CNN", "gru", 3],
    "char_embedding_dim": [0, 2.5, "25", None],
    "char_hidden_size": [0, 2.5, [50], None],
    "casing_features": ["yes", None],
    "embedding_dropout": [1.0, -0.1, "0.2", None],
    "word_dropout": [1.0, -0.1, None],
    "weight_dropout": [1.0, -0.1, None],
    "tied_dropout": ["yes", None],
    "pretrained": [],
    "freeze": ["embeddings", True, 1],
    "unfreeze_every": [0, 1.5, "1"],
    "max_length": [0, -1, 2.5],
    "truncate": ["middle", None],
    "standardize": ["yes", None, 2],
    "missing": ["ignore", np.nan],
    "padding_value": [[0, 0], np.zeros(2), ...],
    "optimizer": ["lbfgs", object, torch.optim.lr_scheduler.StepLR, None],
    "learning_rate": [0.0, -1e-3, np.nan, np.inf, "fast"],
    "lr_schedule": ["linear", 3],
    "weight_decay": [-1.0, None],
    "batch_size": [0, 1.5, "all"],
    "max_epochs": [0, 2.5, "many", None],
    "clip_grad_norm": [0.0, -1.0, "1"],
    "clip_grad_value": [0, -2.0],
    "tbptt_steps": [0, 2.5],
    "early_stopping": ["yes", None],
    "validation_fraction": [0.0, 1.0, 5, None],
    "max_time": [0, -1.0, "1 h"],
    "n_iter_no_change": [0, 1.5, None],
    "tol": [-1e-3, None],
    "warm_start": ["yes", None],
    "random_state": [-1, "seed", 1.5],
    "device": [0, None],
    "dtype": ["float16", np.float32, None],
    "engine": ["quick", None],
    "n_threads": [0, 1.5, -1],
    "data_parallel": ["auto", 2, None],
    "callbacks": ["print_log", Callback(), 3],
    "verbose": [-1, "loud", None],
    "pooling": ["first", None],
    "conv_branch": ["yes", 2, None],
    "conv_channels": [0, 2.5, "64", None],
    "conv_kernel_size": [0, 2.5, "7", None],
    "conv_dilation": [0, 1.5, None],
    "conv_stride": [0, 1.5, [2], None],
    "ngrams": [-1, 1.5, (1, 2), None],
    "class_weight": ["auto", [1, 2]],
    "loss": ["mse", "Huber", None],
    "quantiles": [0.5, "0.5", 3],
    "target": ["steps", None],
    "label_smoothing": [1.0, -0.1, None],
    "ignore_label": [1.5, ["O"]],
    "decoder": ["CRF", "viterbi", None],
    "tag_scheme": ["IOB", "bio", 2],
    "train_scheme": ["auto", "IOB2", "bioes"],
    "constrain_transitions": ["yes", None],
    "stride": [0, -1, 2.5, "half"],
    "scoring": ["f1", None],
}


@pytest.mark.parametrize(
    ("estimator", "name", "value"),
    [
        pytest.param(estimator, name, value, id=f"{estimator.__name__}-{name}={value!r:.30}")
        for estimator in ESTIMATORS
        for name in estimator().get_params()
        for value in WRONG_VALUES[name]
    ],
)
def test_parameter_value_is_refused(estimator, name, value):
    model = estimator(**{name: value})
    with pytest.raises(InvalidParameterError) as refused:
        model.fit(*problem(estimator))
    assert f"The {name!r} parameter of {estimator.__name__} must be" in str(refused.value)
    assert f"Got {value!r} instead" in str(refused.value)
    assert not hasattr(model, "net_")


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_unknown_parameter_is_refused(estimator):
    with pytest.raises(TypeError, match="n_units"):
        estimator(n_units=3)
    with pytest.raises(ValueError, match=r"Invalid parameter 'n_units' for estimator"):
        estimator().set_params(n_units=3)
    with pytest.raises(TypeError, match="positional"):
        estimator(3)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"hidden_size": [4, 4], "num_layers": 3}, r"hidden_size=\[4, 4\] gives 2 sizes for num_layers=3"),
        ({"hidden_size": []}, r"hidden_size=\[\] must be an int of at least 1, or a list"),
        ({"hidden_size": [4, -1]}, r"hidden_size=\[4, -1\] must be"),
        ({"hidden_size": (4, 2.0)}, r"hidden_size=\(4, 2.0\) must be"),
        ({"cell_type": "gru", "proj_size": 2}, r"proj_size=2 .*cell_type='lstm' \(now 'gru'\)"),
        ({"cell_type": "lstm", "proj_size": 4}, r"proj_size=4 must be smaller than hidden_size=4"),
        ({"device": "gpu"}, r"device='gpu' is not a device: wanted 'auto', 'cpu', 'cuda' or 'cuda:N'"),
        ({"device": ""}, r"device='' is not a device"),
        ({"device": "mps"}, r"device='mps' is not supported"),
        ({"device": "cuda:99"}, r"device='cuda:99' is not on this machine, torch sees \d CUDA device"),
        ({"class_weight": {"z": 2.0}}, r"class_weight names the class\(es\) \['z'\].*\['a', 'b'\]"),
        ({"class_weight": {"a": -1.0}}, r"class_weight=\{'a': -1.0\} must hold finite weights of 0 or more"),
        ({"class_weight": {"a": 0, "b": 0}}, r"must hold finite weights of 0 or more, not all 0"),
        ({"class_weight": {"a": "x"}}, r"class_weight=\{'a': 'x'\} must hold numbers"),
        ({"callbacks": [3]}, r"callbacks\[0\] is 3, wanted a skorch callback.*set_callbacks"),
        ({"callbacks": [Callback(), "log"]}, r"callbacks\[1\] is 'log'"),
        ({"callbacks": [("name", object)]}, r"callbacks\[0\] is \('name', <class 'object'>\)"),
        (
            {"pretrained_embeddings": {"a": [1.0]}},
            r"pretrained_embeddings needs tokens in X, which holds numbers alone",
        ),
        ({"optimizer": torch.optim.Rprop, "weight_decay": 0.1}, r"weight_decay=0.1 has no meaning for optimizer=Rprop"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        small(RNNClassifier, **parameters).fit(X, LABELS)


@pytest.mark.parametrize(
    ("parameters", "message", "error"),
    [
        ({"min_df": 5}, r"The vocabulary is empty: of 3 .*min_df=5 left out 3, .* Lower min_df", ValueError),
        ({"pretrained_embeddings": 3}, r"Pretrained embeddings must be .*got int 3", TypeError),
        ({"pretrained_embeddings": "nowhere.txt"}, r"nowhere\.txt", FileNotFoundError),
        ({"pretrained_embeddings": {}}, r"mapping from token to vector is empty", ValueError),
        ({"pretrained_embeddings": {"to": "x"}}, r"vector of 'to' must hold numbers", ValueError),
        ({"pretrained_embeddings": {"to": [np.nan]}}, r"vector of 'to' has nan at position 0", ValueError),
        (
            {"pretrained_embeddings": {"to": [1.0, 2.0]}, "embedding_dim": 3},
            r"embedding_dim=3, but the vectors of the dict have 2 values: set embedding_dim=2, or",
            ValueError,
        ),
    ],
)
def test_parameters_that_do_not_fit_tokens_are_refused(parameters, message, error):
    model = small(RNNClassifier, **parameters)
    with pytest.raises(error, match=message):
        model.fit(TOKENS, LABELS)
    assert not [name for name in vars(model) if name.endswith("_")]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_device_that_is_not_there(estimator):
    with pytest.raises(ValueError, match=r"device='cuda' is not on this machine.*set device='auto' or 'cpu'"):
        small(estimator, device="cuda").fit(*problem(estimator))


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_attention_weights_want_attention(pooling):
    model = small(RNNClassifier, pooling=pooling).fit(X, LABELS)
    assert not hasattr(model, "attention_weights")
    with pytest.raises(AttributeError, match="attention_weights") as refused:
        model.attention_weights(X)
    assert f"pooling={pooling!r}" in str(refused.value.__cause__)


class Fail(Callback):
    """Raise an error at a batch of the second epoch."""

    def __init__(self, error):
        self.error = error

    def on_batch_end(self, net, **kwargs):
        if len(net.history) == 2:
            raise self.error


class Interrupt(Callback):
    """Press Ctrl-C at the end of the first epoch."""

    def on_epoch_end(self, net, **kwargs):
        handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.signal(signal.SIGINT, handler)


ERRORS = [RuntimeError("the callback is broken"), KeyboardInterrupt(), SystemExit()]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_an_interrupted_first_fit_leaves_nothing(estimator, error):
    model = small(estimator, callbacks=[Fail(error)])
    with pytest.raises(type(error)):
        model.fit(*problem(estimator))
    assert not [name for name in vars(model) if name.endswith("_")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_an_interrupted_fit_keeps_the_old_one(estimator, warm_start, error):
    data, other = problem(estimator), problem(estimator, seed=1, n_features=3 if warm_start else 2)
    model = small(estimator, warm_start=warm_start).fit(*data)
    before, learned = outputs(model, data[0]), dict(vars(model))
    model.set_params(callbacks=[Fail(error)])
    untouched = copy.deepcopy(other)
    with pytest.raises(type(error)):
        model.fit(*other)
    np.testing.assert_array_equal(outputs(model, data[0]), before)
    assert all(vars(model)[name] is value for name, value in learned.items() if name.endswith("_"))
    assert all(np.array_equal(x, y) for x, y in zip(other[0], untouched[0], strict=True))
    assert pickle.dumps(other[1]) == pickle.dumps(untouched[1])


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_an_interrupted_warm_start_can_be_taken_up_again(estimator):
    data = problem(estimator)
    model = small(estimator, warm_start=True).fit(*data)
    spare = copy.deepcopy(model)
    with pytest.raises(KeyboardInterrupt):
        model.set_params(callbacks=[Fail(KeyboardInterrupt())]).fit(*data)
    model.set_params(callbacks=None).fit(*data)
    np.testing.assert_array_equal(weights(model), weights(spare.fit(*data)))


def test_ctrl_c_is_not_taken_for_early_stopping():
    stopping = EarlyStopping(monitor="train_loss", patience=50)
    with pytest.raises(KeyboardInterrupt):
        small(RNNClassifier, callbacks=[stopping, Interrupt()]).fit(X, LABELS)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_fit_to_bad_data_keeps_the_old_one(estimator):
    X, y = problem(estimator)
    model = small(estimator).fit(X, y)
    before = outputs(model, X)
    for bad in ([], [x[:, :0] for x in X], [np.full_like(x, np.nan) for x in X]):
        with pytest.raises(ValueError, match=r"X"):
            model.fit(bad, y)
    with pytest.raises(ValueError, match=r"y"):
        model.fit(X, y[:-1])
    np.testing.assert_array_equal(outputs(model, X), before)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_an_interrupted_fit_restores_the_machine(estimator):
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    with pytest.raises(KeyboardInterrupt):
        small(estimator, callbacks=[Fail(KeyboardInterrupt())]).fit(*problem(estimator))
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)
    assert (torch.tensor(1e-310, dtype=torch.float64) * 1.0).item() > 0


DIVERGES = {"optimizer": "sgd", "learning_rate": 1e30, "clip_grad_norm": None, "lr_schedule": None, "dropout": 0.0}


@pytest.mark.parametrize("estimator", [RNNRegressor, RNNSequenceTagger])
def test_a_loss_that_is_no_number_stops_the_fit(estimator):
    data = problem(estimator)
    model = small(estimator).fit(*data)
    before = outputs(model, data[0])
    model.set_params(cell_type="rnn", nonlinearity="relu", max_epochs=20, **DIVERGES)
    with pytest.raises(TrainingDivergedError) as stopped:
        model.fit(*data)
    message = r"loss became (nan|inf) in epoch \d+\. Try a lower learning_rate \(now 1e\+30\), a clip_grad_norm"
    assert re.search(message, str(stopped.value))
    assert "nonlinearity='tanh'" in str(stopped.value)
    assert isinstance(stopped.value, ValueError)
    np.testing.assert_array_equal(outputs(model, data[0]), before)


MEMORY_ERRORS = [
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes"),
]


@pytest.mark.parametrize("error", MEMORY_ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("cell_type", CELLS)
def test_out_of_memory(monkeypatch, cell_type, error):
    model = small(RNNClassifier, cell_type=cell_type).fit(X, LABELS)
    before = outputs(model, X)

    def compute(*args, **kwargs):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(RecurrentNetwork, "hidden_states", compute)
        patch.setattr(ForwardPass, "__init__", compute)
        with pytest.raises(OutOfMemoryError, match=r"ran out of memory.*lower batch_size, max_length, hidden_size"):
            model.fit(X, LABELS)
        with pytest.raises(OutOfMemoryError, match=r"ran out of memory.*smaller parts, or lower max_length"):
            model.predict(X)
    np.testing.assert_array_equal(outputs(model, X), before)


def test_other_errors_of_torch_are_not_about_memory(monkeypatch):
    def forward(*args, **kwargs):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(RecurrentNetwork, "forward", forward)
    monkeypatch.setattr(ForwardPass, "__init__", forward)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        small(RNNClassifier).fit(X, LABELS)


def test_warm_start_with_another_architecture_is_refused():
    model = small(RNNClassifier, warm_start=True).fit(X, LABELS)
    before = outputs(model, X)
    with pytest.raises(ValueError, match=r"do not fit the network.*cell_type, hidden_size"):
        model.set_params(hidden_size=5).fit(X, LABELS)
    np.testing.assert_array_equal(outputs(model.set_params(hidden_size=4), X), before)


def test_warm_start_with_other_features_is_refused():
    model = small(RNNClassifier, warm_start=True).fit(X, LABELS)
    with pytest.raises(ValueError, match=r"X has 2 features, but RNNClassifier is expecting 3 features"):
        model.fit([x[:, :2] for x in X], LABELS)
    with pytest.raises(ValueError, match=r"expecting 3 features a step"):
        model.partial_fit(TABLE, LABELS)
