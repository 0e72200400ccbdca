"""What is asked of an arm: each metric is one function from an arm's read-outs to samples of patients.

A metric of your own is such a function; hand it to `scenarios.scoring.score` or `scenarios.comparing.compare`:

    def deep_trough(arm):
        for column, visit in enumerate(arm.visits):
            yield Reading("deep_trough", visit, "percent", Share(event=arm.blq[:, column]))

    score(result, metrics={**METRICS, "deep_trough": deep_trough})

Everything here is read from what was measured, never from the truth beside it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pkmodel.errors import InputError, PkWarning, unknown_name
from scenarios.intervals import BoolArray, FloatArray, Mean, Median, Share

if TYPE_CHECKING:
    import xarray as xr

    from pkmodel.windows import TargetWindow

MAINTENANCE_WEEK = 14.0
"""From this week on a visit counts for `time_in_window`: induction is over for every regimen."""

DAYS_PER_YEAR = 365.25
POSITIVE, INCONCLUSIVE = 1, 2

REQUIRED = (
    "trough_measured", "trough_blq", "ada_drug_sensitive", "ada_drug_tolerant",
    "dose_total", "doses", "responder", "loss_time",
)  # fmt: skip


class Reading(NamedTuple):
    """One number to be estimated: a metric at a visit (weeks as text; empty for the whole period)."""

    metric: str
    visit: str
    unit: str
    sample: Share | Mean | Median


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArmReadout:
    """What the patients of one arm showed at the visits after week 0.

    Attributes
    ----------
    name
        The arm.
    weeks, visits
        (visit,) weeks after the start, as numbers and as text.
    trough, blq
        (patient, visit) measured free drug before any dose, ug/mL, and whether it was below the limit of
        quantification (then the level is NaN).
    lloq
        That limit, ug/mL.
    zone
        (patient, visit) -1 below the window, 0 in it, 1 above it; below the limit is below the window.
    ada_drug_sensitive, ada_drug_tolerant
        (patient, visit) 0 negative, 1 positive, 2 inconclusive.
    drug, doses
        (patient,) mg given and number of doses.
    responder, loss_time
        (patient,) primary response; day of losing it, NaN if it was kept.
    years
        Follow-up.
    responding, switched
        (patient, visit) response now, and on another drug than the scenario's; None in scenarios in which response
        cannot come back, and in which nobody can switch.
    """

    name: str
    weeks: tuple[float, ...]
    visits: tuple[str, ...]
    trough: FloatArray
    blq: BoolArray
    lloq: float
    zone: NDArray[np.int8]
    ada_drug_sensitive: NDArray[np.int8]
    ada_drug_tolerant: NDArray[np.int8]
    drug: FloatArray
    doses: FloatArray
    responder: BoolArray
    loss_time: FloatArray
    years: float
    responding: BoolArray | None = None
    switched: BoolArray | None = None


Metric = Callable[[ArmReadout], Iterator[Reading]]


def arm_names(result: xr.Dataset) -> tuple[str, ...]:
    """Arms of a result, in its order."""
    return tuple(str(name) for name in np.atleast_1d(result["arm"].values))


def choose_window(result: xr.Dataset, window: str | TargetWindow | None = None) -> TargetWindow:
    """Return the window to score against: the given one, or the scenario's own.

    Raises
    ------
    InputError
        If the name is unknown, the window belongs to another drug, or neither names one.
    """
    from pkmodel import windows

    named = window if window is not None else str(result.attrs.get("window", ""))
    if named == "":
        raise InputError.one("the result names no target window", "pass window=, e.g. window='taxit'")
    drug = str(result.attrs["drug"])
    chosen = windows.load(named, drug=drug) if isinstance(named, str) else named
    if chosen.drug != drug:
        raise InputError.one(
            f"window '{chosen.name}' is for {chosen.drug}, the result is about {drug}",
            f"use a window for {drug}",
        )
    lloq = float(result.attrs["drug_lloq"])
    if lloq > chosen.low:
        warnings.warn(
            f"window {chosen} begins below the drug assay's limit of quantification ({lloq:g} ug/mL): levels "
            "below that limit are counted as below the window although some may lie in it",
            PkWarning,
            stacklevel=3,
        )
    return chosen


def week_text(week: float) -> str:
    """Weeks as the `visit` column writes them: "14"."""
    return f"{week:g}"


def readout(result: xr.Dataset, arm: str, window: TargetWindow) -> ArmReadout:
    """Read one arm of a result; only this arm is brought into memory.

    Parameters
    ----------
    result
        As `scenarios.run` returns it, or read back from its file.
    arm
        Name of the arm.
    window
        Target window the troughs are classified against.

    Raises
    ------
    InputError
        If a variable is missing, or a level is missing without being below the limit of quantification.
    """
    missing = [name for name in REQUIRED if name not in result]
    if missing:
        raise InputError.one(f"the result lacks {', '.join(missing)}", "score a dataset made by scenarios.run")
    names = arm_names(result)
    if arm not in names:
        raise unknown_name("arm", arm, names)
    one = result.isel(arm=names.index(arm)) if "arm" in result.dims else result
    after_start = np.flatnonzero(one["visit"].values > 0)
    first = int(after_start[0]) if after_start.size else one["visit"].size

    def per_visit(name: str) -> NDArray[np.generic]:
        values: NDArray[np.generic] = one[name].transpose("patient", "visit").values[:, first:]
        return values

    trough = per_visit("trough_measured").astype(np.float64, copy=False)
    blq = per_visit("trough_blq").astype(np.bool_)
    _refuse_gaps(trough, blq, arm)
    after_loss = "responding" in one
    weeks = tuple(float(week) for week in one["visit"].values[first:])
    return ArmReadout(
        name=arm,
        weeks=weeks,
        visits=tuple(week_text(week) for week in weeks),
        trough=trough,
        blq=blq,
        lloq=float(result.attrs["drug_lloq"]),
        zone=_classify(window, trough, blq),
        ada_drug_sensitive=per_visit("ada_drug_sensitive").astype(np.int8, copy=False),
        ada_drug_tolerant=per_visit("ada_drug_tolerant").astype(np.int8, copy=False),
        drug=one["dose_total"].values.astype(np.float64, copy=False),
        doses=one["doses"].values.astype(np.float64),
        responder=one["responder"].values.astype(np.bool_),
        loss_time=one["loss_time"].values.astype(np.float64, copy=False),
        years=float(result.attrs["duration_d"]) / DAYS_PER_YEAR,
        responding=per_visit("responding").astype(np.bool_) if after_loss else None,
        switched=per_visit("drug_number") != 0 if "drug_number" in one else None,
    )


def _refuse_gaps(trough: FloatArray, blq: BoolArray, arm: str) -> None:
    gaps = sum(int(np.count_nonzero(np.isnan(trough[:, k]) & ~blq[:, k])) for k in range(trough.shape[1]))
    if gaps:
        raise InputError.one(
            f"arm '{arm}': {gaps} measured troughs are missing but not below the limit of quantification",
            "a level below it is NaN with trough_blq = 1; no other level may be missing",
            key="trough_measured",
        )


def _classify(window: TargetWindow, trough: FloatArray, blq: BoolArray) -> NDArray[np.int8]:
    """Classify visit by visit: with a million patients the temporaries of all visits at once would count."""
    zone = np.empty(trough.shape, dtype=np.int8)
    for column in range(trough.shape[1]):
        zone[:, column] = window.classify(trough[:, column], blq[:, column])
    return zone


def time_in_window(arm: ArmReadout) -> Iterator[Reading]:
    """Share of visits from week 14 on whose trough is in the window, mean over patients (percent)."""
    counted = np.array(arm.weeks) >= MAINTENANCE_WEEK
    if not counted.any():
        share = np.empty(0)  # no such visit: the row says n = 0 instead of vanishing
    else:
        share = np.count_nonzero(arm.zone[:, counted] == 0, axis=1) * 100.0 / int(counted.sum())
    yield Reading("time_in_window", "", "percent", Mean(values=share, within=(0.0, 100.0)))


def _zone_share(metric: str, zone: int) -> Metric:
    def share(arm: ArmReadout) -> Iterator[Reading]:
        for column, visit in enumerate(arm.visits):
            yield Reading(metric, visit, "percent", Share(event=arm.zone[:, column] == zone))

    share.__doc__ = f"Share of patients whose trough is {metric.replace('_', ' the ')} (percent)."
    return share


def trough_median(arm: ArmReadout) -> Iterator[Reading]:
    """Median measured trough (ug/mL); a level below the limit of quantification ranks below every other."""
    for column, visit in enumerate(arm.visits):
        sample = Median(values=arm.trough[:, column], below=arm.blq[:, column], limit=arm.lloq)
        yield Reading("trough_median", visit, "ug/mL", sample)


def _ever_positive(metric: str, codes: Callable[[ArmReadout], NDArray[np.int8]]) -> Metric:
    def share(arm: ArmReadout) -> Iterator[Reading]:
        positive = np.zeros(arm.drug.size, dtype=np.bool_)
        for column, visit in enumerate(arm.visits):
            positive = positive | (codes(arm)[:, column] == POSITIVE)
            yield Reading(metric, visit, "percent", Share(event=positive))
        yield Reading(metric, "", "percent", Share(event=positive))

    share.__doc__ = "Share of patients positive at or before a visit; inconclusive is not positive (percent)."
    return share


def ada_inconclusive(arm: ArmReadout) -> Iterator[Reading]:
    """Share of drug-sensitive samples that are inconclusive: per visit, and the mean over patients."""
    for column, visit in enumerate(arm.visits):
        event = arm.ada_drug_sensitive[:, column] == INCONCLUSIVE
        yield Reading("ada_inconclusive", visit, "percent", Share(event=event))
    samples = max(len(arm.visits), 1)
    share = np.count_nonzero(arm.ada_drug_sensitive == INCONCLUSIVE, axis=1) * 100.0 / samples
    yield Reading("ada_inconclusive", "", "percent", Mean(values=share, within=(0.0, 100.0)))


def loss_of_response(arm: ArmReadout) -> Iterator[Reading]:
    """Share of primary responders who lose response within follow-up (percent)."""
    lost = Share(event=np.isfinite(arm.loss_time), among=arm.responder)
    yield Reading("loss_of_response", "", "percent", lost)


def in_response(arm: ArmReadout) -> Iterator[Reading]:
    """Share of patients with response at a visit, to whatever drug and at whatever attempt (percent)."""
    if arm.responding is not None:
        for column, visit in enumerate(arm.visits):
            yield Reading("in_response", visit, "percent", Share(event=arm.responding[:, column]))


def switched(arm: ArmReadout) -> Iterator[Reading]:
    """Share of patients who are on another drug than the scenario's at a visit (percent)."""
    if arm.switched is not None:
        for column, visit in enumerate(arm.visits):
            yield Reading("switched", visit, "percent", Share(event=arm.switched[:, column]))


