"""What the arms of a result cost: quantities of each patient times prices.

Counted are drug (mg), infusions and injections given, samples that the policy had taken, infusion reactions, and first
losses of response (with the hospital that follows them). Not counted: co-therapy, premedication, visits without a
dose, waste of vials, work lost, further losses where response comes back, and whatever happens after the trial. Costs
are not discounted: trials are short.

Cost is linear in prices, so one-way sensitivity needs no new simulation.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pkmodel.errors import InputError, unknown_name
from scenarios.allocation import PAIRED
from scenarios.intervals import FloatArray, Interval, Mean, apart
from scenarios.page import Heading
from scenarios.prices import Price, Prices
from scenarios.ratios import Ratio
from scenarios.readout import DAYS_PER_YEAR, ArmReadout, CountArray, arm_names, choose_window, readout
from scenarios.tables import PAGE_WIDTH, write_csv

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from pkmodel.windows import TargetWindow

COLUMNS = (
    "arm", "against", "measure", "unit", "estimate", "low", "high", "n",
    "difference", "difference_low", "difference_high",
)  # fmt: skip
TORNADO_COLUMNS = ("arm", "against", "price", "price_low", "price_high", "at_low", "base", "at_high")
LABELS = {
    "per_patient": "per patient",
    "per_patient_in_window": "per patient in the window at the last visit",
    "per_responder_year": "per year in response up to the first loss",
}
Quantities = dict[str, FloatArray]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CostTable:
    """Costs by arm, and how the difference between arms depends on each price.

    Attributes
    ----------
    frame
        Columns `COLUMNS`; measures `per_patient`, `per_patient_in_window`, `per_responder_year`, and `of_NAME`, the
        part of each price per patient. The difference is arm minus against.
    tornado
        Columns `TORNADO_COLUMNS`: difference of cost per patient with one price at its low and high, the others at
        their values; of a single arm the cost itself. Largest swing first.
    """

    frame: pd.DataFrame
    tornado: pd.DataFrame
    heading: Heading
    prices: Prices

    @property
    def money(self) -> str:
        """Currency and year, and a word of warning where prices are invented."""
        warning = ": EXAMPLE PRICES, invented" if self.prices.invented else ""
        return f"{self.prices.currency} of {self.prices.year} ({self.prices.title}{warning})"

    def to_csv(self, path: str | Path) -> None:
        """Write the frame."""
        write_csv(self.frame, path)

    def __str__(self) -> str:
        return "\n".join(
            line
            for part in self._lines()
            for line in textwrap.wrap(part, PAGE_WIDTH, subsequent_indent=6 * " ") or [""]
        )

    def _lines(self) -> Iterator[str]:
        yield from self.heading.lines()
        yield f"Costs in {self.money}"
        yield "In brackets: 95 % Monte-Carlo interval (chance in drawing patients, not doubt about model or prices)"
        for arm, rows in self.frame.groupby("arm", sort=False):
            yield from ("", str(arm))
            for row in rows.to_dict("records"):
                label = LABELS.get(row["measure"], f"  of which {row['measure'].removeprefix('of_')}")
                told = f"  {label}: {row['estimate']:,.0f} ({row['low']:,.0f}–{row['high']:,.0f})"
                if row["against"] and not row["measure"].startswith("of_"):
                    ends = f"{row['difference_low']:+,.0f} to {row['difference_high']:+,.0f}"
                    told += f"; {row['difference']:+,.0f} ({ends}) against {row['against']}"
                yield told


def costs(
    result: xr.Dataset,
    prices: Prices | None = None,
    against: str | None = None,
    *,
    window: str | TargetWindow | None = None,
) -> CostTable:
    """Cost each arm of a result.

    Parameters
    ----------
    result
        Dataset made by `scenarios.run`.
    prices
        None for the shipped examples.
    against
        Arm to compare with; None for the first.
    window
        Target window; None for the scenario's own.

    Raises
    ------
    InputError
        For missing prices, unknown arms, or a result that does not tell what was used.
    """
    import pandas as pd

    chosen = prices if prices is not None else Prices.load()
    target = choose_window(result, window)
    names = arm_names(result)
    reference = names[0] if against is None else against
    if reference not in names:
        raise unknown_name("arm", reference, names)
    arms = {name: readout(result, name, target) for name in names}
    used = {name: quantities(arm, str(result.attrs["drug"])) for name, arm in arms.items()}
    items = [item for item in used[reference] if any(used[name][item].any() for name in names)]
    priced = chosen.needed(items)
    paired = result.attrs.get("design", PAIRED) == PAIRED
    rows, swings = [], []
    theirs = _measures(arms[reference], used[reference], priced)
    for name in names:
        other = reference if name != reference else ""
        for measure, sample in _measures(arms[name], used[name], priced).items():
            rows.append(_row(name, other, measure, chosen.currency, sample, theirs[measure], paired=paired))
        if other or len(names) == 1:
            swings += _swings(name, other, used[name], used[reference] if other else None, priced)
    return CostTable(
        frame=pd.DataFrame(rows, columns=list(COLUMNS)),
        tornado=pd.DataFrame(swings, columns=list(TORNADO_COLUMNS)),
        heading=Heading.of(result, target),
        prices=chosen,
    )


def quantities(arm: ArmReadout, drug: str) -> Quantities:
    """What each patient of an arm used, by the name of its price; arrays (patient,).

    Raises
    ------
    InputError
        If the result was made by a version that did not count infusions and tests.
    """
    if arm.tests is None or arm.injections is None or math.isnan(arm.assessed):
        problem = "the result does not tell infusions, tests and the day of assessment"
        raise InputError.one(problem, "run the scenario again with this version")
    none = np.zeros(arm.drug.size)

    def number(counted: CountArray | None) -> FloatArray:
        return none if counted is None else counted.astype(np.float64)

    return {
        f"{drug}_mg": arm.drug,
        **{f"{other}_mg": used for other, used in arm.other_drugs.items()},
        "infusion": number(arm.infusions),
        "injection": number(arm.injections),
        "test": number(arm.tests),
        "infusion_reaction": number(arm.reactions),
        "loss_of_response": np.isfinite(arm.loss_time).astype(np.float64),
    }


def _measures(arm: ArmReadout, used: Quantities, priced: Mapping[str, Price]) -> dict[str, Mean | Ratio]:
    parts = {item: price.value * used[item] for item, price in priced.items()}
    cost = np.sum(list(parts.values()), axis=0) if parts else np.zeros_like(arm.drug)
    in_window = (arm.zone[:, -1] == 0).astype(np.float64) if arm.weeks else np.zeros_like(cost)
    until = np.minimum(arm.years * DAYS_PER_YEAR, np.where(np.isnan(arm.loss_time), math.inf, arm.loss_time))
    in_response = np.where(arm.responder, np.maximum(until - arm.assessed, 0.0) / DAYS_PER_YEAR, 0.0)
    return {
        "per_patient": Mean(values=cost),
        "per_patient_in_window": Ratio(numerator=cost, denominator=in_window, least=0.0),
        "per_responder_year": Ratio(numerator=cost, denominator=in_response, least=0.0),
        **{f"of_{item}": Mean(values=part) for item, part in parts.items()},
    }


def _row(
    arm: str, against: str, measure: str, currency: str, sample: Mean | Ratio, other: Mean | Ratio, *, paired: bool
) -> tuple[object, ...]:
    here = sample.interval()
    difference = Interval(estimate=math.nan, low=math.nan, high=math.nan, n=0)
    if against:
        difference = sample.minus(other) if paired else apart(here, other.interval())  # type: ignore[arg-type]
    unit = currency if measure.startswith("of_") else f"{currency} {LABELS[measure]}"
    return (
        arm, against, measure, unit, here.estimate, here.low, here.high, here.n,
        difference.estimate, difference.low, difference.high,
    )  # fmt: skip


def _swings(
    arm: str, against: str, used: Quantities, theirs: Quantities | None, priced: Mapping[str, Price]
) -> list[tuple[object, ...]]:
    """One row per price, largest swing first."""

    def mean(values: FloatArray) -> float:
        return math.fsum(values) / values.size

    amounts = {item: mean(used[item]) - (mean(theirs[item]) if theirs else 0.0) for item in priced}
    base = math.fsum(price.value * amounts[item] for item, price in priced.items())
    ends = {
        item: [base + (end - price.value) * amounts[item] for end in (price.low, price.high)]
        for item, price in priced.items()
    }
    order = sorted(priced, key=lambda item: -abs(ends[item][1] - ends[item][0]))
    return [
        (arm, against, item, priced[item].low, priced[item].high, ends[item][0], base, ends[item][1]) for item in order
    ]
