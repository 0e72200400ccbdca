"""What stands on the page of a score table: its heading, its lines, and how a number is written."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scenarios.allocation import RANDOMISED

if TYPE_CHECKING:
    import xarray as xr

    from pkmodel.windows import TargetWindow


def window_text(window: TargetWindow) -> str:
    """Name and range of a window as people write it: "taxit, 4–7 µg/mL"."""
    if math.isinf(window.high):
        return f"{window.name}, at least {window.low:g} µg/mL"
    if window.low <= 0:
        return f"{window.name}, at most {window.high:g} µg/mL"
    return f"{window.name}, {window.low:g}–{window.high:g} µg/mL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """What a reader must know beside the numbers.

    Attributes
    ----------
    maintenance
        Visits of `time_in_window`, weeks as text.
    randomised
        Each patient is in one arm.
    switching
        A patient can be switched to another drug than the scenario's.
    leaving
        Patients leave the trial early.
    first_loss
        Response can come back, so that a loss is the first one.
    oracles
        Arms whose policy was given the truth.
    """

    scenario: str
    title: str
    drug: str
    model: str
    window: str
    patients: int
    seed: str
    lloq: float
    maintenance: tuple[str, ...]
    drug_sensitive: str
    drug_tolerant: str
    randomised: bool = False
    switching: bool = False
    leaving: bool = False
    first_loss: bool = False
    oracles: tuple[str, ...] = ()

    @classmethod
    def of(cls, result: xr.Dataset, window: TargetWindow) -> Heading:
        """Heading of a result scored against a window."""
        from scenarios.metrics import MAINTENANCE_WEEK
        from scenarios.readout import week_text

        attrs = result.attrs
        weeks = [float(week) for week in result["visit"].values]
        return cls(
            scenario=str(attrs.get("scenario", "")),
            title=str(attrs.get("title", "")),
            drug=str(attrs["drug"]),
            model=str(attrs.get("model", "")),
            window=window_text(window),
            patients=int(result.sizes["patient"]),
            seed=str(attrs.get("seed", "")),
            lloq=float(attrs["drug_lloq"]),
            maintenance=tuple(week_text(week) for week in weeks if week >= MAINTENANCE_WEEK),
            drug_sensitive=str(attrs.get("assay_drug_sensitive", "not named")),
            drug_tolerant=str(attrs.get("assay_drug_tolerant", "not named")),
            randomised=attrs.get("design") == RANDOMISED,
            switching="drug_number" in result,
            leaving="leaves" in result,
            first_loss="responding" in result,
            oracles=tuple(json.loads(attrs.get("oracles", "[]"))),
        )

    def lines(self) -> Iterator[str]:
        """Lines above the table."""
        yield ": ".join(part for part in (self.scenario, self.title) if part)
        drug = f"{self.drug} ({self.model})" if self.model else self.drug
        seed = f", seed {self.seed}" if self.seed else ""
        arms = "each in one arm" if self.randomised else "the same in every arm"
        yield f"{drug}; {self.patients:,} patients, {arms}{seed}"
        yield f"Target window: {self.window}; troughs as measured, LLOQ {self.lloq:g} µg/mL"
        if self.switching:
            yield f"Troughs and window: of visits on {self.drug}; drug and doses: of {self.drug} alone"
        for name in self.oracles:
            yield f"Oracle: '{name}' was given the patients' true parameters, as no clinic can be; a measuring stick"
        yield f"Antibody assays: drug-sensitive {self.drug_sensitive}, drug-tolerant {self.drug_tolerant}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One row of a frame, as the page needs it."""

    value: float
    low: float
    high: float
    n: int
    unit: str

    @property
    def at_limit(self) -> bool:
        """True where a median is only known to be at or below the limit of quantification."""
        return "LLOQ" in self.unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the page: which numbers, under which words."""

    label: str
    metric: str
    visit: str
    count: bool = False  # show n instead of the value


Section = tuple[str, list[Line]]
"""Title and lines."""


def digits(value: float, metric: str, cell: Cell) -> str:
    """Digits that people can use, as many as the cell's value deserves; the exact number is in the frame."""
    if math.isnan(value):
        return "?"
    places = 1
    if metric == "drug_per_year":
        places = 0
    elif cell.unit.startswith("ug/mL") and not abs(cell.value) >= 10:
        places = 2
    text = f"{value:,.{places}f}"
    return text.removeprefix("-") if not text.strip("-0.") else text


