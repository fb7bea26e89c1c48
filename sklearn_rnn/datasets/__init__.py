"""Sequences to try models on."""

from sklearn_rnn.datasets._generators import make_adding_problem, make_tagging, make_temporal_order

__all__ = ["make_adding_problem", "make_tagging", "make_temporal_order"]
