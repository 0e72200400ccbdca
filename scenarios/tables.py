"""Score tables: a data frame, a file with the same bytes every time, and a page a person reads."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from scenarios.page import Cell, Heading, Line, Section, digits, key_section, weekly_sections

if TYPE_CHECKING:
    import pandas as pd

PAGE_WIDTH = 100
COLUMN_GAP = 3
MEANING = "In brackets: 95 % Monte-Carlo interval (chance in drawing patients, not doubt about the model)"

Key = tuple[str, str, str]
"""arm, metric, visit"""


def exact(value: object) -> str:
    """Cell of a CSV file: six significant digits, beyond any Monte-Carlo error; NaN is empty."""
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value + 0.0:.6g}"  # + 0.0 turns -0 into 0
    return str(value)


def write_csv(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a frame: UTF-8, comma, line feed, cells as `exact` has them."""
    import csv

    with Path(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(frame.columns)
        for row in frame.itertuples(index=False):
            writer.writerow([exact(value) for value in row])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """A frame of numbers with intervals, and its heading; see its two kinds below."""

    frame: pd.DataFrame
    heading: Heading
    VALUE: ClassVar[str]
    RESPONDERS: ClassVar[str]

    @classmethod
    def from_rows(cls, columns: Sequence[str], rows: Sequence[tuple[object, ...]], heading: Heading) -> Self:
        """Build the table from rows in the order of `columns`."""
        import pandas as pd

        return cls(frame=pd.DataFrame(rows, columns=list(columns)), heading=heading)

    def to_csv(self, path: str | Path) -> None:
        """Write the frame: UTF-8, comma, line feed, six significant digits, empty where there is no number.

        The same frame gives the same bytes.
        """
        write_csv(self.frame, path)

    def __str__(self) -> str:
        return self.text()

    def text(self, width: int = PAGE_WIDTH, *, weekly: bool = True) -> str:
        """Return the page: what matters most first, then week by week; arms side by side.

        Parameters
        ----------
        width
            Characters a line may have; arms that do not fit go into a further block below.
        weekly
            False for the key results alone.
        """
        cells = self.cells()
        parts = self._parts(cells)
        above = (*self.heading.lines(), *self._how_to_read())
        out = [wrapped for line in above for wrapped in textwrap.wrap(line, width, subsequent_indent="  ")]
        margin = _label_width([section for part in parts for section in part])
        blocks = list(self._blocks(cells, parts, width - margin))
        for part in parts if weekly else parts[:1]:
            for columns in blocks:
                out += ["", *self._block(cells, part, columns, margin)]
        return "\n".join(line.rstrip() for line in out)

    def arms(self) -> list[str]:
        """Arms of the table, in its order."""
        return list(dict.fromkeys(self.frame["arm"].tolist()))

    def sections(self, *, weekly: bool = True) -> list[tuple[str, list[tuple[str, list[str]]]]]:
        """Return what the page says, for a page of another kind: titles, and labels with one entry for each arm.

        Parameters
        ----------
        weekly
            False for the key results alone.
        """
        cells = self.cells()
        parts = self._parts(cells)
        return [
            (title, [(line.label, [self._entry(line, cells.get((arm, line.metric, line.visit))) for arm in self.arms()])
                     for line in lines])
            for part in (parts if weekly else parts[:1])
            for title, lines in part
        ]  # fmt: skip

    def _parts(self, cells: dict[Key, Cell]) -> list[list[Section]]:
        """Key results, then week by week; without parts that have no lines."""
        present = {(metric, visit) for _, metric, visit in cells}
        key = [key_section(self.heading, present, self.RESPONDERS)]
        return [part for part in (key, list(weekly_sections(present))) if any(lines for _, lines in part)]

    def cells(self) -> dict[Key, Cell]:
        """Rows of the frame by arm, metric and visit."""
        frame = self.frame
        columns = (frame[name].tolist() for name in (self.VALUE, "low", "high", "n", "unit"))
        cells = (
            Cell(value=value, low=low, high=high, n=n, unit=unit)
            for value, low, high, n, unit in zip(*columns, strict=True)
        )
        keys = zip(*(frame[name].tolist() for name in ("arm", "metric", "visit")), strict=True)
        return dict(zip(keys, cells, strict=True))

    def _entry(self, line: Line, cell: Cell | None) -> str:
        if cell is None:
            return ""
        return f"{cell.n:,}" if line.count else self._show(line.metric, cell)

    def _blocks(self, cells: dict[Key, Cell], parts: list[list[Section]], room: int) -> Iterator[dict[str, int]]:
        """Arms with their column widths, in blocks that fit beside the labels."""
        lines = [line for part in parts for _, section in part for line in section]
        block: dict[str, int] = {}
        for arm in dict.fromkeys(arm for arm, _, _ in cells):
            entries = (self._entry(line, cells.get((arm, line.metric, line.visit))) for line in lines)
            column = max(len(text) for text in (*entries, *arm.split())) + COLUMN_GAP
            if block and sum(block.values()) + column > room:
                yield block
                block = {}
            block[arm] = column
        if block:
            yield block

    def _block(
        self, cells: dict[Key, Cell], part: list[Section], columns: dict[str, int], margin: int
    ) -> Iterator[str]:
        for number, (title, lines) in enumerate(part):
            if number == 0:
                yield from _head(title.ljust(margin), columns)
                yield "-" * (margin + sum(columns.values()))
            else:
                yield from ("", title)
            for line in lines:
                entries = (
                    self._entry(line, cells.get((arm, line.metric, line.visit))).rjust(column)
                    for arm, column in columns.items()
                )
                yield f"  {line.label}".ljust(margin) + "".join(entries)

    def _how_to_read(self) -> Iterator[str]:
        raise NotImplementedError

    @staticmethod
    def _show(metric: str, cell: Cell) -> str:
        raise NotImplementedError


def _label_width(sections: list[Section]) -> int:
    """Width of the widest title or indented label."""
    texts = (text for title, lines in sections for text in (title, *(f"  {line.label}" for line in lines)))
    return max((len(text) for text in texts), default=0)


def _head(title: str, columns: dict[str, int]) -> Iterator[str]:
    """Arm names over their columns, wrapped, standing on the same base line."""
    wrapped = [textwrap.wrap(arm, width - COLUMN_GAP) for arm, width in columns.items()]
    height = max(len(lines) for lines in wrapped)
    for row in range(height):
        names = ([""] * (height - len(lines)) + lines for lines in wrapped)
        cells = "".join(name[row].rjust(width) for name, width in zip(names, columns.values(), strict=True))
        yield (title if row == height - 1 else " " * len(title)) + cells


class ScoreTable(Table):
    """Scores per arm: columns arm, metric, visit, unit, estimate, low, high, n."""

    __slots__ = ()
    VALUE = "estimate"
    RESPONDERS = "responders"

    def _how_to_read(self) -> Iterator[str]:
        yield MEANING

    @staticmethod
    def _show(metric: str, cell: Cell) -> str:
        value, low, high = (digits(x, metric, cell) for x in (cell.value, cell.low, cell.high))
        return f"{'<= ' if cell.at_limit else ''}{value} ({low}–{high})"


class CompareTable(Table):
    """Paired differences: columns arm, against, metric, visit, unit, difference, low, high, n."""

    __slots__ = ()
    VALUE = "difference"
    RESPONDERS = "responders in either arm"

    def _how_to_read(self) -> Iterator[str]:
        if self.frame.empty:
            yield "One arm only: there is nothing to compare it with."
            return
        whom = "other patients" if self.heading.randomised else "same patients"
        yield f"Difference from {self.frame['against'].iloc[0]}, {whom}; % differ in percentage points"
        yield MEANING
        if self.frame["unit"].str.contains("LLOQ").any():
            yield "* a median below the limit of quantification (LLOQ) is taken as the LLOQ"

    @staticmethod
    def _show(metric: str, cell: Cell) -> str:
        def signed(x: float) -> str:
            text = digits(x, metric, cell)
            return f"+{text}" if x > 0 and text.strip("0.") else text

        mark = "*" if cell.at_limit else ""
        return f"{mark}{signed(cell.value)} ({signed(cell.low)} to {signed(cell.high)})"
