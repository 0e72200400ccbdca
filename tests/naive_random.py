"""Twin of the addressed random numbers: Philox4x32-10 in plain integers, one uniform per variate.

Salmon et al. 2011, doi:10.1145/2063384.2063405. Counter (index, stream, patient, replicate); key the seed,
low word first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy.special import ndtri

WORD = 2**32


def philox4x32(counter: Sequence[int], key: Sequence[int], rounds: int = 10) -> tuple[int, int, int, int]:
    """Four 32-bit words from a counter of four words and a key of two, in plain integers."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(rounds):
        high0, low0 = divmod(0xD2511F53 * c0, WORD)
        high1, low1 = divmod(0xCD9E8D57 * c2, WORD)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B9) % WORD, (k1 + 0xBB67AE85) % WORD
    return c0, c1, c2, c3


def uniform(seed: int, stream: int, patient: int, index: int, replicate: int = 0) -> float:
    """The uniform at one address: (k + 1/2) 2**-52 with k the upper 52 bits of the first two words."""
    w0, w1, _, _ = philox4x32((index, stream, patient, replicate), (seed % WORD, seed // WORD))
    k = (w0 * WORD + w1) >> 12
    return (k + 0.5) * 2.0**-52


def normal(seed: int, stream: int, patient: int, index: int, replicate: int = 0) -> float:
    """Standard normal by the inverse distribution function."""
    return float(ndtri(uniform(seed, stream, patient, index, replicate)))


def exponential(seed: int, stream: int, patient: int, index: int, replicate: int = 0) -> float:
    """Unit exponential: minus the logarithm of the uniform."""
    return -math.log(uniform(seed, stream, patient, index, replicate))
