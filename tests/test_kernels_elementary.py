"""exp and log against NumPy's (itself good to about one unit in the last place)."""

from __future__ import annotations

import numpy as np

from pkmodel.kernels._jit import jit
from pkmodel.kernels.elementary import exp, log

UNIT = 2.0**-52


@jit()
def all_exp(x, out):
    for i in range(x.size):
        out[i] = exp(x[i])


@jit()
def all_log(x, out):
    for i in range(x.size):
        out[i] = log(x[i])


def run(kernel, x):
    out = np.empty_like(x)
    kernel(x, out)
    return out


def test_exp():
    x = np.concatenate(
        [np.linspace(-690.0, 690.0, 20_011), np.linspace(-1.0, 1.0, 20_001), -(10.0 ** -np.arange(1.0, 20))]
    )
    np.testing.assert_allclose(run(all_exp, x), np.exp(x), rtol=3 * UNIT)
    assert run(all_exp, np.array([0.0]))[0] == 1.0
    assert run(all_exp, np.array([-1e4]))[0] < 1e-300


def test_log():
    x = np.concatenate([np.logspace(-290, 290, 20_011), np.linspace(0.5, 2.0, 20_001)])
    np.testing.assert_allclose(run(all_log, x), np.log(x), rtol=4 * UNIT, atol=UNIT / 4)
    assert run(all_log, np.array([1.0]))[0] == 0.0


def test_a_value_does_not_depend_on_its_place_in_the_array():
    """Vectorised body and remainder loop give the same bits."""
    x = np.random.default_rng(0).uniform(-30.0, 5.0, 67)
    whole = run(all_exp, x)
    assert np.array_equal(whole, [run(all_exp, x[i : i + 1].copy())[0] for i in range(x.size)])
    positive = np.exp(x)
    whole = run(all_log, positive)
    assert np.array_equal(whole, [run(all_log, positive[i : i + 1].copy())[0] for i in range(x.size)])
