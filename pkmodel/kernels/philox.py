"""Addressed random numbers: Philox4x32-10 and one uniform per variate.

A random number is looked up, not consumed: ``key = seed``, ``counter = (index, stream, patient, replicate)``.
Any patient can be simulated alone, in any chunk, on any thread, and meets the same variates.

Source: Salmon JK, Moraes MA, Dror RO, Shaw DE. Parallel random numbers: as easy as 1, 2, 3. SC'11 (2011).
doi:10.1145/2063384.2063405. Known-answer vectors of Random123 are in the tests.
"""

from __future__ import annotations

import math

import numpy as np

from pkmodel.kernels._jit import jit

_M0 = np.uint64(0xD2511F53)
_M1 = np.uint64(0xCD9E8D57)
_W0 = np.uint64(0x9E3779B9)
_W1 = np.uint64(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_BLOCK = 256
_12 = np.uint64(12)


@jit(inline="always")
def philox(c0, c1, c2, c3, k0, k1):
    """Four 32-bit words (held in uint64) for a counter of four words and a key of two."""
    for _ in range(10):
        p0 = _M0 * c0
        p1 = _M1 * c2
        c0 = (p1 >> _32) ^ c1 ^ k0
        c1 = p1 & _LOW
        c2 = (p0 >> _32) ^ c3 ^ k1
        c3 = p0 & _LOW
        k0 = (k0 + _W0) & _LOW
        k1 = (k1 + _W1) & _LOW
    return c0, c1, c2, c3


@jit(inline="always")
def uniform_at(seed, index, stream, patient, replicate):
    """One uniform strictly inside (0, 1): (k + 1/2) 2**-52, exact in double precision for every k."""
    w0, w1, _, _ = philox(
        np.uint64(index),
        np.uint64(stream),
        np.uint64(patient),
        np.uint64(replicate),
        np.uint64(seed) & _LOW,
        np.uint64(seed) >> _32,
    )
    return (np.float64(((w0 << _32) | w1) >> _12) + 0.5) * 2.220446049250313e-16


@jit(inline="always")
def _horner(r, a7, a6, a5, a4, a3, a2, a1, a0):
    return ((((((a7 * r + a6) * r + a5) * r + a4) * r + a3) * r + a2) * r + a1) * r + a0


# fmt: off
@jit(inline="always")
def _central(q):
    """The quantile's central branch, |q| <= 0.425."""
    r = 0.180625 - q * q
    return q * _horner(
        r, 2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
        13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608,
    ) / _horner(
        r, 5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867,
        5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1.0,
    )


@jit(inline="always")
def _tail(r):
    """The quantile's next branch, for r = sqrt(-log(probability outside)) up to 5."""
    r -= 1.6
    return _horner(
        r, 7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177,
        1.27045825245236838258, 3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959,
        1.42343711074968357734,
    ) / _horner(
        r, 1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966,
        0.14810397642748007459, 0.68976733498510000455, 1.6763848301838038494, 2.05319162663775882187, 1.0,
    )


@jit()
def normal_quantile(p):
    """Inverse of the standard normal distribution function, about 1e-15 relative.

    Source: Wichura MJ. Algorithm AS 241: the percentage points of the normal distribution. Appl Stat
    1988;37:477-84. doi:10.2307/2347330 (PPND16).
    """
    q = p - 0.5
    if abs(q) <= 0.425:
        return _central(q)
    r = math.sqrt(-math.log(p if q < 0.0 else 1.0 - p))
    if r <= 5.0:
        z = _tail(r)
    else:
        r -= 5.0
        z = _horner(
            r, 2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386,
            0.026532189526576123093, 0.29656057182850489123, 1.7848265399172913358, 5.4637849111641143699,
            6.6579046435011037772,
        ) / _horner(
            r, 2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5,
            7.868691311456132591e-4, 0.0148753612908506148525, 0.13692988092273580531, 0.59983220655588793769, 1.0,
        )
    return -z if q < 0.0 else z
# fmt: on


@jit(allocates=True)
def fill_uniform(seed, stream, replicate, first, patients, out):
    """Fill ``out[i, j]`` with the uniform of patient ``patients[i]`` and index ``first + j``.

    In blocks, so that the counters vectorise.
    """
    uniform = np.empty(_BLOCK)
    n = out.shape[0]
    for j in range(out.shape[1]):
        for begin in range(0, n, _BLOCK):
            size = min(_BLOCK, n - begin)
            for k in range(size):
                uniform[k] = uniform_at(seed, first + j, stream, patients[begin + k], replicate)
            for k in range(size):
                out[begin + k, j] = uniform[k]


@jit(allocates=True)
def fill_normal(seed, stream, replicate, first, patients, out):
    """Fill ``out[i, j]`` with the standard normal of patient ``patients[i]`` and index ``first + j``.

    In blocks, so that the counters and the central branch of the quantile (85 % of values) vectorise; values in the
    tails are then gathered, so that all but their logarithms vectorises too. Each value has the bits of
    :func:`normal_quantile`.
    """
    uniform, normal, root, outer = np.empty(_BLOCK), np.empty(_BLOCK), np.empty(_BLOCK), np.empty(_BLOCK)
    tail = np.empty(_BLOCK + 1, np.int64)
    n = out.shape[0]
    for j in range(out.shape[1]):
        for begin in range(0, n, _BLOCK):
            size = min(_BLOCK, n - begin)
            for k in range(size):
                uniform[k] = uniform_at(seed, first + j, stream, patients[begin + k], replicate)
            for k in range(size):
                normal[k] = _central(uniform[k] - 0.5)
            tails = 0
            for k in range(size):
                tail[tails] = k
                tails += abs(uniform[k] - 0.5) > 0.425
            for t in range(tails):
                p = uniform[tail[t]]
                root[t] = math.log(min(p, 1.0 - p))
            for t in range(tails):
                root[t] = math.sqrt(-root[t])
            for t in range(tails):
                outer[t] = _tail(root[t])
            for t in range(tails):
                k = tail[t]
                if root[t] > 5.0:
                    normal[k] = normal_quantile(uniform[k])
                else:
                    normal[k] = -outer[t] if uniform[k] < 0.5 else outer[t]
            for k in range(size):
                out[begin + k, j] = normal[k]
