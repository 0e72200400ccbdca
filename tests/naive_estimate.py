"""Twin of record walk and objective: matrix exponentials, SciPy's normal distribution, one value after another."""

from __future__ import annotations

import math

import numpy as np
from naive_linear import linear_profile
from scipy.stats import norm

NAMES = ("CL", "V1", "Q", "V2", "KA", "F", "LAG")


def predictions(case, z):
    """Levels (mg/L) of a case: typical parameters by stretch, doses, occasions, days; see ``test_kernels_estimate``."""
    between = np.linalg.cholesky(case["omega"]) @ z[: len(case["etas"])]
    blocks = z[len(case["etas"]) :].reshape(-1, max(len(case["iov"]), 1))

    def parameters(day):
        """What holds just after ``day``."""
        stretch = max(k for k, begin in enumerate(case["stretches"]) if begin <= day)
        occasion = sum(begin <= day for begin in case["occasions"][1:])
        theta = dict(case["typical"][stretch])
        for name, eta in zip(case["etas"], between, strict=True):
            theta[name] *= math.exp(eta)
        if occasion < len(blocks):
            for k, (name, variance) in enumerate(case["iov"].items()):
                theta[name] *= math.exp(math.sqrt(variance) * blocks[occasion, k])
        return theta

    changes = sorted({*case["stretches"][1:], *case["occasions"][1:]})
    events = [(day, "parameters", parameters(day)) for day in changes]
    for day, mg, duration, route in case["doses"]:
        if route == "sc":
            events.append((day, "depot", mg))
        elif duration == 0.0:
            events.append((day, "bolus", mg))
        else:
            events += [(day, "rate", mg / duration), (day + duration, "rate", -mg / duration)]
    order = {"parameters": 0, "rate": 1, "bolus": 2, "depot": 2}
    events.sort(key=lambda event: (event[0], order[event[1]]))
    return linear_profile(parameters(0.0), events, case["days"])["C"]


def objective(case, z):
    """Minus twice the log posterior, constants as documented in ``pkmodel.estimation.Estimate``."""
    total = float(z @ z)
    p, a, rho = case["residual"]
    for f, y, lloq in zip(predictions(case, z), case["levels"], case["lloqs"], strict=True):
        variance = (p * f) ** 2 + a**2 + 2 * rho * p * a * f
        if math.isnan(y):
            total += -2 * norm.logcdf((lloq - f) / math.sqrt(variance))
        else:
            total += (y - f) ** 2 / variance + math.log(variance)
    return total
