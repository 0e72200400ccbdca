"""What is asked of an arm: each metric is one function from an arm's read-outs to samples of patients.

A metric of your own is such a function; hand it to `scenarios.scoring.score` or `scenarios.comparing.compare`:

    def deep_trough(arm):
        for column, visit in enumerate(arm.visits):
            yield Reading("deep_trough", visit, "percent", Share(event=arm.blq[:, column], among=arm.seen_at(column)))

    score(result, metrics={**METRICS, "deep_trough": deep_trough})

Everything here is read from what was measured, never from the truth beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pkmodel.errors import unknown_name
from scenarios.intervals import BoolArray, FloatArray, Mean, Median, Share
from scenarios.ratios import Ratio
from scenarios.readout import ArmReadout
from scenarios.some_medians import MedianAmong

MAINTENANCE_WEEK = 14.0
"""From this week on a visit counts for `time_in_window`: induction is over for every regimen."""

POSITIVE, INCONCLUSIVE = 1, 2


class Reading(NamedTuple):
    """One number to be estimated: a metric at a visit (weeks as text; empty for the whole period)."""

    metric: str
    visit: str
    unit: str
    sample: Share | Mean | Median | Ratio


Metric = Callable[[ArmReadout], Iterator[Reading]]


def time_in_window(arm: ArmReadout) -> Iterator[Reading]:
    """Share of visits from week 14 on whose trough is in the window, mean over patients (percent).

    Visits on another drug than the scenario's do not count; who has no other is not in the mean.
    """
    first = int(np.searchsorted(arm.weeks, MAINTENANCE_WEEK))  # visits are in order of time
    share, some = _percent_of_visits(arm.zone[:, first:] == 0, arm.on_drug[:, first:])
    sample: Mean | Ratio = Mean(values=_of_some(share, some), within=(0.0, 100.0))
    if arm.switched is not None:  # arms then differ in who counts
        sample = Ratio(numerator=share, denominator=some.astype(np.float64), least=0.0)
    yield Reading("time_in_window", "", "percent", sample)


def _percent_of_visits(event: BoolArray, counted: BoolArray) -> tuple[FloatArray, BoolArray]:
    """(patient,) share of the counted visits with an event (percent; 0 for who has none), and who has any.

    In a narrow type and in place: with a million patients temporaries would count.
    """
    samples = counted.sum(axis=1, dtype=np.int16)
    share = np.multiply(event.sum(axis=1, dtype=np.int16), 100.0, dtype=np.float64)
    share /= np.maximum(samples, 1)
    return share, samples > 0


def _of_some(values: FloatArray, some: BoolArray) -> FloatArray:
    return values if some.all() else values[some]


def _zone_share(metric: str, zone: int) -> Metric:
    def share(arm: ArmReadout) -> Iterator[Reading]:
        for column, visit in enumerate(arm.visits):
            event = arm.zone[:, column] == zone
            yield Reading(metric, visit, "percent", Share(event=event, among=arm.on_drug_at(column)))

    share.__doc__ = f"Of those on the scenario's drug, share whose trough is {metric.replace('_', ' the ')} (percent)."
    return share


def trough_median(arm: ArmReadout) -> Iterator[Reading]:
    """Median measured trough of those on the scenario's drug (ug/mL); below the limit ranks below every other."""
    for column, visit in enumerate(arm.visits):
        levels, below = arm.levels_at(column)
        sample = Median(values=levels, below=below, limit=arm.lloq)
        if arm.switched is not None:  # arms then differ in whose levels count
            among = arm.on_drug[:, column]
            sample = MedianAmong(values=levels, below=below, limit=arm.lloq, among=among)
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
        yield Reading("ada_inconclusive", visit, "percent", Share(event=event, among=arm.seen_at(column)))
    share, some = _percent_of_visits(arm.ada_drug_sensitive == INCONCLUSIVE, arm.seen)
    yield Reading("ada_inconclusive", "", "percent", Mean(values=_of_some(share, some), within=(0.0, 100.0)))


def loss_of_response(arm: ArmReadout) -> Iterator[Reading]:
    """Share of primary responders who lose response, for the first time, within follow-up (percent).

    Of those who stay to the end of the trial: a loss after leaving is not seen. Leaving is independent of everything
    else, so those who stay are a random part of all.
    """
    lost = Share(event=np.isfinite(arm.loss_time), among=arm.responder & arm.followed)
    yield Reading("loss_of_response", "", "percent", lost)


def in_response(arm: ArmReadout) -> Iterator[Reading]:
    """Share of patients with response at a visit, to whatever drug and at whatever attempt (percent)."""
    if arm.responding is not None:
        for column, visit in enumerate(arm.visits):
            event = arm.responding[:, column]
            yield Reading("in_response", visit, "percent", Share(event=event, among=arm.seen_at(column)))


def switched(arm: ArmReadout) -> Iterator[Reading]:
    """Share of patients who are on another drug than the scenario's at a visit (percent)."""
    if arm.switched is not None:
        for column, visit in enumerate(arm.visits):
            event = arm.switched[:, column]
            yield Reading("switched", visit, "percent", Share(event=event, among=arm.seen_at(column)))


def drug_per_year(arm: ArmReadout) -> Iterator[Reading]:
    """Drug of the scenario given, mg per patient-year of follow-up; alternatives after a switch do not count."""
    rate = Ratio(numerator=arm.drug, denominator=arm.years, least=0.0)
    yield Reading("drug_per_year", "", "mg/patient-year", rate)


def doses_per_year(arm: ArmReadout) -> Iterator[Reading]:
    """Doses of the scenario's drug per patient-year of follow-up; alternatives after a switch do not count."""
    rate = Ratio(numerator=arm.doses.astype(np.float64), denominator=arm.years, least=0.0)
    yield Reading("doses_per_year", "", "doses/patient-year", rate)


def infusion_reactions(arm: ArmReadout) -> Iterator[Reading]:
    """Share of infused patients with an acute infusion reaction (percent); nothing where the result tells of none."""
    if arm.infusions is not None and arm.reactions is not None:
        yield Reading("infusion_reactions", "", "percent", Share(event=arm.reactions > 0, among=arm.infusions > 0))


def reactions_per_100_infusions(arm: ArmReadout) -> Iterator[Reading]:
    """Acute infusion reactions per 100 infusions; nothing where the result tells of none."""
    if arm.infusions is not None and arm.reactions is not None:
        given = arm.infusions.astype(np.float64)
        reactions = np.multiply(arm.reactions, 100.0, dtype=np.float64)
        rate = Ratio(numerator=reactions, denominator=given, least=0.0)
        yield Reading("reactions_per_100_infusions", "", "reactions/100 infusions", rate)


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
        "infusion_reactions": infusion_reactions,
        "reactions_per_100_infusions": reactions_per_100_infusions,
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
