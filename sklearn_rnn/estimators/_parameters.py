"""The parameters that all estimators share: what each may be, and what the docs say of it."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, TypeVar

import torch
from sklearn.utils._param_validation import HasMethods, Interval, RealNotInt, StrOptions

from sklearn_rnn.training.optimization import OPTIMIZERS, SCHEDULES


class _OptimizerClass(HasMethods):
    """A subclass of ``torch.optim.Optimizer``."""

    def __init__(self) -> None:
        super().__init__(["step"])

    def is_satisfied_by(self, value: Any) -> bool:
        return isinstance(value, type) and issubclass(value, torch.optim.Optimizer)

    def __str__(self) -> str:
        return "a subclass of torch.optim.Optimizer"


def _at_least(kind: type, minimum: float, *, closed: str = "left") -> Interval:
    return Interval(kind, minimum, None, closed=closed)


SHARE = Interval(Real, 0, 1, closed="left")
CLASS_WEIGHT = [dict, StrOptions({"balanced"}), None]

CONSTRAINTS: dict[str, Any] = {
    "cell_type": [StrOptions({"rnn", "lstm", "gru"})],
    "hidden_size": [_at_least(Integral, 1), list, tuple],
    "num_layers": [_at_least(Integral, 1)],
    "bidirectional": ["boolean"],
    "nonlinearity": [StrOptions({"tanh", "relu"})],
    "dropout": [SHARE],
    "recurrent_dropout": [SHARE],
    "residual": ["boolean"],
    "layer_norm": ["boolean"],
    "weight_init": [StrOptions({"auto", "orthogonal", "identity", "torch"})],
    "proj_size": [_at_least(Integral, 1), None],
    "embedding_dim": [_at_least(Integral, 1), None],
    "min_df": [_at_least(Integral, 1), Interval(RealNotInt, 0, 1, closed="both")],
    "max_features": [_at_least(Integral, 1), None],
    "pretrained_embeddings": "no_validation",
    "freeze_embeddings": ["boolean"],
    "char_encoder": [StrOptions({"cnn", "lstm"}), None],
    "char_embedding_dim": [_at_least(Integral, 1)],
    "char_hidden_size": [_at_least(Integral, 1)],
    "casing_features": ["boolean"],
    "embedding_dropout": [SHARE],
    "word_dropout": [SHARE],
    "weight_dropout": [SHARE],
    "tied_dropout": ["boolean"],
    "pretrained": "no_validation",
    "freeze": [StrOptions({"inputs", "backbone"}), None],
    "unfreeze_every": [_at_least(Integral, 1), None],
    "max_length": [_at_least(Integral, 1), None],
    "truncate": [StrOptions({"head", "tail"})],
    "missing": [StrOptions({"error", "mask"})],
    "optimizer": [StrOptions(set(OPTIMIZERS)), _OptimizerClass()],
    "learning_rate": [_at_least(Real, 0, closed="neither")],
    "lr_schedule": [StrOptions(set(SCHEDULES)), None],
    "weight_decay": [_at_least(Real, 0)],
    "batch_size": [_at_least(Integral, 1)],
    "max_epochs": [_at_least(Integral, 1)],
    "clip_grad_norm": [_at_least(Real, 0, closed="neither"), None],
    "clip_grad_value": [_at_least(Real, 0, closed="neither"), None],
    "tbptt_steps": [_at_least(Integral, 1), None],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [_at_least(Integral, 1)],
    "tol": [_at_least(Real, 0)],
    "warm_start": ["boolean"],
    "random_state": ["random_state"],
    "device": [str],
    "dtype": [StrOptions({"float32", "float64", "bfloat16"})],
    "engine": [StrOptions({"auto", "fused", "torch"})],
    "n_threads": [_at_least(Integral, 1), None],
    "data_parallel": ["boolean"],
    "callbacks": [list, tuple, None],
    "verbose": ["verbose"],
}

PARAMETER_DOCS = """\
cell_type : {"gru", "lstm", "rnn"}, default="gru"
        The recurrent cell: gated recurrent unit [2]_, long short-term memory [1]_, or vanilla (Elman).
    hidden_size : int, or list or tuple of int, default=64
        Units of each layer in each direction; a list gives one size a layer.
    num_layers : int, default=1
        Recurrent layers, each reading the hidden states of the one below. With a list as `hidden_size`, leave it at 1
        or give the length of the list.
    bidirectional : bool, default=True
        Whether a second recurrence reads each sequence from its end. Its states are joined to those of the first, so
        that a step has ``2 * hidden_size`` of them.
    nonlinearity : {"tanh", "relu"}, default="tanh"
        Of the vanilla cell; the gated cells have their own.
    dropout : float in [0, 1), default=0.2
        Share of values dropped between layers and before the head [4]_.
    recurrent_dropout : float in [0, 1), default=0.0
        Share of the hidden state dropped on its way to the next step, with one mask for all steps of a sequence [5]_.
        With the torch engine it runs step by step, and is several times slower.
    residual : bool, default=False
        Add the input of each recurrent layer to its output, through a learned linear map where their sizes differ.
    layer_norm : bool, default=False
        Normalise the output of each recurrent layer over its units [6]_.
    weight_init : {"auto", "orthogonal", "identity", "torch"}, default="auto"
        ``"orthogonal"``: orthogonal recurrent matrices, Glorot-uniform input matrices, biases 0 but for the LSTM's
        forget gate, which starts at 1. ``"identity"``: recurrent matrices start as the identity [3]_. ``"auto"``:
        ``"identity"`` for the vanilla cell with relu, else ``"orthogonal"``. ``"torch"``: as torch's own layers.
    proj_size : int or None, default=None
        Size to which the LSTM projects its hidden state; smaller than `hidden_size`, LSTM only.
    embedding_dim : int or None, default=None
        Size of the learned vector of a token. Strings are always embedded, with 64 dimensions if None; integers are
        token ids if it is set, and numbers if None.
    min_df : int or float, default=1
        Fewest sequences, or the smallest share of them, that a token must be in to have a vector of its own. Rarer
        tokens, and those that training did not have, share the vector of unknown tokens.
    max_features : int or None, default=None
        The most frequent tokens that get a vector of their own.
    pretrained_embeddings : dict, gensim KeyedVectors, (tokens, vectors), path or None, default=None
        First vectors of the tokens: a file may be in the text format of GloVe, word2vec or fastText or in word2vec's
        binary format, and compressed. Only vectors of tokens in the training data are kept. A token without a vector
        takes that of its lower-case, title-case or upper-case form, or else a random one.
    freeze_embeddings : bool, default=False
        Whether the vectors of tokens stay as they are at first.
    char_encoder : {"cnn", "lstm"} or None, default=None
        Join to the vector of a token one made from its characters: the greatest value of each filter of a convolution
        over three characters [7]_, or the last states of an LSTM in both directions [8]_.
    char_embedding_dim : int, default=25
        Size of the learned vector of a character.
    char_hidden_size : int, default=50
        Size of the vector that is made from characters.
    casing_features : bool, default=False
        Whether the kind of casing of a token (lower, upper, capitalised, with digits, ...) is an input of its own;
        tokens are then looked up in lower case.
    embedding_dropout : float in [0, 1), default=0.0
        Share of the values dropped of the vectors that the first layer reads, where tokens are embedded.
    word_dropout : float in [0, 1), default=0.0
        Share of the tokens read as unknown in training, so that the vector of unknown tokens is trained too.
    weight_dropout : float in [0, 1), default=0.0
        Share of the recurrent weights dropped for each batch [9]_.
    tied_dropout : bool, default=False
        Whether `dropout` and `embedding_dropout` drop the same values at all steps of a sequence [5]_.
    pretrained : fitted estimator of this package, or None, default=None
        Start from its backbone, vocabulary and embeddings, and train a new head [11]_. The parameters that describe
        those (`cell_type`, `hidden_size`, `embedding_dim`, `char_encoder` and the like) are then its own. It stays
        fitted when this estimator is cloned; as a value of a grid it goes inside scikit-learn's FrozenEstimator.
    freeze : {"inputs", "backbone"} or None, default=None
        What training leaves as it is: all that is embedded, characters too, or with ``"backbone"`` all but the head.
    unfreeze_every : int or None, default=None
        Let what `freeze` holds back into training again, one layer after another from the top, each so many epochs
        after the one before [11]_.
    max_length : int or None, default=None
        Steps kept of a longer sequence, in training and, but for a tagger, in prediction.
    truncate : {"tail", "head"}, default="tail"
        The end of a sequence that is cut off beyond `max_length`.
    missing : {"error", "mask"}, default="error"
        What to do with NaN in X: refuse it, or carry the last value of the sequence forward (0 before the first) and
        add for each feature an indicator that is 1 where it was observed."""

TRAINING_DOCS = """\
optimizer : {"adam", "adamw", "sgd", "rmsprop"} or torch.optim.Optimizer class, default="adam"
        ``"sgd"`` has Nesterov momentum of 0.9. A class gets the parameters, ``lr`` and, if it knows it, `weight_decay`.
    learning_rate : float, default=0.005
        Step size; with a schedule, the highest.
    lr_schedule : {"plateau", "cosine", "onecycle"} or None, default="cosine"
        ``"plateau"`` halves the rate when the training loss, or with validation data the validation loss, has not
        fallen for more than half of `n_iter_no_change` epochs; ``"cosine"`` lowers it to 0 over `max_epochs`;
        ``"onecycle"`` raises it first. `partial_fit` keeps it constant.
    weight_decay : float, default=0.0
        L2 penalty (decoupled for ``"adamw"``).
    batch_size : int, default=16
        Sequences an optimizer step. Sequences of similar length share a batch.
    max_epochs : int, default=50
        Passes over the data, at most.
    clip_grad_norm : float or None, default=1.0
        Largest norm of the gradient of a batch.
    clip_grad_value : float or None, default=None
        Largest absolute value of an entry of the gradient.
    tbptt_steps : int or None, default=None
        Steps after which back-propagation through time is cut off; the state itself goes on.
    early_stopping : bool, default=False
        Set a share of the data aside, stop when its score stalls, and keep the weights of the best epoch.
    validation_fraction : float in (0, 1), default=0.1
        The share that `early_stopping` sets aside, if `fit` is not given `X_val`.
    n_iter_no_change : int, default=10
        Epochs without an improvement of more than `tol` after which training ends.
    tol : float, default=1e-4
        Smallest improvement that counts: of the validation score with `early_stopping`, else of the training loss.
    warm_start : bool, default=False
        Whether a second `fit` goes on from the weights and the optimizer state of the first.
    random_state : int, RandomState instance or None, default=None
        Draws first weights, batches, dropout and the validation split. torch's global generator is never touched.
    device : str, default="auto"
        ``"cpu"``, ``"cuda"``, ``"cuda:N"``, or the first CUDA device if there is one.
    dtype : {"float32", "float64", "bfloat16"}, default="float32"
        Precision of training. With "bfloat16" the weights stay in float32, and torch multiplies matrices in bfloat16
        where it deems that safe, which GPUs have units for. Predictions on a CPU are computed in float64, but for the
        recurrences that kernels compute.
    engine : {"auto", "fused", "torch"}, default="auto"
        What computes recurrences and label chains on a CPU: the kernels of this package, or torch. "auto" takes the
        faster one; "fused" takes the kernels wherever they can do the work. Results agree to rounding.
    n_threads : int or None, default=None
        Threads of one fit on a CPU. None lets the kernels have all cores (up to 8) and torch one, and gives one to both
        inside the jobs of a search. The result does not depend on it.
    data_parallel : bool, default=False
        Whether processes that ``torchrun`` has started share each batch, and train one model together. Every process
        calls `fit` with the same data.
    callbacks : list or tuple of skorch callbacks, or None, default=None
        Copied before use; the copies that were used are in ``net_.callbacks_``.
    verbose : int, default=0
        Whether to print a line an epoch."""

FIT_DOCS = """\
n_features_in_ : int
        Features a step, or columns of a 2-D table.
    feature_names_in_ : array of str
        Names of the columns, if X had any.
    input_spec_ : InputSpec
        What the sequences looked like in `fit`, and how they were cut and filled.
    vocabulary_ : dict
        Index of each token; only for sequences of tokens. Index 0 is for tokens that training did not have.
    encoding_ : StepEncoding
        How steps become numbers: the vocabularies of all inputs, the characters, and what is passed on.
    embedding_coverage_ : float
        Share of the vocabulary that has a pretrained vector; only with `pretrained_embeddings`.
    net_ : skorch.NeuralNet
        The trained net.
    module_ : torch.nn.Module
        The network inside it.
    n_iter_ : int
        Epochs that the last fit ran.
    best_epoch_ : int
        The epoch, from 1, whose weights are kept: the last, or with `early_stopping` the best.
    loss_curve_ : list of float
        Weighted mean training loss of each epoch.
    validation_scores_ : list of float or None
        Score on the validation data after each epoch: accuracy, for a tagger what `scoring` says, R2 for a regressor;
        None without validation data.
    history_ : list of dict
        skorch's record of each epoch."""

