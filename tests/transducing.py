"""Small decoders, and what the tests of them share."""

from dataclasses import replace

import torch
from networks import TOKENS, make_spec

from sklearn_rnn.networks.heads import VocabularyHeadSpec
from sklearn_rnn.networks.heads.decoder import DecoderHeadSpec, DecoderSpec
from sklearn_rnn.networks.inputs import InputLayout
from sklearn_rnn.networks.network import build_network

PLACES = [
    ("general", "between"),
    ("general", "after"),
    ("dot", "between"),
    ("additive", "after"),
    ("additive", "feed"),
    ("general", "feed"),
    (None, "after"),
]
"""Kinds of attention, and where they are."""

N_SYMBOLS = 6


def decoder_network(attention="general", attend="between", cell="gru", units=4, **parameters):
    """A network in float64 that reads tokens below 5 and says symbols below 6, the last of which is the end."""
    spec = make_spec(layout=TOKENS, cell_type=cell, hidden_sizes=(units,), pooling=None, n_outputs=1)
    head = DecoderHeadSpec(
        n_outputs=N_SYMBOLS,
        layers=DecoderSpec(
            cell_type=cell, hidden_sizes=(units, units), attention=attention, attend=attend, **parameters
        ),
        output=VocabularyHeadSpec(N_SYMBOLS),
        layout=InputLayout(embedded=((N_SYMBOLS, 3),)),
    )
    return build_network(replace(spec, head=head)).eval()


def pairs(source_lengths, target_lengths, seed=0):
    """Sources, their lengths, what is read of targets and how much of it, as random on padding as elsewhere."""
    generator = torch.Generator().manual_seed(seed)
    source = torch.randint(5, (len(source_lengths), max(source_lengths)), generator=generator)
    read = torch.randint(N_SYMBOLS - 1, (len(target_lengths), max(target_lengths)), generator=generator)
    read[:, 0] = N_SYMBOLS - 1
    return source, torch.tensor(source_lengths), read, torch.tensor(target_lengths)
