"""Differences between arms: every key result, each arm minus the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pkmodel.errors import InputError
from scenarios.canvas import (
    FAINT,
    GREY,
    INK,
    LABEL_SIZE,
    TICK_SIZE,
    dress,
    figure_of,
    finish,
    own_legend,
    plain,
    style_of,
)
from scenarios.comparing import compare
from scenarios.figures.readouts import who
from scenarios.page import Line, key_section
from scenarios.readout import arm_names

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pkmodel.windows import TargetWindow
    from scenarios.canvas import Entry
    from scenarios.tables import CompareTable

_POINTS = "percentage points"
_UNITS = {"ug/mL": "µg/mL", "mg/patient-year": "mg per patient-year", "doses/patient-year": "doses per patient-year"}
_IN_FULL = {
    "below_window": "Below the window at that visit",
    "above_window": "Above the window at that visit",
    "ada_inconclusive": "Samples inconclusive, drug-sensitive",
}
_ROW = 0.36  # inches


def differences(
    result: xr.Dataset, window: str | TargetWindow | None = None, ax: Axes | None = None, *, against: str | None = None
) -> Figure:
    """Key results of each arm minus those of the reference arm, with 95 % intervals.

    Paired, in the same patients; of a randomised result, of two groups of different patients.

    Percentages share a panel; what has another unit has an axis of its own. With `ax`, the percentages alone.

    Parameters
    ----------
    result
        Dataset made by `scenarios.run`.
    window
        Name of a target window, or the window itself; None for the scenario's own.
    ax
        Draw the percentages there instead.
    against
        Arm to compare with; None for the first.

    Raises
    ------
    InputError
        For an unknown arm or window, or if there is one arm only.
    """
    table = compare(result, against=against, window=window)
    if table.frame.empty:
        raise InputError.one("one arm only: there is nothing to compare it with", "give a result of two arms or more")
    groups = _groups(table)
    reference = str(table.frame["against"].iloc[0])
    arms = [name for name in arm_names(result) if name != reference]
    if ax is not None:
        entries = _panel(ax, table, groups[_POINTS], _POINTS, arms)
        own_legend(ax, entries)
        return figure_of(ax)
    from matplotlib.figure import Figure

    heights = [max(len(lines), 1) * (0.6 + 0.4 * len(arms)) + 1.9 for lines in groups.values()]
    figure = Figure(figsize=(9.0, _ROW * sum(heights)), layout="constrained")
    axes = figure.subplots(len(groups), 1, height_ratios=heights, squeeze=False)[:, 0]
    entries = []
    for panel, (unit, lines) in zip(axes, groups.items(), strict=True):
        entries = _panel(panel, table, lines, unit, arms)
    limit = table.frame["unit"].str.contains("LLOQ").any()
    randomised = table.heading.randomised
    bars = "95 % Monte-Carlo interval of two groups" if randomised else "paired 95 % Monte-Carlo interval"
    finish(
        figure,
        f"Difference from ‘{reference}’ in {'other' if randomised else 'the same'} patients",
        f"{who(result)} Right of the line: more than with ‘{reference}’. Bars: {bars}; it "
        "is chance in drawing patients, not doubt about the model."
        + (" A median below the limit of quantification is taken as that limit." if limit else ""),
        entries,
    )
    return figure


def _groups(table: CompareTable) -> dict[str, list[Line]]:
    """Lines of the key section by unit; percentages first."""
    frame = table.frame
    present = set(zip(frame["metric"], frame["visit"], strict=True))
    units = {(m, v): u for m, v, u in zip(frame["metric"], frame["visit"], frame["unit"], strict=True)}
    groups: dict[str, list[Line]] = {_POINTS: []}
    for line in key_section(table.heading, present, "")[1]:
        if not line.count:
            groups.setdefault(units[line.metric, line.visit].partition(" (")[0], []).append(line)
    return groups


def _panel(axes: Axes, table: CompareTable, lines: list[Line], unit: str, arms: list[str]) -> list[Entry]:
    """Draw one unit: a row for each line, the arms below each other in it."""
    cells = table.cells()
    entries: list[Entry] = []
    for number, arm in enumerate(arms):
        style = style_of(number + 1)  # the reference has the first style in all other pictures
        aside = (number - (len(arms) - 1) / 2) * 0.8 / max(len(arms), 2)
        rows = [cells[arm, line.metric, line.visit] for line in lines]
        middle = [row.value for row in rows]
        error = [[row.value - row.low for row in rows], [row.high - row.value for row in rows]]
        handle = axes.errorbar(
            middle, np.arange(len(lines)) + aside, xerr=np.maximum(error, 0.0), linestyle="none",
            color=style.colour, marker=style.marker, markersize=6.5, elinewidth=1.8, capsize=3, label=arm, zorder=3,
        )  # fmt: skip
        entries.append((handle, arm))
    dress(axes)
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", color="#e4e4e4", linewidth=0.7)
    axes.axvline(0.0, color=FAINT, linewidth=1.2, zorder=1)
    axes.set_yticks(range(len(lines)), [plain(_label(line)) for line in lines], fontsize=TICK_SIZE, color=INK)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_color(GREY)
    axes.set_ylim(len(lines) - 0.4, -0.6)
    axes.margins(x=0.12)
    axes.set_xlabel(f"Difference ({_UNITS.get(unit, unit)})", fontsize=LABEL_SIZE, color=INK)
    return entries


def _label(line: Line) -> str:
    """Label of the table without its unit, which is on the axis; what is indented there is named in full."""
    text = line.label.strip()
    words = _IN_FULL.get(line.metric) or text.rpartition(" (")[0] or text.removesuffix(" per patient-year")
    return f"{words}, of responders" if line.metric == "loss_of_response" else words