REFERENCES = """\
.. [1] Hochreiter, S. and Schmidhuber, J. (1997). Long short-term memory. Neural Computation 9(8), with the forget
       gate of Gers, F. A., Schmidhuber, J. and Cummins, F. (2000).
    .. [2] Cho, K. et al. (2014). Learning phrase representations using RNN encoder-decoder. EMNLP.
    .. [3] Le, Q. V., Jaitly, N. and Hinton, G. E. (2015). A simple way to initialize recurrent networks of rectified
       linear units. arXiv:1504.00941.
    .. [4] Srivastava, N. et al. (2014). Dropout. JMLR 15.
    .. [5] Gal, Y. and Ghahramani, Z. (2016). A theoretically grounded application of dropout in recurrent neural
       networks. NeurIPS.
    .. [6] Ba, J. L., Kiros, J. R. and Hinton, G. E. (2016). Layer normalization. arXiv:1607.06450.
    .. [7] Ma, X. and Hovy, E. (2016). End-to-end sequence labeling via bi-directional LSTM-CNNs-CRF. ACL.
    .. [8] Lample, G. et al. (2016). Neural architectures for named entity recognition. NAACL.
    .. [9] Merity, S., Keskar, N. S. and Socher, R. (2018). Regularizing and optimizing LSTM language models. ICLR.
    .. [11] Howard, J. and Ruder, S. (2018). Universal language model fine-tuning for text classification. ACL."""

POOLING_DOC = """\
pooling : {"last", "mean", "max", "attention"}, default="last"
        How the hidden states of a sequence become one vector: the last one (of the backward direction, the one at the
        first step), their mean, the greatest value of each unit, or a mean with learned weights."""

_T = TypeVar("_T", bound=type)


def fill_docs(**own: str) -> Callable[[_T], _T]:
    """Put the shared descriptions of parameters and attributes where a class docstring names them in braces."""
    fragments = {
        "backbone": PARAMETER_DOCS,
        "training": TRAINING_DOCS,
        "fitted": FIT_DOCS,
        "references": REFERENCES,
        "pooling": POOLING_DOC,
        **own,
    }

    def fill(cls: _T) -> _T:
        for name, text in fragments.items():
            cls.__doc__ = (cls.__doc__ or "").replace("{" + name + "}", text)
        return cls

    return fill
