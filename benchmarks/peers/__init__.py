"""The contestants of the benchmarks: of speed, and of quality where no library has them.

A contestant of speed is built from a :class:`~peers.problem.Problem` and a number of threads. ``fit(n_epochs)`` trains
new weights, ``predict()`` predicts all sequences of the problem. What is compiled is compiled by the first of each.
Those of quality (:mod:`peers.rocket`, :mod:`peers.tabular`) are transformers that make rows of numbers of sequences.
"""
