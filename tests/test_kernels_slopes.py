"""Derivatives of predicted levels by the random effects, against differences of the slow twin."""

from __future__ import annotations

import naive_estimate
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from test_kernels_estimate import cases, compiled

from pkmodel.kernels import slopes
from pkmodel.kernels.prediction import walk


def derivatives(b, z):
    n, d = b.level.size, z.size
    f, shifted, eta, theta = np.empty(n), np.empty(n), np.empty(b.eta_columns.size), np.empty(7)
    walk(b, 0, z, f, eta, theta)
    found = np.full((n, d), np.nan)
    slopes.jacobian_of(b, 0, z, f, shifted, found, eta, np.empty((d, 2)), np.empty(slopes.N_WORK), theta)
    return found, f


@settings(max_examples=40)
@given(cases(), st.integers(0, 1000))
def test_slopes_are_those_of_the_twin(case, seed):
    """Central differences over 1e-4 of a twin good to 1e-12 of the largest amount: 1e-8 each way."""
    _, b = compiled(case)
    z = np.random.default_rng(seed).standard_normal(int(b.z_offsets[-1]))
    found, f = derivatives(b, z)
    h = 1e-4
    for a in range(z.size):
        up, down = z.copy(), z.copy()
        up[a] += h
        down[a] -= h
        twin = (np.array(naive_estimate.predictions(case, up)) - naive_estimate.predictions(case, down)) / (2 * h)
        np.testing.assert_allclose(found[:, a], twin, rtol=1e-5, atol=1e-6 * max(1.0, f.max()))
