"""Results as sentences: one for each arm, one list for each comparison, each number with its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scenarios.page import Cell, digits

if TYPE_CHECKING:
    from scenarios.tables import CompareTable, ScoreTable

NARROW = "\u00a0"  # keeps a number and its unit on one line
_SUBJECTS = {
    "loss_of_response": "Loss of response",
    "ada_drug_sensitive": "Patients with antibodies by the drug-sensitive assay",
    "ada_drug_tolerant": "Patients with antibodies by the drug-tolerant assay",
    "time_in_window": "Time in the target window",
    "trough_median": "Median trough at the last visit",
    "drug_per_year": "Drug used, mg per patient and year",
    "infusion_reactions": "Patients with an infusion reaction",
}
"""What a reader is told of a comparison, in this order; everything else is in the table."""
_UNITS = {
    "percent": f"{NARROW}%",
    "percentage points": f"{NARROW}points",
    "ug/mL": f"{NARROW}µg/mL",
    "mg/patient-year": "",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSentence:
    """What happened in an arm.

    Attributes
    ----------
    arm
        Its name.
    text
        The rest of the sentence.
    """

    arm: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What is different in one arm from the reference.

    Attributes
    ----------
    arm, against
        Names.
    phrases
        (subject, what), such as ("Loss of response", "71.1 % instead of 14.0 %: 57.1 points more (56.0 to 58.1)").
    """

    arm: str
    against: str
    phrases: tuple[tuple[str, str], ...]


def arm_sentences(scores: ScoreTable) -> list[ArmSentence]:
    """One sentence for each arm."""
    cells = scores.cells()
    last = max((visit for _, _, visit in cells if visit), key=float)
    return [ArmSentence(arm=arm, text=_sentence(scores, arm, last)) for arm in scores.arms()]


def _sentence(scores: ScoreTable, arm: str, last: str) -> str:
    cells = scores.cells()

    def percent(metric: str, visit: str = "") -> str:
        cell = cells[arm, metric, visit]
        value, low, high = (digits(x, metric, cell) for x in (cell.value, cell.low, cell.high))
        return f"{value}{NARROW}% ({low}–{high})"

    trough = cells[arm, "trough_median", last]
    level = digits(trough.value, "trough_median", trough)
    about = (
        "was below what the assay can measure"
        if trough.at_limit
        else f"was {level} µg/mL {_range(trough, scores.heading.lloq)}"
    )
    loss = cells[arm, "loss_of_response", ""]
    heading = scores.heading
    stayed = " and stayed to the end" if heading.leaving else ""
    once = " at least once" if heading.first_loss else ""
    of_whom = f"those on {heading.drug}" if heading.switching else "patients"
    lost = (
        f"{percent('loss_of_response')} of the {loss.n:,} patients who had responded{stayed} lost response{once}"
        if loss.n
        else "no patient responded, so none could lose response"
    )
    return (
        f"{lost}; antibodies were found at least once in {percent('ada_drug_sensitive')} of all patients with the "
        f"drug-sensitive assay and in {percent('ada_drug_tolerant')} with the drug-tolerant one; at week {last} the "
        f"median trough {about}, and {percent('in_window', last)} of {of_whom} were in the target window."
    )


def _range(cell: Cell, lloq: float) -> str:
    low = f"below {lloq:g}" if cell.low < lloq else digits(cell.low, "trough_median", cell)
    return f"({low} to {digits(cell.high, 'trough_median', cell)})"


def difference_sentences(scores: ScoreTable, comparison: CompareTable) -> list[Difference]:
    """What differs from the reference arm, for each other arm."""
    cells, single = comparison.cells(), scores.cells()
    last = max((visit for _, _, visit in cells if visit), key=float, default="")
    found = []
    for arm in comparison.arms():
        against = str(comparison.frame["against"].iloc[0])
        phrases = []
        for metric, subject in _SUBJECTS.items():
            visit = last if metric == "trough_median" else ""
            cell = cells.get((arm, metric, visit))
            if cell is None or not cell.n or math.isnan(cell.low):
                continue
            ours, theirs = (_value(metric, single[name, metric, visit]) for name in (arm, against))
            if metric == "drug_per_year" and scores.heading.switching:
                subject = f"{scores.heading.drug.capitalize()} used (other drugs not counted), mg per patient and year"
            phrases.append((subject, f"{ours} instead of {theirs}: {_amount(metric, cell)}"))
        found.append(Difference(arm=arm, against=against, phrases=tuple(phrases)))
    return found


def _value(metric: str, cell: Cell) -> str:
    limit = "at or below " if cell.at_limit else ""
    return f"{limit}{digits(cell.value, metric, cell)}{_UNITS[cell.unit.partition(' (')[0]]}"


def _amount(metric: str, cell: Cell) -> str:
    """Amount with its direction, and the interval in the same direction, so that nobody has to turn signs."""
    unit = _UNITS[cell.unit.partition(" (")[0]]
    if cell.low == cell.high == 0.0:
        return "exactly the same"
    if cell.low <= 0.0 <= cell.high:
        low, high = (digits(x, metric, cell) for x in (abs(cell.low), cell.high))
        return f"no clear difference ({low}{unit} less to {high}{unit} more)"
    near, far = sorted((abs(cell.low), abs(cell.high)))
    size, low, high = (digits(x, metric, cell) for x in (abs(cell.value), near, far))
    return f"{size}{unit} {'more' if cell.value > 0.0 else 'less'} ({low} to {high})"
