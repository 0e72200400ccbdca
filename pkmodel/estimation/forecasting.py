"""What follows from an estimate: levels to come, with their uncertainty."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pkmodel.draws import Draws, Stream, moment
from pkmodel.errors import InputError
from pkmodel.estimation.averaging import Average
from pkmodel.estimation.beliefs import Beliefs, believe
from pkmodel.estimation.design import Plan, compile_plans
from pkmodel.estimation.estimate import Estimate
from pkmodel.estimation.mapfit import predicted
from pkmodel.record import DoseRecord
from pkmodel.windows import TargetWindow

if TYPE_CHECKING:
    import xarray as xr

Floats = NDArray[np.float64]

_OCCASIONS, _RESIDUALS = 0, 1  # replicates of Stream.FORECAST
_GRID = 400  # points on which a crossing is sought
_PANELS = np.array([0.0, 1 / 64, 1 / 16, 1 / 4])  # begins of panels between two changes of the input


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forecast:
    """Possible futures of one patient.

    Attributes
    ----------
    days
        (time,) of the forecast. A value at the moment of a dose is the level just before it, the trough.
    true
        (draw, time) free drug, mg/L: uncertainty of the parameters, and of occasions to come.
    measured
        (draw, time) what would be reported: ``true`` with the model's residual error. It can be negative where
        that error has an additive part, as the model says.
    doses
        Future doses it holds for.
    beliefs
        What it was made from.
    """

    days: Floats
    true: Floats
    measured: Floats
    doses: tuple[DoseRecord, ...]
    beliefs: Beliefs

    def true_band(self, level: float = 0.9) -> Floats:
        """(2, time) central credible interval of the true level."""
        return _band(self.true, level)

    def measured_band(self, level: float = 0.9) -> Floats:
        """(2, time) central prediction interval of a measured level: compare levels to come with this one."""
        return _band(self.measured, level)

    def in_window(self, window: TargetWindow) -> Floats:
        """(time,) probability that the true level is inside the window."""
        return np.asarray((window.classify(self.true) == 0).mean(axis=0))

    def to_dataset(self) -> xr.Dataset:
        """The draws as an ``xarray.Dataset`` with dimensions draw and time."""
        import xarray as xr

        unit = {"units": "ug/mL"}
        return xr.Dataset(
            {
                "concentration": (("draw", "time"), self.true, {**unit, "long_name": "free drug"}),
                "measured": (("draw", "time"), self.measured, {**unit, "long_name": "with residual error"}),
            },
            coords={"time": ("time", self.days, {"units": "day"})},
            attrs={
                "models": ", ".join(estimate.model.name for estimate, _ in self.beliefs.parts),
                "drawn_by": ", ".join(self.beliefs.methods),
                "effective_share": ", ".join(f"{share:.2f}" for share in self.beliefs.effective),
                "pareto_k": ", ".join(f"{shape:.2f}" for shape in self.beliefs.shapes),
            },
        )


def forecast(
    known: Estimate | Average | Beliefs,
    doses: Sequence[DoseRecord],
    days: ArrayLike,
    *,
    draws: int = 1000,
    seed: int = 1,
) -> Forecast:
    """Levels on ``days`` if ``doses`` are given after those of the record.

    Parameters
    ----------
    known
        An estimate or an average; or :func:`believe` of one of them, to draw only once for many regimens. Draws of
        the parameters, of occasions to come and of residual errors are the same for every regimen (a day's numbers
        belong to the day), so that forecasts of two regimens differ by the regimens alone.
    doses
        Later than all doses of the record; may be empty.
    days
        Increasing, from the first dose on; past days give the reconstructed past.
    draws, seed
        Number of draws (ignored for ``Beliefs``) and seed.

    Raises
    ------
    InputError
        For days or doses out of order.
    """
    beliefs = known if isinstance(known, Beliefs) else believe(known, draws=draws, seed=seed)
    moments = np.atleast_1d(np.asarray(days, dtype=np.float64))
    _refuse(beliefs, doses, moments)
    true, measured = [], []
    row = 0
    for estimate, z in beliefs.parts:
        rows = np.arange(row, row + z.shape[0])
        row += z.shape[0]
        plan = Plan.of(estimate.record).with_future(doses, moments.tolist())
        occasions = len(plan.occasions)
        b = compile_plans(estimate.model, [plan], occasions=occasions)
        levels = predicted(b, with_future_occasions(estimate, plan, z, rows, seed))
        true.append(levels)
        measured.append(levels + estimate.model.residual.sd(levels) * _errors(plan, moments, rows, seed))
    return Forecast(
        days=moments, true=np.concatenate(true), measured=np.concatenate(measured), doses=tuple(doses), beliefs=beliefs
    )  # fmt: skip


def troughs(doses: Sequence[DoseRecord], *, after: float = -np.inf) -> Floats:
    """Days of the doses after day ``after``: a forecast on them gives the troughs."""
    return np.array(sorted({dose.day for dose in doses if dose.day > after}))


def delayed(doses: Sequence[DoseRecord], by: float) -> tuple[DoseRecord, ...]:
    """The same doses ``by`` days later (the next one late, and the others at their intervals after it)."""
    return tuple(replace(dose, day=dose.day + by) for dose in doses)


def days_until_below(
    known: Estimate | Average | Beliefs,
    threshold: float,
    *,
    doses: Sequence[DoseRecord] = (),
    horizon: float = 365.0,
    draws: int = 1000,
    seed: int = 1,
) -> Floats:
    """Days from the last dose (of the record, or of ``doses``) until the true level is below ``threshold`` for good.

    Returns
    -------
    (draw,) days; 0 where it is never above after that dose, infinite where it still is after ``horizon`` days.

    Raises
    ------
    InputError
        If the threshold is not positive, and as :func:`forecast`.
    """
    if not 0.0 < threshold < np.inf or not 0.0 < horizon < np.inf:
        problem = f"a threshold of {threshold:g} mg/L within {horizon:g} days"
        raise InputError.one(problem, "give positive numbers", key="threshold")
    beliefs = known if isinstance(known, Beliefs) else believe(known, draws=draws, seed=seed)
    record = beliefs.parts[0][0].record
    last = doses[-1].day if doses else record.doses[-1].day
    # dense at first: an infusion takes hours
    grid = horizon * np.linspace(0.0, 1.0, _GRID)[1:] ** 2
    level = forecast(beliefs, doses, last + grid, seed=seed).true
    above = level >= threshold
    final = above.shape[1] - 1 - np.argmax(above[:, ::-1], axis=1)  # last point above
    out = np.full(level.shape[0], np.inf)
    never = ~above.any(axis=1)
    out[never] = 0.0
    rows = np.flatnonzero(~never & (final < grid.size - 1))
    k = final[rows]
    # log-linear between two points: exact for a mono-exponential fall
    high, low = np.log(level[rows, k]), np.log(np.maximum(level[rows, k + 1], 1e-300))
    out[rows] = grid[k] + (grid[k + 1] - grid[k]) * (high - np.log(threshold)) / (high - low)
    return out


def auc(
    known: Estimate | Average | Beliefs,
    start: float,
    end: float,
    *,
    doses: Sequence[DoseRecord] = (),
    draws: int = 1000,
    seed: int = 1,
) -> Floats:
    """Area under the true level between two days, mg/L x day, shape (draw,).

    Gauss-Legendre rules of twelve points between changes of the input, on panels that grow away from each change.

    Raises
    ------
    InputError
        If the days are out of order, and as :func:`forecast`.
    """
    if not -np.inf < start < end < np.inf:
        raise InputError.one(f"an area from day {start:g} to day {end:g}", "give two days in order", key="auc")
    beliefs = known if isinstance(known, Beliefs) else believe(known, draws=draws, seed=seed)
    given = (*beliefs.parts[0][0].record.doses, *doses)
    changes = {moment for dose in given for moment in (dose.day, dose.day + dose.duration)}
    edges = np.array([start, *sorted(day for day in changes if start < day < end), end])
    panels = np.unique((edges[:-1, None] + np.diff(edges)[:, None] * _PANELS).ravel())
    panels = np.append(panels, end)
    x, w = np.polynomial.legendre.leggauss(12)
    width = np.diff(panels)
    days = (panels[:-1, None] + 0.5 * width[:, None] * (x + 1.0)).ravel()
    weights = (0.5 * width[:, None] * w).ravel()
    return np.asarray((forecast(beliefs, doses, days, seed=seed).true * weights).sum(axis=1))


def _band(draws: Floats, level: float) -> Floats:
    if not 0.0 < level < 1.0:
        raise InputError.one(f"a band of {level:g}", "give a share between 0 and 1, e.g. 0.9", key="level")
    return np.asarray(np.quantile(draws, [0.5 - 0.5 * level, 0.5 + 0.5 * level], axis=0))


def _refuse(beliefs: Beliefs, doses: Sequence[DoseRecord], days: Floats) -> None:
    record = beliefs.parts[0][0].record
    if not days.size or not np.isfinite(days).all() or (np.diff(days) <= 0.0).any():
        raise InputError.one("forecast days must be finite and increasing", "sort them", key="days")
    if days[0] < record.doses[0].day:
        problem = f"a forecast for day {days[0]:g}, before the first dose (day {record.doses[0].day:g})"
        raise InputError.one(problem, "forecast from the first dose on", key="days")
    given = [record.doses[-1].day, *(dose.day for dose in doses)]
    if any(later <= earlier for earlier, later in itertools.pairwise(given)):
        remedy = f"future doses come in order, after the record's last dose on day {given[0]:g}"
        raise InputError.one("a future dose is not after the one before", remedy, key="doses")
    if any(not 0.0 <= dose.milligrams < np.inf for dose in doses):
        raise InputError.one("a future dose is negative or not a number", "give mg", key="doses")


def with_future_occasions(estimate: Estimate, plan: Plan, z: Floats, rows: NDArray[np.int64], seed: int) -> Floats:
    """Random effects (draw, z) with those of occasions that no level informs, addressed by the occasion's day."""
    iov = sum(variance > 0.0 for variance in estimate.model.iov.values())
    if not iov:
        return z
    first = plan.doses[0].day
    informed = len(Plan.of(estimate.record).informed_occasions)
    source = Draws(seed, replicate=_OCCASIONS)
    coming = [
        source.normal(Stream.FORECAST, rows, iov, first=iov * moment(day - first)) for day in plan.occasions[informed:]
    ]
    return np.concatenate([z, *coming], axis=1)


def _errors(plan: Plan, days: Floats, rows: NDArray[np.int64], seed: int) -> Floats:
    """Standard normal residual errors (draw, time), addressed by day."""
    source = Draws(seed, replicate=_RESIDUALS)
    first = plan.doses[0].day
    columns = [source.normal(Stream.FORECAST, rows, 1, first=moment(day - first)) for day in days]
    return np.concatenate(columns, axis=1)
