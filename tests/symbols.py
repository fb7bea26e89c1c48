"""Networks that predict the next symbol, and what they are read with, for tests of writing."""

import numpy as np
import torch
from networks import make_network

from sklearn_rnn.networks.decoding import Draws, SymbolDecoder
from sklearn_rnn.networks.inputs import InputLayout
from sklearn_rnn.networks.stepping import make_stepper


class Bigrams:
    """A stepper whose outputs are the row of a table that belongs to the last symbol read."""

    def __init__(self, table, n_rows):
        self.table = np.asarray(table, dtype=np.float64)
        self.n_steps = np.zeros(n_rows, np.int64)
        self.outputs = np.zeros((n_rows, len(self.table)))

    def advance(self, values, rows):
        self.outputs[rows] = self.table[values]
        self.n_steps[rows] += 1
        return -1

    def reset(self, rows):
        self.n_steps[rows] = 0

    def copy(self, sources, targets):
        self.outputs[targets], self.n_steps[targets] = self.outputs[sources], self.n_steps[sources]


def as_read(symbols, numbers):
    """What a stepper reads that reads nothing but symbols."""
    return symbols


def symbol_network(n_symbols, *, sharpness=4.0, **parameters):
    """A network with an output for each of `n_symbols`, whose scores differ by about the `sharpness`."""
    layout = InputLayout(embedded=((n_symbols, 6),), n_numeric=parameters.pop("n_numeric", 0))
    defaults = {"cell_type": "lstm", "hidden_sizes": (7,), "layout": layout, "pooling": None, "n_outputs": n_symbols}
    network = make_network(**{**defaults, **parameters}).eval()
    with torch.no_grad():
        network.inputs.token_embedding.weight.mul_(10)
        network.head.linear.weight.mul_(sharpness)
    return network


def decoder_of(network, n_rows=8, *, read=as_read, **options):
    """What writes symbols with a network; the last symbol is the end."""
    stepper = make_stepper(network, n_rows)
    return SymbolDecoder(stepper, read, **{"end": stepper.outputs.shape[1] - 1, **options})


def written(decoder, prompts, decoding, seed=0, numbers=None, **options):
    """The symbols after `prompts`, drawn as those of the sequences `numbers`, as lists."""
    draws = Draws(seed, range(len(prompts)) if numbers is None else numbers)
    return [symbols.tolist() for symbols in decoder.sample(prompts, decoding, draws, **options)[0]]
