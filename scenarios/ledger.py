"""The ledger: what was seen, what was decided and why, for every patient.

A row is written for a patient and day on which something happened: a dose was due, given or missed, a result came in,
symptoms appeared, or treatment was changed. Results are those in hand at the decision, with the day of their sample;
one result can stand in several rows (count samples by ``sampled_day``). On the day of a switch ``drug``, ``dose_mg``
and what follows are the new drug's, results the old one's.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pkmodel.errors import InputError
from scenarios.attendance import Absent
from scenarios.decisions import decisions, usual_reason, words
from scenarios.plan import Instructions
from scenarios.visit import Orders, Visit

if TYPE_CHECKING:
    from scenarios.arm import ArmRun

COLUMNS = (
    "arm", "patient", "day", "week", "drug", "level_ug_per_mL", "blq", "ada_drug_sensitive", "ada_drug_tolerant",
    "titre_ug_per_mL_eq", "symptoms", "sampled_day", "decision", "reason", "dose_mg", "interval_d", "next_dose_mg",
)  # fmt: skip

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Page:
    """What happened on one day in one arm; arrays (row,)."""

    day: float
    reasons: tuple[str, ...]
    columns: Mapping[str, NDArray[Any]]


@dataclass(slots=True, kw_only=True, eq=False)
class Pages:
    """Pages of one arm and one chunk of patients."""

    arm: str
    drugs: tuple[str, ...] = ()
    pages: list[_Page] = field(default_factory=list)
    had_symptoms: NDArray[np.bool_] | None = None

    def take_down(self, run: ArmRun, visit: Visit, orders: Orders, carried: Instructions, away: Absent) -> None:
        """Write a page for today; ``run`` has carried the orders out."""
        plan, n = run.plan, visit.due.size
        self.drugs = run.names
        bits = decisions(visit, carried, away, run.names)
        symptoms = visit.symptoms
        appeared = symptoms if self.had_symptoms is None else symptoms & ~self.had_symptoms
        self.had_symptoms = symptoms
        seen = visit.due | carried.give | visit.new_result | appeared
        rows = np.flatnonzero(((bits != 0) | seen) & (visit.day < run.leaves))
        if not rows.size:
            return
        reason = np.zeros(n, np.intp) if orders.reason is None else orders.reason
        ahead = np.isfinite(plan.next_due)
        columns: dict[str, NDArray[Any]] = {
            "patient": run.patients.ids,
            "drug": plan.drug,
            "level": visit.level,
            "blq": visit.below_lloq,
            "sensitive": visit.antibody_sensitive,
            "tolerant": visit.antibody_tolerant,
            "titre": visit.titre,
            "symptoms": symptoms,
            "sampled_day": visit.sampled_day,
            "decision": bits,
            "reason": reason,
            "dose": np.where(carried.give, carried.amount, 0.0),
            "interval": plan.interval,
            "next_dose": np.where(ahead, plan.dose, math.nan),
        }
        self.pages.append(
            _Page(
                day=visit.day,
                reasons=orders.reasons,
                columns={name: values[rows].copy() for name, values in columns.items()},
            )
        )

    def rows(self) -> Iterator[Row]:
        """All rows in order of day."""
        for page in self.pages:
            got = page.columns
            for k in range(got["patient"].size):
                yield self._row(page, {name: values[k] for name, values in got.items()})

    def _row(self, page: _Page, got: Mapping[str, Any]) -> Row:
        decision = words(int(got["decision"]))
        sampled = not math.isnan(got["sampled_day"])
        row: Row = {
            "arm": self.arm,
            "patient": int(got["patient"]),
            "day": page.day,
            "week": page.day / 7.0,
            "drug": self.drugs[int(got["drug"])],
            "level_ug_per_mL": _number(got["level"]),
            "blq": int(got["blq"]) if sampled else None,
            "ada_drug_sensitive": int(got["sensitive"]) if sampled else None,
            "ada_drug_tolerant": int(got["tolerant"]) if sampled else None,
            "titre_ug_per_mL_eq": _number(got["titre"]),
            "symptoms": int(got["symptoms"]),
            "sampled_day": _number(got["sampled_day"]),
            "decision": decision,
            "reason": "",
            "dose_mg": float(got["dose"]),
            "interval_d": _number(got["interval"]),
            "next_dose_mg": _number(got["next_dose"]),
        }
        template = page.reasons[int(got["reason"])]
        row["reason"] = _filled(template, row) if template else usual_reason(decision)
        return row


class Ledger:
    """Every decision of every patient of a run; empty until it is given to :func:`scenarios.run`.

    Examples
    --------
    ``ledger = sc.Ledger(); sc.run(trial, ledger=ledger); ledger.write_csv("ledger.csv")``
    """

    def __init__(self) -> None:
        self._chunks: list[Pages] = []

    def pages(self, arm: str) -> Pages:
        """A fresh set of pages for one arm and chunk."""
        chunk = Pages(arm=arm)
        self._chunks.append(chunk)
        return chunk

    def rows(self, *, arm: str | None = None, patient: int | None = None) -> list[Row]:
        """Return rows as dictionaries (keys: ``COLUMNS``; None where a cell is empty), by arm, patient and day."""
        order = {name: number for number, name in enumerate(dict.fromkeys(chunk.arm for chunk in self._chunks))}
        found = [
            row
            for chunk in self._chunks
            if arm is None or chunk.arm == arm
            for row in chunk.rows()
            if patient is None or row["patient"] == patient
        ]
        return sorted(found, key=lambda row: (order[row["arm"]], row["patient"], row["day"]))

    def write_csv(self, path: str | Path) -> None:
        """Write the ledger: UTF-8, empty cells where there is nothing, numbers that read back as the same bits."""
        with Path(path).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for row in self.rows():
                writer.writerow(["" if row[name] is None else _cell(row[name]) for name in COLUMNS])


def read_csv(path: str | Path) -> list[Row]:
    """Read the rows of a ledger again.

    Raises
    ------
    InputError
        If the file has other columns, or a cell is no number where one belongs.
    """
    with Path(path).open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise InputError.one(
                "these are not the columns of a ledger", "give a file of 'pkmodel run --ledger'", file=str(path)
            )
        return [_parsed(row, str(path), line) for line, row in enumerate(reader, start=2)]


_TEXT = ("arm", "drug", "decision", "reason")
_WHOLE = ("patient", "blq", "ada_drug_sensitive", "ada_drug_tolerant", "symptoms")


def _parsed(row: Mapping[str, str], file: str, line: int) -> Row:
    out: Row = {}
    for name in COLUMNS:
        text = row[name]
        try:
            if name in _TEXT:
                out[name] = text
            elif text == "":
                out[name] = None
            else:
                out[name] = int(text) if name in _WHOLE else float(text)
        except ValueError:
            raise InputError.one(
                f"'{text}' is not a number", "leave the ledger as it was written", key=name, file=file, line=line
            ) from None
    return out


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _cell(value: object) -> str:
    return repr(value) if isinstance(value, float) else str(value)


def _filled(template: str, row: Row) -> str:
    """A reason with its numbers, to three significant digits."""
    level, titre = row["level_ug_per_mL"], row["titre_ug_per_mL_eq"]
    said = {
        "level": "not measured" if row["blq"] is None else "below the LLOQ" if level is None else f"{level:.3g} ug/mL",
        "titre": "not measured" if titre is None else f"{titre:.3g} ug/mL-eq",
    }
    return template.format(**said)
