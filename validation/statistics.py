"""What a study would have reported, computed from what was seen of its arms.

Each function takes the parts of a figure (records with their weights), the records it is compared with, and the
options of the evidence file, and returns an :class:`Estimate`, which also knows how the number would scatter at a
study's own n.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pkmodel.errors import unknown_name
from validation import rescue
from validation.cox import hazard_ratio
from validation.trial import Record

Parts = Sequence[tuple[Record, float]]
Floats = NDArray[np.float64]
YEAR = 365.25
_FOLLOWED = 200  # quantiles of follow-up


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A predicted figure.

    Attributes
    ----------
    value
        In the figure's unit.
    kind
        How it scatters: "share" (binomial; ``scale`` turns a proportion into the unit), "rank" (Fisher's z), "ratio"
        (log-normal with standard error ``spread``), "mean" and "median" (normal, ``spread`` per patient).
    """

    value: float
    kind: str
    scale: float = 100.0
    spread: float = 0.0

    def scatter(self, n: int, draws: int, rng: np.random.Generator) -> Floats:
        """Values that studies of ``n`` patients would report."""
        if not math.isfinite(self.value):
            return np.full(draws, math.nan)
        if self.kind == "share":
            return self.scale * rng.binomial(n, min(max(self.value / self.scale, 0.0), 1.0), draws) / n
        noise = rng.standard_normal(draws)
        if self.kind == "rank":
            return np.asarray(np.tanh(math.atanh(self.value) + noise / math.sqrt(n - 3)))
        if self.kind == "ratio":
            return np.asarray(self.value * np.exp(self.spread / math.sqrt(n) * noise))
        return np.asarray(self.value + self.spread / math.sqrt(n) * noise)


def estimate(name: str, parts: Parts, against: Parts, options: Mapping[str, Any]) -> Estimate:
    """The statistic ``name``.

    Raises
    ------
    UnknownNameError
        If there is no such statistic.
    """
    if name not in _STATISTICS:
        raise unknown_name("statistic", name, _STATISTICS)
    return _STATISTICS[name](parts, against, options)


def highest_titre(record: Record, family: str, weeks: Sequence[float], at_doses_from: float | None = None) -> Floats:
    """The highest titre each patient ever shows where the assay reports one (mg/L; -1 if never).

    Samples are taken at ``weeks`` and, from week ``at_doses_from`` to the last of them, before each infusion.
    """
    taken = np.zeros(record.free.shape, np.bool_)
    taken[:, [record.column(7.0 * week) for week in weeks]] = True
    if at_doses_from is not None:
        within = (record.days >= 7.0 * at_doses_from) & (record.days <= 7.0 * max(weeks) + 1e-6)
        taken |= record.given & within[None, :]
    return np.asarray(np.where(taken, record.titres(family), -1.0).max(axis=1))


def _ever_positive(parts: Parts, against: Parts, options: Mapping[str, Any]) -> Estimate:
    family, factor = options["assay"], options.get("times_cutoff", 1.0)
    among = _among(parts, against)
    cutoffs = [factor * record.parameters.assay(family).cutoff for record, _ in parts]
    if "weeks_after_doses" in options:
        first = [
            first_positive_infusion(record, family, cutoff, options["weeks_after_doses"])
            for (record, _), cutoff in zip(parts, cutoffs, strict=True)
        ]
        return _over_follow_up(parts, first, among, options)
    flags = [
        highest_titre(record, family, options["weeks"], options.get("at_doses_from")) >= cutoff
        for (record, _), cutoff in zip(parts, cutoffs, strict=True)
    ]
    return _share(parts, flags, among)


def first_positive_infusion(record: Record, family: str, cutoff: float, weeks: Sequence[float]) -> Floats:
    """Day of the infusion to which each patient's first positive sample belongs, infinite if never, shape (patient,).

    A sample is taken before each infusion but the first, and so many ``weeks`` after each until the next. It belongs
    to the infusion before it that was given no longer ago than the last of ``weeks``, or else to the one on its own
    day: whose last infusion that was, is sampled no longer.
    """
    positive = record.titres(family) >= cutoff
    first = np.full(record.ids.size, np.inf)
    latest = np.full(record.ids.size, -np.inf)  # day of the infusion before
    for number, day in enumerate(record.days):
        given, since = record.given[:, number], day - latest
        after = np.isclose(since[:, None], 7.0 * np.asarray(weeks)).any(axis=1)
        taken = np.isfinite(latest) & (given | after)
        belongs = np.where(since <= 7.0 * max(weeks) + 1e-6, latest, day)
        first = np.where(taken & positive[:, number], np.minimum(first, belongs), first)
        latest = np.where(given, day, latest)
    return first


def _among(parts: Parts, against: Parts) -> list[NDArray[np.bool_]]:
    """Who is counted: everybody, or, of the same patients, those who failed on the arm of ``against`` (no primary
    response, or response lost) and were given the drug of ``parts`` next."""
    if not against:
        return [np.ones(record.ids.size, np.bool_) for record, _ in parts]
    ((first, _),) = against
    return [~first.responder | np.isfinite(first.loss_time)] * len(parts)


