"""Hyperbolic tangent and logistic function in arithmetic that a compiler turns into vector instructions.

Kernels call them on one number inside a loop; calls of a mathematical library would keep that loop scalar.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from sklearn_rnn.kernels.compiling import inlined

F32 = np.float32


@inlined
def _tanh_single(x):
    """A quotient of odd and even polynomials, exact to two units in the last place; 1 beyond 7.905 (Eigen's fit)."""
    x = min(max(x, F32(-7.90531110763549805)), F32(7.90531110763549805))
    square = x * x
    p = square * F32(-2.76076847742355e-16) + F32(2.00018790482477e-13)
    p = square * p + F32(-8.60467152213735e-11)
    p = square * p + F32(5.12229709037114e-08)
    p = square * p + F32(1.48572235717979e-05)
    p = square * p + F32(6.37261928875436e-04)
    p = square * p + F32(4.89352455891786e-03)
    q = square * F32(1.19825839466702e-06) + F32(1.18534705686654e-04)
    q = square * q + F32(2.26843463243900e-03)
    q = square * q + F32(4.89352518554385e-03)
    return x * p / q


@inlined
def exp_double(x):
    """The exponential of a number between -700 and 700: a power of two times the Taylor series of the rest."""
    n = np.floor(x * 1.4426950408889634 + 0.5)
    r = (x - n * 0.693145751953125) - n * 1.42860682030941723212e-6
    # |r| is at most half the logarithm of 2: the first term left out is below 5e-18
    p = r * 1.6059043836821613e-10 + 2.08767569878681e-09
    p = r * p + 2.505210838544172e-08
    p = r * p + 2.755731922398589e-07
    p = r * p + 2.7557319223985893e-06
    p = r * p + 2.48015873015873e-05
    p = r * p + 0.0001984126984126984
    p = r * p + 0.001388888888888889
    p = r * p + 0.008333333333333333
    p = r * p + 0.041666666666666664
    p = r * p + 0.16666666666666666
    p = r * p + 0.5
    p = r * p + 1.0
    p = r * p + 1.0
    return p * np.int64((np.int64(n) + 1023) << 52).view(np.float64)


@inlined
def _tanh_double(x):
    """Near 0 the rational approximation of the Cephes library (Moshier 1989), else by the exponential."""
    square = x * x
    p = square * -9.64399179425052238628e-1 + -9.92877231001918586564e1
    p = square * p + -1.61468768441708447952e3
    q = square + 1.12811678491632931402e2
    q = square * q + 2.23548839060100448583e3
    q = square * q + 4.84406305325125486048e3
    near = x + x * square * (p / q)
    size = min(abs(x), 20.0)
    far = 1.0 - 2.0 / (exp_double(2.0 * size) + 1.0)
    far = -far if x < 0.0 else far
    return near if size < 0.625 else far


@inlined
def _logistic_double(x):
    return 1.0 / (1.0 + exp_double(min(max(-x, -700.0), 700.0)))


@inlined
def _logistic_single(x):
    return F32(0.5) * _tanh_single(F32(0.5) * x) + F32(0.5)


def tanh(x: Any) -> Any:
    """The hyperbolic tangent of a float32 or float64, in its own precision; only inside a kernel."""
    raise TypeError("tanh of a kernel was called outside of one: use numpy.tanh")


def logistic(x: Any) -> Any:
    """``1 / (1 + exp(-x))`` of a float32 or float64, in its own precision; only inside a kernel."""
    raise TypeError("logistic of a kernel was called outside of one: use scipy.special.expit")


@overload(tanh, inline="always")
def _choose_tanh(x):
    return (lambda x: _tanh_single(x)) if x == types.float32 else (lambda x: _tanh_double(x))


@overload(logistic, inline="always")
def _choose_logistic(x):
    return (lambda x: _logistic_single(x)) if x == types.float32 else (lambda x: _logistic_double(x))


@inlined
def _exp_single(x):
    """As :func:`exp_double`, of a number between -87 and 88 (the Cephes library, Moshier 1989)."""
    x = min(max(x, F32(-87.0)), F32(88.0))
    n = np.floor(x * F32(1.44269504088896341) + F32(0.5))
    r = (x - n * F32(0.693359375)) - n * F32(-2.12194440e-4)
    p = r * F32(1.9875691500e-4) + F32(1.3981999507e-3)
    p = r * p + F32(8.3334519073e-3)
    p = r * p + F32(4.1665795894e-2)
    p = r * p + F32(1.6666665459e-1)
    p = r * p + F32(5.0000001201e-1)
    p = r * r * p + r + F32(1.0)
    return p * np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)


def exponential(x: Any) -> Any:
    """``exp(x)`` of a float32 or float64 that overflows in neither; only inside a kernel."""
    raise TypeError("exponential of a kernel was called outside of one: use numpy.exp")


@overload(exponential, inline="always")
def _choose_exponential(x):
    if x == types.float32:
        return lambda x: _exp_single(x)
    return lambda x: exp_double(min(max(x, -700.0), 700.0))
