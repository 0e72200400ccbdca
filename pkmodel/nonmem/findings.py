"""What a lint finds: faults and warnings with row, column, value and remedy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pkmodel.errors import Fault
from pkmodel.nonmem.reading import RawTable, told
from pkmodel.nonmem.table import DOSE, OBSERVATION, OTHER

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lint:
    """What is wrong (``faults``) and what is odd (``warnings``), in order of lines."""

    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]


@dataclass(slots=True)
class Findings:
    """Collects faults and warnings of one table."""

    raw: RawTable
    faults: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)

    def fault(self, where: Mask, column: str, problem: str | Callable[[int], str], remedy: str) -> None:
        """One fault for each row where the mask is true; "{}" in the problem is the cell's own value."""
        self._add(self.faults, where, column, problem, remedy)

    def warn(self, where: Mask, column: str, problem: str | Callable[[int], str], remedy: str) -> None:
        """One warning for each row where the mask is true."""
        self._add(self.warnings, where, column, problem, remedy)

    def header(self, column: str, problem: str, remedy: str) -> None:
        """One fault of a whole column."""
        self.faults.append(Fault(key=column, problem=problem, remedy=remedy, file=self.raw.file, line=1))

    def _add(self, to: list[Fault], where: Mask, column: str, problem: str | Callable[[int], str], remedy: str) -> None:
        values = self.raw.get(column)
        # a cell that is no number has been told already
        told = {fault.line for fault in self.raw.faults if fault.key == self.raw.heads.get(column, column)}
        for row in np.flatnonzero(where).tolist():
            if int(self.raw.line[row]) in told:
                continue
            said = problem(row) if callable(problem) else problem.format(f"{values[row]:g}")
            who = f"{said} (ID {self.raw.get('ID')[row]:g})"
            to.append(
                Fault(
                    key=self.raw.heads.get(column, column), problem=who, remedy=remedy,
                    file=self.raw.file, line=int(self.raw.line[row]),
                )
            )  # fmt: skip

    def done(self) -> Lint:
        """All findings in order of lines."""
        about = [Fault(problem=text, file=self.raw.file) for text in told(self.raw)]

        def by_line(fault: Fault) -> int:
            return fault.line or 0

        return Lint(
            faults=tuple(sorted([*self.raw.faults, *self.faults], key=by_line)),
            warnings=tuple(sorted([*about, *self.warnings], key=by_line)),
        )


def event_codes(raw: RawTable) -> NDArray[np.int64]:
    """EVID of every record; where the column is absent as NM-TRAN fills it: a dose has an amount, a steady-state
    or a rate, and a record without either and with MDV 1 is of the other type."""
    if "EVID" in raw.values:
        return np.nan_to_num(raw.get("EVID"), nan=-1.0).astype(np.int64)
    dosing = (raw.zero("AMT") != 0.0) | (raw.zero("RATE") != 0.0) | (raw.zero("SS") != 0.0)
    return np.where(dosing, DOSE, np.where(raw.zero("MDV") == 1.0, OTHER, OBSERVATION)).astype(np.int64)
