"""What the pages and the app draw of one arm: curves by week, shares by visit, numbers at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scenarios.metrics import METRICS, POSITIVE
from scenarios.readout import readout

if TYPE_CHECKING:
    import xarray as xr

    from pkmodel.windows import TargetWindow
    from scenarios.intervals import FloatArray, Interval

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
Cell = dict[str, Any]


def summary(result: xr.Dataset, arm: str, window: TargetWindow, *, demand: bool) -> Cell:
    """What `drawing.js` draws of an arm: curves by week, and what the tables of a run say.

    Parameters
    ----------
    result
        Dataset of a run that kept trajectories, with decisions at least weekly.
    arm
        Name of the arm.
    window
        Target window.
    demand
        Doses are given on demand: a level at a visit is then no trough.
    """
    one = result.sel(arm=arm)
    read = readout(result, arm, window)
    weekly = np.flatnonzero(result["time"].values % 7.0 == 0.0)
    levels = np.quantile(one["concentration"].values[:, weekly], QUANTILES, axis=0)
    onset = one["onset_time"].values
    formed = [float(np.mean(onset <= day)) * 100.0 for day in result["time"].values[weekly]]
    last = read.visits[-1]

    def by_visit(metric: str) -> list[float]:
        return [0.0, *(_short(r.sample.interval().estimate) for r in METRICS[metric](read) if r.visit)]

    def found(metric: str, visit: str = "") -> Interval:
        (one,) = (r.sample.interval() for r in METRICS[metric](read) if r.visit == visit)
        return one

    def value(metric: str, visit: str = "") -> float:
        return _short(found(metric, visit).estimate)

    return {
        "level": [[_short(float(level)) for level in row] for row in levels],
        "formed": [_short(share) for share in formed],
        "tolerant": by_visit("ada_drug_tolerant"),
        "sensitive": by_visit("ada_drug_sensitive"),
        "seen": _seen(read.ada_drug_sensitive, read.ada_drug_tolerant, onset, float(result.attrs["duration_d"])),
        "median": value("trough_median", last),
        "low": found("trough_median", last).at_limit,
        "window": value("in_window", last),
        "loss": value("loss_of_response"),
        "drug": round(value("drug_per_year")),
        "doses": value("doses_per_year"),
        "inconclusive": value("ada_inconclusive"),
        "response": value("in_response", last) if read.responding is not None else None,
        "demand": demand,
    }


def spread(result: xr.Dataset, arm: str, window: TargetWindow) -> dict[str, list[float]]:
    """Estimate and 95 % Monte-Carlo interval of what strategies are compared by, at the last visit."""
    read = readout(result, arm, window)

    def ends(metric: str) -> list[float]:
        (one,) = (r.sample.interval() for r in METRICS[metric](read) if r.visit == read.visits[-1])
        return [_short(one.estimate), _short(one.low), _short(one.high)]

    names = {"below": "below_window", "window": "in_window", "response": "in_response"}
    return {
        name: ends(metric) for name, metric in names.items() if metric != "in_response" or read.responding is not None
    }


def _seen(sensitive: Any, tolerant: Any, onset: FloatArray, end: float) -> list[int]:
    """Of all patients at the end: ever positive by both assays, by the tolerant one alone, antibody unseen, none.

    Whoever is positive by the sensitive assay alone counts with the first group: some assay of each kind of laboratory
    saw an antibody.
    """
    by_sensitive, by_tolerant = (sensitive == POSITIVE).any(axis=1), (tolerant == POSITIVE).any(axis=1)
    there = onset <= end
    groups = (by_sensitive, ~by_sensitive & by_tolerant, ~by_sensitive & ~by_tolerant & there)
    counts = [int(np.count_nonzero(group)) for group in groups]
    return [*counts, len(onset) - sum(counts)]


def _short(value: float) -> float:
    """Three significant digits: finer than a line is wide."""
    return float(f"{value:.3g}")
