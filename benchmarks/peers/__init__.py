"""The contestants of the benchmarks of speed: each fits the same network to the same numbers in its own way.

A contestant is built from a :class:`~peers.problem.Problem` and a number of threads. ``fit(n_epochs)`` trains new
weights, ``predict()`` predicts all sequences of the problem. What is compiled is compiled by the first of each.
"""
