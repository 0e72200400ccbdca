"""Heat map of a what-if search: dose by interval, what is allowed, today's regimen, the best cell."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scenarios.canvas import CAPTION_SIZE, DPI, INK, LABEL_SIZE, TICK_SIZE, figure_of, finish, panel_title
from scenarios.page import window_text
from scenarios.whatif.ranking import Cell, Ranking

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

    from pkmodel.windows import TargetWindow

BLOCKED = "#d9d9d9"
EDGE = "#D55E00"


def heat_map(ranking: Ranking, ax: Axes | None = None) -> Figure:
    """Probability of the target for every dose and interval; one panel without and one with an immunomodulator.

    Hatched: not allowed. Thick outline: reaches the asked probability. Star: best. Circle: today's regimen.
    With `ax`, the first panel alone.
    """
    from matplotlib.figure import Figure

    parts = [also for also in (False, True) if any(c.option.immunomodulator is also for c in ranking.cells)]
    doses, intervals = _axes_of(ranking)
    top = max(cell.probability.estimate for cell in ranking.cells)
    if ax is not None:
        _panel(ax, ranking, doses, intervals, also=parts[0], top=top)
        ax.set_ylabel("Dose", fontsize=LABEL_SIZE, color=INK)
        return figure_of(ax)
    figure = Figure(
        figsize=(max(1.6 + len(parts) * max(0.62 * len(intervals), 3.4), 6.5), 1.2 + max(0.36 * len(doses), 2.0)),
        layout="constrained",
    )
    panels = figure.subplots(1, len(parts), sharey=True, squeeze=False)[0]
    images = []
    for number, (axes, also) in enumerate(zip(panels, parts, strict=True)):
        images.append(_panel(axes, ranking, doses, intervals, also=also, top=top))
        if number == 0:
            axes.set_ylabel("Dose", fontsize=LABEL_SIZE, color=INK)
        if len(parts) > 1:
            panel_title(axes, "With an immunomodulator" if also else "Without")
    bar = figure.colorbar(images[-1], ax=list(panels), fraction=0.04, pad=0.02)
    bar.set_label("Trough in window (%)", fontsize=LABEL_SIZE, color=INK)
    bar.ax.tick_params(labelsize=TICK_SIZE, colors=INK)
    finish(
        figure,
        f"Trough {_where(ranking.target)} by dose and interval",
        f"{ranking.who}, the same in every cell; {ranking.model}. Numbers: percent of them with the trough in the "
        f"window at the end of the horizon. Hatched: not allowed. Thick outline: at least "
        f"{100 * ranking.probability:g} %. Star: best choice. {_today_text(ranking)}"
        "For research and teaching, not for treating a patient.",
    )
    return figure


def save(ranking: Ranking, path: str | Path) -> None:
    """Write the heat map as PNG."""
    heat_map(ranking).savefig(path, dpi=DPI, metadata={"Software": None})


def _axes_of(ranking: Ranking) -> tuple[list[str], list[float]]:
    """Doses from small to large, mg/kg after mg, and intervals."""
    amounts = {cell.option.dose for cell in ranking.cells}
    ordered = sorted(amounts, key=lambda amount: (amount.per_weight, amount.value))
    return [str(amount) for amount in ordered], sorted({cell.option.interval for cell in ranking.cells})


def _where(target: TargetWindow) -> str:
    text = window_text(target).partition(", ")[2]
    return f"of {text}" if math.isinf(target.high) else f"in {text}"


def _today_text(ranking: Ranking) -> str:
    return f"Circle: today's regimen, {ranking.today}. " if ranking.today is not None else ""


def _panel(
    axes: Axes, ranking: Ranking, doses: list[str], intervals: list[float], *, also: bool, top: float
) -> AxesImage:
    shown = np.full((len(doses), len(intervals)), math.nan)
    cells: dict[tuple[int, int], Cell] = {}
    for cell in ranking.cells:
        if cell.option.immunomodulator is also:
            place = doses.index(str(cell.option.dose)), intervals.index(cell.option.interval)
            cells[place] = cell
            shown[place] = 100 * cell.probability.estimate
    image = axes.imshow(shown, origin="lower", aspect="auto", cmap="cividis", vmin=0.0, vmax=max(100 * top, 1.0))
    for (row, column), cell in cells.items():
        _mark(axes, ranking, cell, row, column, dark=shown[row, column] < 60 * top)
    axes.set_xticks(range(len(intervals)), [f"{days / 7:g}" for days in intervals])
    axes.set_yticks(range(len(doses)), doses)
    axes.tick_params(labelsize=TICK_SIZE, colors=INK, length=0)
    axes.set_xlabel("Weeks between doses", fontsize=LABEL_SIZE, color=INK)
    for side in axes.spines.values():
        side.set_visible(False)
    return image


def _mark(axes: Axes, ranking: Ranking, cell: Cell, row: int, column: int, *, dark: bool) -> None:
    """Number, hatching, outline, star and circle of one cell."""
    from matplotlib.patches import Rectangle

    box = (column - 0.5, row - 0.5)
    ink = "white" if dark else "black"
    if cell.refused:
        axes.add_patch(
            Rectangle(box, 1, 1, facecolor=BLOCKED, edgecolor="#8a8a8a", hatch="////", linewidth=0, alpha=0.9)
        )
        ink = INK
    elif cell.probability.estimate >= ranking.probability:
        axes.add_patch(Rectangle(box, 1, 1, fill=False, edgecolor=EDGE, linewidth=2.2, zorder=3))
    axes.text(
        column,
        row,
        f"{100 * cell.probability.estimate:.0f}",
        ha="center",
        va="center",
        fontsize=CAPTION_SIZE,
        color=ink,
    )
    if cell is ranking.best:
        axes.plot(column + 0.3, row + 0.22, marker="*", markersize=10, color=EDGE, markeredgecolor="white", zorder=5)
    if cell.option == ranking.today:
        axes.plot(
            column,
            row,
            marker="o",
            markersize=20,
            markerfacecolor="none",
            markeredgecolor=EDGE,
            markeredgewidth=2,
            zorder=4,
        )