def _transient(parts: Parts, against: Parts, options: Mapping[str, Any]) -> Estimate:
    """Of patients ever positive, those negative at the last ``last`` samples."""
    gone, ever = [], []
    for record, _ in parts:
        columns = [record.column(7.0 * week) for week in options["weeks"]]
        positive = record.read(options["assay"])[:, columns]
        ever.append(np.asarray(positive.any(axis=1)))
        gone.append(np.asarray(~positive[:, -options["last"] :].any(axis=1)))
    return _share(parts, gone, ever)


def _no_primary_response(parts: Parts, against: Parts, options: Mapping[str, Any]) -> Estimate:
    return _share(parts, [~record.responder for record, _ in parts], [record.ids >= 0 for record, _ in parts])


def _lost_response(parts: Parts, against: Parts, options: Mapping[str, Any]) -> Estimate:
    """Of primary responders, who loses response within a follow-up that differs (:func:`follow_up`)."""
    parts, treated = _treated_before(parts, against, options)
    among = [record.responder & one for (record, _), one in zip(parts, treated, strict=True)]
    return _over_follow_up(parts, [record.loss_time - record.assessment_day for record, _ in parts], among, options)


def _over_follow_up(
    parts: Parts, days: Sequence[Floats], among: Sequence[NDArray[np.bool_]], options: Mapping[str, Any]
) -> Estimate:
    """Percent of ``among`` to whom it happens, ``days`` after follow-up begins, while they are followed."""
    shares = [_share(parts, [one <= YEAR * years for one in days], among).value for years in follow_up(options)]
    return Estimate(value=float(np.mean(shares)), kind="share")


def _treated_before(
    parts: Parts, against: Parts, options: Mapping[str, Any]
) -> tuple[Parts, Sequence[NDArray[np.bool_]]]:
    """Parts, and who of each is counted, where a share ``failed_before`` of those treated had failed another drug.

    Without that option it is all or, with ``against``, those who failed (:func:`_among`).
    """
    failed = _among(parts, against)
    share = options.get("failed_before", 1.0)
    if share == 1.0:
        return parts, failed
    everybody = _among(parts, [])
    first = [(record, weight * (1.0 - share)) for record, weight in parts]
    second = [
        (record, weight * share / max(float(mine.mean()), 1e-9))
        for (record, weight), mine in zip(parts, failed, strict=True)
    ]
    return [*first, *second], [*everybody, *failed]


def follow_up(options: Mapping[str, Any]) -> Floats:
    """Years of follow-up: ``years`` for all, or log-normal quantiles.

    ``median_years`` and ``spread`` (SD of the logarithm) describe that; it is cut at ``longest_years``.
    """
    if "years" in options:
        return np.array([options["years"]], dtype=np.float64)
    from scipy.special import ndtri

    normal = ndtri((np.arange(_FOLLOWED) + 0.5) / _FOLLOWED)
    years = options["median_years"] * np.exp(options["spread"] * normal)
    return np.asarray(np.minimum(years, options["longest_years"]))


def _losses_per_100_years(parts: Parts, against: Parts, options: Mapping[str, Any]) -> Estimate:
    share, years = _lost_response(parts, against, options), float(follow_up(options).mean())
    return Estimate(value=share.value / years, kind="share", scale=100.0 / years)


def _failure(parts: Parts, against: Parts, options: Mapping[str, Any]) -> Estimate:
    failed = [~record.responder | (record.loss_time <= 7.0 * options["by_week"]) for record, _ in parts]
    return _share(parts, failed, [record.ids >= 0 for record, _ in parts])


def _trough_share(parts: Parts, against: Parts, options: Mapping[str, Any]) -> Estimate:
    """Of those in response for ``stable_weeks``, whose level before the last infusion up to ``week`` is in a range."""
    flags, among = [], []
    low, high = options.get("low", -math.inf), options.get("high", math.inf)
    for record, _ in parts:
        column = record.last_infusion(7.0 * options["week"])
        level = record.measured_at(column)
        inside = level == 0.0 if options.get("undetectable") else (level > 0.0) & (level >= low) & (level < high)
        flags.append(inside)
        among.append(_stable(record, record.days[column], 7.0 * options["stable_weeks"]))
    return _share(parts, flags, among)


def _stable(record: Record, day: Floats, length: float) -> NDArray[np.bool_]:
    """Who has been in response for ``length`` days on a day of each patient's own, shape (patient,)."""
    days = record.days[None, :]
    within = (days >= (day - length)[:, None] - 1e-6) & (days <= day[:, None] + 1e-6)
    return np.asarray((record.responding | ~within).all(axis=1))


def _rank_correlation(parts: Parts, against: Parts, options: Mapping[str, Any]) -> Estimate:
    from scipy.stats import spearmanr

    (record, _), *_rest = parts
    level = record.measured(record.column(7.0 * options["week"]))
    return Estimate(value=float(spearmanr(record.tgn, level).statistic), kind="rank")


