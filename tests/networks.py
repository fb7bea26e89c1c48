"""Small networks from flat parameters, and batches for them to read."""

from dataclasses import fields

import torch

from sklearn_rnn.networks.heads import ChainHeadSpec, PooledHeadSpec, StepHeadSpec
from sklearn_rnn.networks.inputs import InputLayout
from sklearn_rnn.networks.network import build_network
from sklearn_rnn.networks.specs import BackboneSpec, DropoutSpec, InputsSpec, NetworkSpec

TOKENS = InputLayout(embedded=((5, 3),))
MIXED = InputLayout(embedded=((5, 3), (4, 2)), max_characters=3, n_characters=6, n_numeric=2)
POOLINGS = ("last", "mean", "max", "concat", "attention", None)

DEFAULTS = {
    "n_features": 2,
    "char_embedding_dim": 2,
    "char_hidden_size": 4,
    "cell_type": "gru",
    "hidden_sizes": (3,),
    "n_outputs": 2,
    "pooling": "mean",
    "weight_init": "torch",
    "dtype": torch.float64,
}


def make_spec(**parameters):
    """The record of a small network in float64, its biases drawn too; all fields of all records by their names.

    The head is that of the `pooling`, without one that of the `chain`, and without either one a step.
    """
    given = {**DEFAULTS, **parameters}

    def record(kind):
        return kind(**{field.name: given.pop(field.name) for field in fields(kind) if field.name in given})

    pooling, chain = given.pop("pooling"), given.pop("chain", None)
    if pooling is not None:
        head = PooledHeadSpec(given.pop("n_outputs"), pooling=pooling)
    elif chain is None:
        head = StepHeadSpec(given.pop("n_outputs"))
    else:
        head = ChainHeadSpec(given.pop("n_outputs"), learned=chain == "crf", allowed=given.pop("allowed", None))
    return NetworkSpec(record(InputsSpec), record(BackboneSpec), head, record(DropoutSpec), **given)


def make_network(**parameters):
    """The network of :func:`make_spec`."""
    return build_network(make_spec(**parameters))


def random_values(network, lengths, seed, n_extra=0):
    """Values (batch, n_steps, n_columns) or tokens (batch, n_steps), on padding as random as elsewhere."""
    generator = torch.Generator().manual_seed(seed)
    shape = (len(lengths), max(lengths) + n_extra)
    if network.inputs is not None and network.inputs.layout == TOKENS:
        return torch.randint(5, shape, generator=generator)
    numbers = torch.randn(*shape, 2, generator=generator, dtype=torch.float64)
    if network.inputs is None:
        return numbers
    categories = [torch.randint(n, (*shape, 1), generator=generator) for n, _ in MIXED.embedded]
    forms = torch.randint(4, shape, generator=generator)
    characters = torch.tensor([[0, 0, 0], [1, 0, 0], [2, 5, 0], [3, 1, 4]])[forms]
    return torch.cat([*categories, forms[:, :, None], characters, numbers], 2)
