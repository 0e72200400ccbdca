"""Philox against Random123's vectors and the naive twin; addressing; distribution."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtri

from pkmodel.draws import Draws, Stream
from pkmodel.errors import InputError
from pkmodel.kernels.philox import normal_quantile, philox

# Random123 1.14, kat_vectors, philox4x32 10
VECTORS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "expected"), VECTORS)
def test_known_answers(counter, key, expected):
    words = philox(*(np.uint64(word) for word in (*counter, *key)))
    assert tuple(int(word) for word in words) == expected


def test_uniforms_and_normals_equal_the_twin():
    draws = Draws(seed=2**63 + 12345, replicate=7)
    ids = np.array([0, 5, 2**31 + 3])
    uniform = draws.uniform(Stream.LOSS, ids, 4, first=3)
    normal = draws.normal(Stream.ETA, ids, 4, first=3)
    for i, patient in enumerate(ids):
        for j in range(4):
            index = 3 + j
            assert uniform[i, j] == naive.uniform(draws.seed, Stream.LOSS, int(patient), index, 7)
            # the quantile functions differ by rounding: 1e-14 is 50 units in the last place
            assert normal[i, j] == pytest.approx(
                naive.normal(draws.seed, Stream.ETA, int(patient), index, 7), rel=1e-14, abs=1e-15
            )


def test_quantile_over_the_whole_range():
    p = np.concatenate(
        [10.0 ** -np.arange(1.0, 300.0, 7.0), np.linspace(0.001, 0.999, 999), 1 - 10.0 ** -np.arange(3.0, 15)]
    )
    ours = np.array([normal_quantile(x) for x in p])
    np.testing.assert_allclose(ours, ndtri(p), rtol=3e-14, atol=1e-15)


def test_any_split_gives_the_same_numbers():
    draws = Draws(seed=1)
    ids = np.arange(100)
    whole = draws.normal(Stream.ETA, ids, 6)
    parts = np.vstack([draws.normal(Stream.ETA, ids[:37], 6), draws.normal(Stream.ETA, ids[37:], 6)])
    columns = np.hstack([draws.normal(Stream.ETA, ids, 2), draws.normal(Stream.ETA, ids, 4, first=2)])
    assert np.array_equal(whole, parts)
    assert np.array_equal(whole, columns)


def test_streams_seeds_and_neighbours_are_independent():
    n = 20_000
    ids = np.arange(n)
    columns = {
        "eta": Draws(1).uniform(Stream.ETA, ids)[:, 0],
        "occasion": Draws(1).uniform(Stream.OCCASION, ids)[:, 0],
        "next seed": Draws(2).uniform(Stream.ETA, ids)[:, 0],
        "next patient": Draws(1).uniform(Stream.ETA, ids + 1)[:, 0],
        "replicate": Draws(1, replicate=1).uniform(Stream.ETA, ids)[:, 0],
    }
    first = columns["eta"]
    assert stats.kstest(first, "uniform").pvalue > 1e-4
    for name, column in columns.items():
        if name != "eta":
            # |r| of independent columns stays below 4 standard errors in all but 6e-5 of seeds; this seed is fixed
            assert abs(np.corrcoef(first, column)[0, 1]) < 4.0 / np.sqrt(n), name


def test_exponentials_have_their_mean():
    e = Draws(3).exponential(Stream.LOSS, np.arange(50_000))[:, 0]
    assert e.min() > 0.0
    assert abs(e.mean() - 1.0) < 4.0 / np.sqrt(e.size)


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, True])
def test_bad_seed(seed):
    with pytest.raises(InputError, match="seed"):
        Draws(seed)
