"""Cells in order: the numbers of each, which are allowed, the Pareto front, the best and the runner-up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pkmodel.errors import InputError
from pkmodel.windows import TargetWindow
from scenarios.intervals import Interval, Share
from scenarios.whatif.choosing import choose_cells
from scenarios.whatif.grid import DAYS_PER_YEAR, Grid, Limits, Option, weeks_text
from scenarios.whatif.outlook import Outcome
from scenarios.whatif.pricing import DosePrice

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

COLUMNS = (
    "rank", "dose", "interval_weeks", "immunomodulator", "probability", "low", "high", "below", "above",
    "share_in_window", "share_next", "median_trough", "mg_per_year", "antibody_risk", "cost_per_year", "pareto",
    "allowed", "today",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cell:
    """One regimen and what it does.

    Attributes
    ----------
    option
        The regimen.
    hit
        (patient,) trough at the horizon inside the window.
    probability
        Share of ``hit``, with its Monte-Carlo 95 % interval (0 to 1).
    below, above
        Share below and above the window.
    share
        Mean share of all maintenance troughs in the window.
    next_share
        Mean share of the next few (``Ranking.coming``) of them: what is to be expected soon, not at steady state.
    median
        Median trough at the horizon, mg/L.
    drug
        mg per patient and year of maintenance.
    antibody_risk
        Share with antibodies by the horizon; NaN without the antibody layer.
    cost
        Per patient and year; NaN where no price is known.
    refused
        Why it is not allowed; empty if it is.
    pareto
        No allowed cell is both at least as likely and at least as cheap, and one of them strictly.
    """

    option: Option
    hit: NDArray[np.bool_]
    probability: Interval
    below: float
    above: float
    share: float
    next_share: float
    median: float
    drug: float
    antibody_risk: float
    cost: float
    refused: str
    pareto: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ranking:
    """All cells, best first; those that are not allowed last.

    Attributes
    ----------
    cells
        First the cells that reach the asked probability, cheapest first; then the others, likeliest first.
    today
        Today's regimen, or None where there is none.
    target, probability
        What was asked.
    met
        Whether the first cell reaches it.
    coming
        Number of troughs that ``Cell.next_share`` counts.
    who, model, money
        For captions: patients, model, and what prices mean.
    """

    cells: tuple[Cell, ...]
    today: Option | None
    target: TargetWindow
    probability: float
    met: bool
    coming: int
    who: str
    model: str
    money: str = ""

    @property
    def best(self) -> Cell | None:
        """The first cell, if any is allowed."""
        return self.cells[0] if self.cells and not self.cells[0].refused else None

    @property
    def runner_up(self) -> Cell | None:
        """The second cell, if it is allowed."""
        return self.cells[1] if len(self.cells) > 1 and not self.cells[1].refused else None

    def cell(self, option: Option | None) -> Cell | None:
        """The cell of a regimen, if it is in the grid."""
        return next((cell for cell in self.cells if cell.option == option), None)

    def frame(self) -> pd.DataFrame:
        """One row per cell; shares from 0 to 1."""
        import pandas as pd

        return pd.DataFrame([self._row(k, cell) for k, cell in enumerate(self.cells, start=1)], columns=list(COLUMNS))

    def to_csv(self, path: str | Path) -> None:
        """Write the frame: UTF-8, comma, six significant digits, empty where there is no number."""
        self.frame().to_csv(path, index=False, float_format="%.6g", lineterminator="\n", encoding="utf-8")

    def _row(self, number: int, cell: Cell) -> tuple[object, ...]:
        got = cell.probability
        return (
            number, str(cell.option.dose), cell.option.interval / 7.0, cell.option.immunomodulator, got.estimate,
            got.low, got.high, cell.below, cell.above, cell.share, cell.next_share, cell.median, cell.drug,
            cell.antibody_risk, cell.cost, cell.pareto, cell.refused or "yes", cell.option == self.today,
        )  # fmt: skip


def rank(
    options: Sequence[Option],
    outcomes: Sequence[Outcome],
    weight: Floats,
    target: TargetWindow,
    grid: Grid,
    limits: Limits,
    *,
    probability: float,
    today: Option | None,
    price: DosePrice | None,
    coming: int,
    who: str,
    model: str,
) -> Ranking:
    """Put evaluated cells in order; see :class:`Ranking`.

    Raises
    ------
    InputError
        If ``coming`` is not positive.
    """
    if coming < 1:
        raise InputError.one(f"the next {coming} troughs", "give 1 or more", key="coming")
    cells = [
        _cell(option, outcome, weight, target, grid, limits, price, coming)
        for option, outcome in zip(options, outcomes, strict=True)
    ]
    front = _front(cells)
    cells = [replace(cell, pareto=k in front) for k, cell in enumerate(cells)]
    ordered = sorted(cells, key=lambda cell: _place(cell, probability))
    chosen = choose_cells(
        np.array([[cell.probability.estimate for cell in cells]]),
        np.array([cell.drug for cell in cells]),
        probability,
        np.array([not cell.refused for cell in cells]),
    )
    return Ranking(
        cells=tuple(ordered), today=today, target=target, probability=probability, met=bool(chosen.met[0]),
        coming=coming, who=who, model=model, money="" if price is None else price.money,
    )  # fmt: skip


def _place(cell: Cell, asked: float) -> tuple[bool, bool, float, float]:
    reached = cell.probability.estimate >= asked
    likely, cheap = -cell.probability.estimate, cell.drug
    return bool(cell.refused), not reached, *((cheap, likely) if reached else (likely, cheap))


def _cell(
    option: Option, outcome: Outcome, weight: Floats, target: TargetWindow, grid: Grid, limits: Limits,
    price: DosePrice | None, coming: int,
) -> Cell:  # fmt: skip
    where = target.classify(outcome.troughs)
    last = where[:, -1]
    milligrams = np.broadcast_to(option.milligrams(weight), last.shape)
    per_year = DAYS_PER_YEAR / option.interval
    vials = np.ceil(milligrams / grid.vial - 1e-9)
    return Cell(
        option=option,
        hit=last == 0,
        probability=Share(event=last == 0).interval().times(0.01),
        below=float(np.mean(last < 0)),
        above=float(np.mean(last > 0)),
        share=float(np.mean(where == 0)),
        next_share=float(np.mean(where[:, :coming] == 0)),
        median=float(np.median(outcome.troughs[:, -1])),
        # to the microgram: equal amounts must tie, whatever their last digits
        drug=round(float(np.mean(milligrams)) * per_year, 3),
        antibody_risk=outcome.antibody_risk,
        cost=math.nan if price is None else price.of_dose(float(np.mean(milligrams)), float(np.mean(vials))) * per_year,
        refused=limits.refuse(option, weight),
    )


def _front(cells: Sequence[Cell]) -> set[int]:
    """Numbers of the cells on the Pareto front: more likely or cheaper than every other allowed cell."""
    order = sorted(
        (k for k, cell in enumerate(cells) if not cell.refused),
        key=lambda k: (cells[k].drug, -cells[k].probability.estimate),
    )
    front: set[int] = set()
    highest = -1.0
    for k in order:
        if cells[k].probability.estimate > highest:
            highest = cells[k].probability.estimate
            front.add(k)
    return front


def table_lines(ranking: Ranking, count: int = 10) -> list[str]:
    """The first cells, and today's regimen, as lines that people read."""
    shown = [cell for cell in ranking.cells if not cell.refused][:count]
    today = ranking.cell(ranking.today)
    if today is not None and today not in shown:
        shown.append(today)
    risk = any(not math.isnan(cell.antibody_risk) for cell in shown)
    cost = any(not math.isnan(cell.cost) for cell in shown)
    head = ["dose", "every", "immuno-", "in window", "(95 % MC)", "below", "above", "all troughs",
            f"next {ranking.coming}", "median", "mg/year"]  # fmt: skip
    head += (["antibodies"] if risk else []) + (["cost/year"] if cost else []) + [""]
    rows = [head]
    for cell in shown:
        got = cell.probability
        note = "today" if cell is today else ""
        note += (", " if note else "") + cell.refused if cell.refused else (" *" if cell.pareto else "")
        rows.append(
            [str(cell.option.dose), weeks_text(cell.option.interval), "yes" if cell.option.immunomodulator else "no",
             f"{100 * got.estimate:.1f} %", f"({100 * got.low:.1f}–{100 * got.high:.1f})", f"{100 * cell.below:.1f} %",
             f"{100 * cell.above:.1f} %", f"{100 * cell.share:.1f} %",
             f"{100 * cell.next_share:.1f} %", f"{cell.median:.2f}", f"{cell.drug:,.0f}"]
            + ([f"{100 * cell.antibody_risk:.1f} %"] if risk else [])
            + ([f"{cell.cost:,.0f}"] if cost else [])
            + [note.strip()]
        )  # fmt: skip
    widths = [max(len(row[k]) for row in rows) for k in range(len(head))]
    return ["  ".join(text.rjust(w) for text, w in zip(row, widths, strict=True)).rstrip() for row in rows]