def _mean_trough(parts: Parts, against: Parts, options: Mapping[str, Any]) -> Estimate:
    level, weight = _levels(parts, options)
    mean = float(np.average(level, weights=weight))
    spread = math.sqrt(float(np.average((level - mean) ** 2, weights=weight)))
    return Estimate(value=mean, kind="mean", spread=spread)


def _median_trough(parts: Parts, against: Parts, options: Mapping[str, Any]) -> Estimate:
    level, weight = _levels(parts, options)
    low, middle, high = weighted_quantiles(level, weight, (0.4, 0.5, 0.6))
    # asymptotic SD of a median: 1 / (2 f sqrt(n)), with the density from the middle fifth of the sample
    return Estimate(value=middle, kind="median", spread=0.5 * (high - low) / 0.2)


def weighted_quantiles(values: Floats, weights: Floats, at: Sequence[float]) -> list[float]:
    """The least of ``values`` up to which at least each share ``at`` of all ``weights`` lies."""
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(weights[order]) / weights.sum()
    return [float(values[order][np.searchsorted(cumulative, p)]) for p in at]


def _cox_ratio(parts: Parts, against: Parts, options: Mapping[str, Any]) -> Estimate:
    between = options["between"]
    columns: list[tuple[Floats, NDArray[np.bool_], NDArray[np.bool_], Floats]] = []
    for number, (record, share) in enumerate((*parts, *against)):
        time, event = _first_positive(record, options["assay"], options["weeks"])
        inside = np.full(time.size, number < len(parts)) if between == "arms" else record.covariates[between] > 0.5
        columns.append((time, event, inside, np.full(time.size, share / time.size)))
    time, event, inside, weight = (np.concatenate(column) for column in zip(*columns, strict=True))
    ratio, error = hazard_ratio(time, event, inside, weight / weight.sum())
    return Estimate(value=ratio, kind="ratio", spread=error)


def _first_positive(record: Record, family: str, weeks: Sequence[float]) -> tuple[Floats, NDArray[np.bool_]]:
    columns = [record.column(7.0 * week) for week in weeks]
    positive = record.titres(family)[:, columns] >= record.parameters.assay(family).cutoff
    event = np.asarray(positive.any(axis=1), dtype=np.bool_)
    last = len(weeks) - 1
    return np.array(weeks, dtype=np.float64)[np.where(event, positive.argmax(axis=1), last)], event


def _regained(parts: Parts, against: Parts, options: Mapping[str, Any]) -> Estimate:
    """``against``: the same patients with nothing changed, whose first sample after the loss says who is counted."""
    ((unchanged, _),) = against
    group = rescue.group(unchanged, rescue.rescue(unchanged), options["group"], options["assay"])
    found = [rescue.rescue(record) for record, _ in parts]
    return _share(parts, [one.regained for one in found], [group & one.judged for one in found])


def _regained_on_switch(parts: Parts, against: Parts, options: Mapping[str, Any]) -> Estimate:
    """``against``: the new drug without an immunomodulator and with it; whoever takes one goes on with it."""
    ((record, _),), ((alone, _), (together, _)) = parts, against
    found = rescue.rescue(record)
    among = rescue.group(record, found, options["group"], options["assay"])
    back = np.where(
        record.cotherapy, rescue.regains_on(record, found, together), rescue.regains_on(record, found, alone)
    )
    return _share(parts, [back], [among])


def _levels(parts: Parts, options: Mapping[str, Any]) -> tuple[Floats, Floats]:
    levels = [record.measured(record.column(7.0 * week)) for record, _ in parts for week in options["weeks"]]
    weights = [np.full(record.ids.size, weight) for record, weight in parts for _ in options["weeks"]]
    return np.concatenate(levels), np.concatenate(weights)


def _share(parts: Parts, flags: Sequence[NDArray[np.bool_]], among: Sequence[NDArray[np.bool_]]) -> Estimate:
    """Percent of ``flags`` among ``among``, patients of each part weighted."""
    yes = sum(weight * float(np.mean(flag & base)) for (_, weight), flag, base in zip(parts, flags, among, strict=True))
    base = sum(weight * float(np.mean(base)) for (_, weight), base in zip(parts, among, strict=True))
    return Estimate(value=100.0 * yes / base if base else math.nan, kind="share")


_STATISTICS: dict[str, Callable[[Parts, Parts, Mapping[str, Any]], Estimate]] = {
    "ever_positive": _ever_positive,
    "transient": _transient,
    "no_primary_response": _no_primary_response,
    "lost_response": _lost_response,
    "losses_per_100_years": _losses_per_100_years,
    "failure": _failure,
    "trough_share": _trough_share,
    "rank_correlation": _rank_correlation,
    "mean_trough": _mean_trough,
    "median_trough": _median_trough,
    "cox_ratio": _cox_ratio,
    "regained": _regained,
    "regained_on_switch": _regained_on_switch,
}
