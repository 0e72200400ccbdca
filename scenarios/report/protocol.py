"""A scenario in words: what each arm gets, and how the trial is run."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from inspect import getdoc
from typing import TYPE_CHECKING, Any

from scenarios.readout import DAYS_PER_YEAR

if TYPE_CHECKING:
    from scenarios.scenario import Scenario

_SAID = {"name", "dosing", "policy", "cotherapy", "premedication", "adherence"}
_SETTINGS = {
    "earliest": "not before {} after the first dose",
    "min_gap": "at least {} after the last one",
}
"""Settings of policies whose names do not explain themselves."""
_DOSING_SAID = {"dose", "weeks", "every", "until", "start", "route", "infusion"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmWords:
    """An arm in words.

    Attributes
    ----------
    name
        Of the arm.
    lines
        (what, words) pairs, such as ("Doses", "5 mg/kg in weeks 0, 2 and 6").
    """

    name: str
    lines: tuple[tuple[str, str], ...]


def arm_words(scenario: Scenario) -> list[ArmWords]:
    """Every arm of a scenario in words, in its order; keys that have no words of their own are given as they stand."""
    return [
        ArmWords(name=arm.name, lines=tuple(_lines(told, arm.policy)))
        for told, arm in zip(scenario.document["arm"], scenario.arms, strict=True)
    ]


def trial_words(scenario: Scenario) -> list[tuple[str, str]]:
    """What holds for all arms."""
    weeks = [day / 7.0 for day in scenario.visits]
    review = scenario.review_every / 7.0
    return [
        ("Follow-up", f"{scenario.duration / 7.0:g} weeks; {_leaving(scenario)}"),
        ("Blood samples", f"in weeks {listing(weeks)}, in every arm, taken before any dose of that day"),
        ("Doses can change", f"at these visits, on planned dosing days, and every {_count(review, 'week')}"),
        ("Patients", _who_is_where(scenario)),
    ]


def _leaving(scenario: Scenario) -> str:
    rate = scenario.design.dropout * DAYS_PER_YEAR
    if rate == 0.0:
        return "every patient is followed to the end"
    return f"patients leave at random, at a rate of {rate:.3g} per patient-year, whatever happens to them"


def _who_is_where(scenario: Scenario) -> str:
    design = scenario.design
    if not design.randomised:
        return "the same virtual patients go through every arm, with the same susceptibility and assay error"
    blocks = f" in blocks of {design.block}" if design.block is not None else ""
    return f"every virtual patient is in one arm, drawn {':'.join(map(str, design.ratio))}{blocks}"


def listing(numbers: Sequence[float]) -> str:
    """Numbers as people list them: "0, 2 and 6"."""
    texts = [f"{number:g}" for number in numbers]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def _lines(told: Mapping[str, Any], policy: object) -> Iterator[tuple[str, str]]:
    yield "Doses", "; then ".join(_dosing(part) for part in told["dosing"])
    yield "Decisions", _policy(policy)
    premedication = told.get("premedication")
    if premedication:
        yield "Premedication", f"{premedication} into the vein before every dose"
    for therapy in told.get("cotherapy", []):
        yield "Immunomodulator", _cotherapy(therapy)
    adherence = told.get("adherence")
    if adherence:
        yield "Missed and late doses", _adherence(adherence)
    for key, value in told.items():
        if key not in _SAID:
            yield key, str(value)


def _dosing(part: Mapping[str, Any]) -> str:
    words = str(part["dose"])
    if "weeks" in part:
        weeks = part["weeks"]
        words += f" in week{'s' if len(weeks) > 1 else ''} {listing(weeks)}"
    else:
        start = f" from {_week_of(part['start'])}" if "start" in part else ""
        words += f" every {part['every']}{start}, the last one before {_week_of(part['until'])}"
    if "route" in part:
        words += {"sc": " under the skin", "iv": " into the vein"}[part["route"]]
    if "infusion" in part:
        words += f" (infusion: {part['infusion']})"
    rest = {key: value for key, value in part.items() if key not in _DOSING_SAID}
    return words + "".join(f", {key} {value}" for key, value in rest.items())


def _week_of(text: str) -> str:
    """ "54 weeks" as a point in time: "week 54"."""
    number, _, unit = text.partition(" ")
    return f"week {number}" if unit in ("weeks", "week") else f"{text} after the start"


def _policy(policy: Any) -> str:
    """First line about the rule, and its settings as the file's author would write them."""
    kind = type(policy)
    told = (sys.modules[kind.__module__].__doc__ or getdoc(kind) or kind.__name__).strip().partition("\n")[0]
    settings = [
        _SETTINGS.get(field.name, f"{field.name.replace('_', ' ')} {{}}").format(
            " or ".join(map(str, value)) if isinstance(value, list) else value
        )
        for field in fields(policy)
        if field.init and (value := getattr(policy, field.name)) is not None
    ]
    words = told.rstrip(".") + (f" ({', '.join(settings)})" if settings else "")
    return f"ORACLE, given the patients' true parameters: {words}" if getattr(policy, "oracle", False) else words


def _cotherapy(therapy: Mapping[str, Any]) -> str:
    start = str(therapy.get("from", "0 weeks"))
    if start.startswith("-"):
        words = f"{therapy['drug']}, begun {start[1:]} before the first dose"
    elif start.split()[0] in ("0", "0.0"):
        words = f"{therapy['drug']}, begun with the first dose"
    else:
        words = f"{therapy['drug']}, added in {_week_of(start)}"
    if "until" in therapy:
        words += f", until {_week_of(therapy['until'])}"
    share = float(therapy.get("share", 1.0))
    return words + (f"; {100 * share:g} % of patients take it" if share < 1.0 else "")


def _adherence(told: Mapping[str, Any]) -> str:
    words = f"each planned dose is missed with a probability of {100 * told.get('missed', 0.0):g} %"
    if told.get("late"):
        words += f", and late by {told['late_by']} with {100 * told['late']:g} %"
    return words


def _count(number: float, unit: str) -> str:
    return unit if number == 1 else f"{number:g} {unit}s"
