"""The whole posterior of one patient, in ArviZ's layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pkmodel.draws import Draws, Stream
from pkmodel.drug import PopulationModel
from pkmodel.errors import InputError
from pkmodel.estimation.beliefs import metropolis
from pkmodel.estimation.design import Plan, compile_plans
from pkmodel.estimation.estimate import Estimate
from pkmodel.estimation.mapfit import fit, predicted
from pkmodel.record import PatientRecord
from pkmodel.structure import COLUMN, UNITS

if TYPE_CHECKING:
    import xarray as xr

Floats = NDArray[np.float64]

LEAST_ESS = 400.0
MOST_RHAT = 1.01
"""Limits below and above which the draws are not to be trusted (Vehtari A et al. Bayesian Anal 2021;16:667-718)."""


def sample(
    model: PopulationModel,
    record: PatientRecord,
    *,
    chains: int = 4,
    warmup: int = 2000,
    draws: int = 10_000,
    seed: int = 1,
) -> xr.DataTree:
    """Draws from the posterior of one patient by adaptive Metropolis.

    Parameters
    ----------
    model, record
        As in :func:`pkmodel.estimation.fit`, which is run first.
    chains, warmup, draws
        Chains, steps of each that are thrown away while the proposal adapts, and steps that are kept.
    seed
        Of all random numbers.

    Returns
    -------
    xarray.DataTree
        ``posterior``: ``z`` and ``eta`` (chain, draw, ...), and each parameter with variability by name at the
        record's last entry (chain, draw); ``posterior_predictive``: replicated ``level``; ``observed_data``: ``level``
        (NaN below the limit) and ``lloq``; ``sample_stats``: ``lp`` (log posterior up to a constant) and
        ``accepted`` (chain, step: share of accepted random-walk and independent proposals). Root attributes:
        ``ess_bulk_min``, ``ess_tail_min``, ``rhat_max`` (rank-normalised, over all of z, by arviz-stats) and
        ``warning``, empty if they are good.

    Raises
    ------
    InputError
        As :func:`fit`; if arviz-stats is not installed.
    """
    import xarray as xr

    if chains < 2 or warmup < 100 or draws < 100:
        problem = f"{chains} chains of {warmup} + {draws} steps"
        raise InputError.one(problem, "give at least 2 chains of 100 + 100", key="draws")
    estimate = fit(model, record)
    b = compile_plans(model, [Plan.of(record)])
    z, objectives, accepted = metropolis(b, estimate, chains=chains, warmup=warmup, draws=draws, seed=seed)
    levels = predicted(b, z.reshape(-1, z.shape[2])).reshape(chains, draws, -1)
    attrs = {"model": model.name, "patient": record.id, "seed": seed, **diagnose(z)}
    observed = {"day": [level.day for level in record.levels]}
    two = ("chain", "draw")
    tree = {
        "/": xr.Dataset(attrs=attrs),
        "posterior": _posterior(estimate, z, b.chol),
        "posterior_predictive": xr.Dataset(
            {"level": ((*two, "day"), levels + _noise(model, levels, seed), {"units": "ug/mL"})}, coords=observed
        ),
        "observed_data": xr.Dataset(
            {
                "level": ("day", [np.nan if o.value is None else o.value for o in record.levels], {"units": "ug/mL"}),
                "lloq": ("day", [np.nan if o.lloq is None else o.lloq for o in record.levels], {"units": "ug/mL"}),
            },
            coords=observed,
        ),
        "sample_stats": xr.Dataset(
            {"lp": (two, -0.5 * objectives), "accepted": (("chain", "step"), accepted)},
            coords={"step": ["random walk", "independent"]},
        ),
    }
    return xr.DataTree.from_dict(tree)


def diagnose(z: Floats) -> dict[str, Any]:
    """ESS and R-hat of (chain, draw, z), the worst coordinate of each, and a word where they are not good."""
    try:
        from arviz_stats.base import array_stats
    except ImportError:
        remedy = "pip install 'pkmodel[estimate]'"
        raise InputError.one("sampling needs arviz-stats for its diagnostics", remedy, key="arviz-stats") from None
    axes = {"chain_axis": 0, "draw_axis": 1}
    bulk = float(np.min(array_stats.ess(z, method="bulk", **axes)))
    tail = float(np.min(array_stats.ess(z, method="tail", prob=(0.05, 0.95), **axes)))
    rhat = float(np.max(array_stats.rhat(z, **axes)))
    good = min(bulk, tail) >= LEAST_ESS and rhat <= MOST_RHAT
    said = f"do not trust these draws: ESS {min(bulk, tail):.0f}, R-hat {rhat:.3f}; draw more"
    return {"ess_bulk_min": bulk, "ess_tail_min": tail, "rhat_max": rhat, "warning": "" if good else said}


def _posterior(estimate: Estimate, z: Floats, chol: Floats) -> xr.Dataset:
    import xarray as xr

    model = estimate.model
    d = chol.shape[0]
    eta = z[:, :, :d] @ chol.T
    names = list(model.eta_parameters)
    effects = {name: eta[:, :, i] - estimate.eta[i] for i, name in enumerate(names)}
    iov = [name for name in COLUMN if model.iov.get(name, 0.0) > 0.0]
    if estimate.occasion_days:
        # the last occasion that the levels inform is the one in force at the record's end
        last = z.shape[2] - len(iov)
        for i, name in enumerate(iov):
            kappa = np.sqrt(model.iov[name]) * z[:, :, last + i]
            effects[name] = effects.get(name, 0.0) + kappa - estimate.kappa[-1, i]
    variables: dict[str, Any] = {
        "z": (("chain", "draw", "effect"), z),
        "eta": (("chain", "draw", "parameter"), eta),
    }
    for name, effect in effects.items():
        variables[name] = (("chain", "draw"), estimate.parameters[name] * np.exp(effect), {"units": UNITS[name]})
    return xr.Dataset(variables, coords={"parameter": names})


def _noise(model: PopulationModel, levels: Floats, seed: int) -> Floats:
    """Residual error of replicated levels (chain, draw, level)."""
    chains, draws, n = levels.shape
    normal = Draws(seed, replicate=2).normal(Stream.FORECAST, np.arange(chains * draws), n)
    return model.residual.sd(levels) * normal.reshape(levels.shape)