def key_lines(heading: Heading, last: str, responders: str) -> Iterator[Line]:
    """What a reader wants first: the whole period, and the last visit."""
    weeks = heading.maintenance
    period = f"weeks {weeks[0]}–{weeks[-1]}" if weeks else "no visit from week 14 on"
    on = f", on {heading.drug}" if heading.switching else ""
    of = f"of {heading.drug} " if heading.switching else ""
    followed = " followed to the end" if heading.leaving else ""
    loss = "First loss of response" if heading.first_loss else "Loss of response"
    yield Line(label=f"Time in window, {period}{on} (%)", metric="time_in_window", visit="")
    yield Line(label=f"In window at week {last}{on} (%)", metric="in_window", visit=last)
    yield Line(label="  below it (%)", metric="below_window", visit=last)
    yield Line(label="  above it (%)", metric="above_window", visit=last)
    yield Line(label=f"Median trough at week {last}{on} (µg/mL)", metric="trough_median", visit=last)
    yield Line(label="Ever antibody-positive, drug-sensitive (%)", metric="ada_drug_sensitive", visit="")
    yield Line(label="  samples inconclusive (%)", metric="ada_inconclusive", visit="")
    yield Line(label="Ever antibody-positive, drug-tolerant (%)", metric="ada_drug_tolerant", visit="")
    yield Line(label=f"{loss} (% of responders{followed})", metric="loss_of_response", visit="")
    yield Line(label=f"  {responders}{followed} (n)", metric="loss_of_response", visit="", count=True)
    yield Line(label=f"In response at week {last} (%)", metric="in_response", visit=last)
    yield Line(label=f"On another drug at week {last} (%)", metric="switched", visit=last)
    yield Line(label=f"Drug {of}(mg per patient-year)", metric="drug_per_year", visit="")
    yield Line(label=f"Doses {of}per patient-year", metric="doses_per_year", visit="")
    yield Line(label="Any infusion reaction (%)", metric="infusion_reactions", visit="")
    yield Line(label="  Reactions per 100 infusions", metric="reactions_per_100_infusions", visit="")


WEEKLY = {
    "trough_median": "Median trough by week (µg/mL)",
    "in_window": "Trough in window by week (%)",
    "below_window": "Trough below window by week (%)",
    "above_window": "Trough above window by week (%)",
    "ada_drug_sensitive": "Antibody-positive by then, drug-sensitive (%)",
    "ada_drug_tolerant": "Antibody-positive by then, drug-tolerant (%)",
    "ada_inconclusive": "Drug-sensitive samples inconclusive (%)",
    "in_response": "In response by week (%)",
    "switched": "On another drug by week (%)",
}
WEEKLY_SHOWN = ("trough_median", "in_window")
"""Of many metrics these are shown week by week; the others are in the frame, and in the figures."""


def key_section(heading: Heading, present: set[tuple[str, str]], responders: str) -> Section:
    """Key results, and the whole-period numbers of metrics unknown here."""
    last = max((visit for _, visit in present if visit), key=float, default="")
    lines = list(key_lines(heading, last, responders))
    known = {line.metric for line in lines}
    unknown = (metric for metric, visit in sorted(present) if not visit and metric not in known)
    lines += [Line(label=metric, metric=metric, visit="") for metric in unknown]
    return "Key results", [line for line in lines if (line.metric, line.visit) in present]


def weekly_sections(present: set[tuple[str, str]]) -> Iterator[Section]:
    """Week by week: the main ones, those unknown here, and whichever is alone on the page."""
    metrics = {metric for metric, _ in present}
    for metric in sorted(metrics, key=lambda name: (name not in WEEKLY_SHOWN, name == "in_window", name)):
        weeks = sorted((visit for other, visit in present if other == metric and visit), key=float)
        if weeks and (metric in WEEKLY_SHOWN or metric not in WEEKLY or len(metrics) == 1):
            lines = [Line(label=f"week {week}", metric=metric, visit=week) for week in weeks]
            yield WEEKLY.get(metric, f"{metric} by week"), lines
