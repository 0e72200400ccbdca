"""From the text of a table to numbers: cells, header, units; nothing is judged here but what is no number."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pkmodel.errors import Fault, InputError
from pkmodel.files import read_text
from pkmodel.nonmem.columns import COMMENT, RESERVED, Column, read_header

Floats = NDArray[np.float64]

MISSING = ("", ".")
NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
"""What a cell may hold; Python's ``float`` also takes "1_000" and digits of other scripts."""
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
_COMMENT_MARKS = ("C", "@", "#")
_NEEDED = ("ID", "TIME")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RawTable:
    """Columns as numbers in internal units, NaN where a cell is empty or ".".

    Attributes
    ----------
    values
        Column name to (record,) numbers; the names of :data:`~pkmodel.nonmem.columns.RESERVED`, and covariates.
    heads, factors
        Column name to the text of its header cell, and to the factor that took it to the internal unit.
    covariates, ignored
        Names of the covariates; header texts of columns that mean nothing here.
    comments
        How many rows were left out as remarks.
    faults
        What is wrong with header and cells so far.
    """

    file: str
    line: NDArray[np.int64]
    values: Mapping[str, Floats]
    heads: Mapping[str, str]
    factors: Mapping[str, float]
    covariates: tuple[str, ...]
    ignored: tuple[str, ...]
    comments: int
    faults: tuple[Fault, ...]

    def get(self, name: str) -> Floats:
        """The column, all NaN where the table has none."""
        return self.values[name] if name in self.values else np.full(self.line.size, np.nan)

    def zero(self, name: str) -> Floats:
        """The column with 0 where a cell is empty."""
        return np.nan_to_num(self.get(name), nan=0.0, posinf=np.inf, neginf=-np.inf)


def read_raw(path: str | Path, time_unit: str | None) -> RawTable:
    """Read a comma-separated table.

    Parameters
    ----------
    path
        A UTF-8 file: a header, then one record per row.
    time_unit
        Unit of bare TIME, II, DUR and RATE columns; None where the header states it.

    Raises
    ------
    InputError
        If there is no table at all to speak of: no file, no records, no ID or TIME, a time without unit.
    """
    file = str(path)
    rows = _rows(read_text(path), file)
    (head_line, head), body = rows[0], rows[1:]
    columns, faults = _columns(head, file, head_line, time_unit)
    remarks = [place for place, cell in enumerate(head) if cell.upper() == COMMENT]
    kept = [row for row in body if not any(_is_remark(row[1], place) for place in remarks)]
    ragged = [(line, cells) for line, cells in kept if len(cells) != len(head)]
    for line, cells in ragged:
        problem = f"{len(cells)} cells under a header of {len(head)}"
        faults.append(Fault(problem=problem, remedy="one cell per column", file=file, line=line))
    kept = [row for row in kept if len(row[1]) == len(head)]
    lines = np.array([line for line, _ in kept], np.int64)
    values: dict[str, Floats] = {}
    for place, column in enumerate(columns):
        if column is not None:
            cells = [cells[place] for _, cells in kept]
            values[column.name], bad = _numbers(cells, lines, column, file)
            faults += bad
    return RawTable(
        file=file,
        line=lines,
        values=values,
        heads={column.name: column.head for column in columns if column is not None},
        factors={column.name: column.factor for column in columns if column is not None},
        covariates=tuple(column.name for column in columns if column is not None and column.covariate),
        ignored=tuple(
            cell for cell, column in zip(head, columns, strict=True) if column is None and cell.upper() != COMMENT
        ),
        comments=len(body) - len(kept) - len(ragged),
        faults=tuple(faults),
    )


def _is_remark(cells: list[str], place: int) -> bool:
    return place < len(cells) and cells[place].upper() in _COMMENT_MARKS


def _rows(text: str, file: str) -> list[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows, line = [], 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((line, [cell.strip() for cell in cells]))
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError.one(f"not CSV: {error}", "check the quotes", file=file, line=reader.line_num) from None
    if not rows:
        raise InputError.one("the file is empty", "write a header and one record per row", file=file, line=1)
    if len(rows[0][1]) == 1 and re.search(r"[;\t ]", rows[0][1][0]):
        raise InputError.one("cells are not separated by commas", "save it as CSV", file=file, line=rows[0][0])
    if len(rows) == 1:
        raise InputError.one("there are no records", "add one record per row", file=file, line=rows[0][0])
    return rows


def _columns(head: list[str], file: str, line: int, time_unit: str | None) -> tuple[list[Column | None], list[Fault]]:
    columns: list[Column | None] = []
    faults: list[Fault] = []
    for cell in head:
        try:
            columns.append(read_header(cell, time_unit))
        except InputError as error:
            columns.append(None)
            faults += [_at(one, cell, file, line) for one in error.faults]
    names = [column.name for column in columns if column is not None]
    for name in sorted({name for name in names if names.count(name) > 1}):
        problem = "this column is there twice"
        faults.append(Fault(key=name, problem=problem, remedy="remove one", file=file, line=line))
    for name in _NEEDED:
        if name not in names and not any(fault.key.upper().startswith(name) for fault in faults):
            remedy = f"columns are {', '.join(RESERVED)}, and covariates"
            faults.append(Fault(key=name, problem="there is no such column", remedy=remedy, file=file, line=line))
    if faults:
        raise InputError(faults)
    return columns, faults


def _at(fault: Fault, cell: str, file: str, line: int) -> Fault:
    return Fault(key=cell, problem=fault.problem, remedy=fault.remedy, file=file, line=line)


def _numbers(cells: list[str], lines: NDArray[np.int64], column: Column, file: str) -> tuple[Floats, list[Fault]]:
    """One column; a faulty cell becomes NaN and a fault."""
    if all(cell in MISSING or NUMBER.fullmatch(cell) for cell in cells):
        found = np.array(["nan" if cell in MISSING else cell for cell in cells], dtype=np.float64)
        if not np.isinf(found).any():
            return found * column.factor, []
    values = np.full(len(cells), np.nan)
    faults = []
    for place, (cell, line) in enumerate(zip(cells, lines.tolist(), strict=True)):
        outcome = _number(cell)
        if isinstance(outcome, str):
            said = f"'{cell}' {outcome}"
            faults.append(Fault(key=column.head, problem=said, remedy=_remedy(cell), file=file, line=line))
        else:
            values[place] = outcome * column.factor
    return values, faults


def _number(cell: str) -> float | str:
    if cell in MISSING:
        return float("nan")
    if not NUMBER.fullmatch(cell):
        return "is not finite" if _NOT_FINITE.fullmatch(cell) else "is not a number"
    value = float(cell)
    return value if np.isfinite(value) else "is not finite"


def _remedy(cell: str) -> str:
    if re.fullmatch(r"[+-]?[0-9]+,[0-9]+", cell):
        return "write a decimal point"
    if cell.startswith("<"):
        return "write BLQ 1 and the limit in LLOQ"
    return "write a number, or '.' where there is none"


def told(raw: RawTable) -> Iterator[str]:
    """What a reader should know about columns and rows that were left out."""
    if raw.ignored:
        yield f"columns that mean nothing here were left out: {', '.join(raw.ignored)}"
    if raw.comments:
        yield f"{raw.comments} rows marked as remarks were left out"