def drug_per_year(arm: ArmReadout) -> Iterator[Reading]:
    """Drug given, mg per patient-year of follow-up."""
    rate = Mean(values=arm.drug / arm.years, within=(0.0, math.inf))
    yield Reading("drug_per_year", "", "mg/patient-year", rate)


def doses_per_year(arm: ArmReadout) -> Iterator[Reading]:
    """Doses given per patient-year of follow-up."""
    rate = Mean(values=arm.doses / arm.years, within=(0.0, math.inf))
    yield Reading("doses_per_year", "", "doses/patient-year", rate)


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "time_in_window": time_in_window,
        "in_window": _zone_share("in_window", 0),
        "below_window": _zone_share("below_window", -1),
        "above_window": _zone_share("above_window", 1),
        "trough_median": trough_median,
        "ada_drug_sensitive": _ever_positive("ada_drug_sensitive", lambda arm: arm.ada_drug_sensitive),
        "ada_drug_tolerant": _ever_positive("ada_drug_tolerant", lambda arm: arm.ada_drug_tolerant),
        "ada_inconclusive": ada_inconclusive,
        "loss_of_response": loss_of_response,
        "in_response": in_response,
        "switched": switched,
        "drug_per_year": drug_per_year,
        "doses_per_year": doses_per_year,
    }
)
"""The metrics of every score, in the order of its table."""


def choose_metrics(metric: str | None, metrics: Mapping[str, Metric]) -> Mapping[str, Metric]:
    """Return all metrics, or the one asked for.

    Raises
    ------
    UnknownNameError
        If there is no such metric; the error names the nearest.
    """
    if metric is None:
        return metrics
    if metric not in metrics:
        raise unknown_name("metric", metric, metrics)
    return {metric: metrics[metric]}
