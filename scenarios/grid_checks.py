"""Doses are given on decision days alone: whether a scenario has them where its plans can put a dose.

Planned doses of the arms are decision days themselves. What comes later by itself (the timetable of a drug that a
patient is switched to, a late dose, an interval that a policy chooses) falls on the regular reviews, or is lost
between them; so ``review_every`` must divide all of these lengths.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pkmodel.errors import InputError
from scenarios.loose import Problem, tables_in, text_of, time_of

if TYPE_CHECKING:
    from pkmodel.regimen import Regimen

_PER_DAY = 1440  # lengths are compared in whole minutes
_MOST = 200  # intervals that are looked at: steps of a minute must not take for ever

Length = tuple[str, float]  # what it is, days


def grid_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what ``review_every`` does not divide, and the largest that would do."""
    review = time_of(document, "review_every")
    if not review or round(review * _PER_DAY) < 1:
        return
    lengths = [
        (f"arm '{text_of(arm, 'name') or number}': {what}", days)
        for number, arm in enumerate(tables_in(document.get("arm")))
        for what, days in _lengths(arm, text_of(document, "drug") or "")
        if round(days * _PER_DAY) > 0
    ]
    step = round(review * _PER_DAY)
    odd = [(what, days) for what, days in lengths if round(days * _PER_DAY) % step]
    if not odd:
        return
    shown = "; ".join(f"{what}, {_in_words(days)}" for what, days in odd[:3])
    more = f"; and {len(odd) - 3} more" if len(odd) > 3 else ""
    largest = math.gcd(*(round(days * _PER_DAY) for _, days in lengths)) / _PER_DAY
    said = f"{_in_words(review)} does not divide every time between doses: some would be lost or late"
    problem = f"{said} ({shown}{more})"
    yield Problem(("review_every",), problem, f'write review_every = "{_in_words(largest)}", or a part of it')


def _lengths(arm: Mapping[str, Any], drug: str) -> Iterator[Length]:
    adherence, clinic = arm.get("adherence"), arm.get("clinic")
    clinic = clinic if isinstance(clinic, Mapping) else {}
    if isinstance(adherence, Mapping) and adherence.get("late") and (late_by := time_of(adherence, "late_by")):
        yield "late_by", late_by
    own = _regimen(arm)
    if own is not None and clinic.get("reinduction") is True:
        yield from _gaps(own, f"{drug} begun again")
    plans = {drug: own}
    for one in tables_in(arm.get("alternative")):
        name = text_of(one, "drug") or ""
        plans[name] = _regimen(one)
        if (begun := plans[name]) is not None:
            yield from _gaps(begun, f"timetable of {name}")
    for name, plan in plans.items():
        if plan is not None and plan.interval is not None:
            for days in _intervals(arm.get("policy"), clinic, name, plan.interval, switched=name != drug):
                yield f"an interval of {name} that the policy can choose", days


def _regimen(table: Mapping[str, Any]) -> Regimen | None:
    """The timetable, None where other checks refuse it."""
    from scenarios.timetable import regimen

    try:
        return regimen(list(tables_in(table.get("dosing"))))
    except (InputError, LookupError, TypeError, ValueError, AttributeError):
        return None


def _gaps(plan: Regimen, what: str) -> Iterator[Length]:
    times = [0.0, *(dose.time for dose in plan.doses)]
    for gap in sorted({round((later - earlier) * _PER_DAY) for earlier, later in pairwise(times)}):
        yield what, gap / _PER_DAY


def _intervals(table: object, clinic: Mapping[str, Any], drug: str, planned: float, *, switched: bool) -> list[float]:
    """Return all intervals that a policy can bring about from the planned one; none if it keeps that."""
    seen, waiting = {planned}, [planned]
    # this one acts once, before any other change: never after a switch
    rules = [one for one in _rules(table) if not (switched and _parameters(one).get("action") == "halve-interval")]
    while waiting and len(seen) < _MOST:
        now = waiting.pop()
        for rule in rules:
            for chosen in _chosen(rule, drug, now, planned):
                kept = _kept_by_clinic(chosen, clinic)
                if chosen != now and kept not in seen:
                    seen.add(kept)
                    waiting.append(kept)
    return sorted(seen) if len(seen) > 1 else []


def _rules(table: object) -> Iterator[object]:
    """The policy, or the policies one after the other."""
    from scenarios import policies

    named = {"name": table} if isinstance(table, str) else table
    if not isinstance(named, Mapping) or not isinstance(name := named.get("name"), str):
        return
    if name == "phased":
        yield from (rule for key in ("first", "then") for rule in _rules(named.get(key)))
        return
    try:
        yield policies.make(name, {key: value for key, value in named.items() if key != "name"})
    except (InputError, TypeError, ValueError, AttributeError):
        return


def _chosen(rule: object, drug: str, now: float, planned: float) -> Iterator[float]:
    """Intervals that one rule can choose next, as far as its parameters tell."""
    from pkmodel.units import time_d

    limits = _parameters(rule)
    if limits.get("action") == "halve-interval" and now == planned:
        yield 0.5 * now
    low = limits.get("min_interval")
    if limits.get("escalation") == "interval" and isinstance(low, Mapping) and drug in low:
        yield min(max(0.5 * now, time_d(low[drug])), now)
    if isinstance(low, str) and isinstance(step := limits.get("interval_step"), str):
        if now > time_d(low):
            yield max(now - time_d(step), time_d(low))
        yield min(now + time_d(step), time_d(limits["max_interval"]))
    yield from (time_d(limits[key]) for key in ("long", "middle", "short") if isinstance(limits.get(key), str))
    yield from map(time_d, limits.get("intervals", ()))


def _parameters(rule: object) -> dict[str, Any]:
    """The parameters of a policy by name."""
    from dataclasses import fields, is_dataclass

    return {one.name: getattr(rule, one.name) for one in fields(rule) if one.init} if is_dataclass(rule) else {}


def _kept_by_clinic(interval: float, clinic: Mapping[str, Any]) -> float:
    step, low, high = (time_of(clinic, key) for key in ("interval_step", "min_interval", "max_interval"))
    if step:
        interval = max(math.floor(interval / step + 0.5), 1) * step
    interval = max(interval, low) if low is not None else interval
    return min(interval, high) if high is not None else interval


def _in_words(days: float) -> str:
    if days % 7 == 0:
        weeks = round(days / 7)
        return "1 week" if weeks == 1 else f"{weeks} weeks"
    return f"{days:g} days"
