"""Exposure and response: of those who responded, who keeps the response, by the level measured early."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pkmodel.errors import InputError
from scenarios.canvas import (
    GREY,
    INK,
    LABEL_SIZE,
    LEVEL_TICKS,
    SHADE,
    STRIP,
    dress,
    figure_of,
    finish,
    own_legend,
    panels,
    percent_axis,
    style_of,
)
from scenarios.figures.readouts import on_drug, readouts, who
from scenarios.intervals import wilson
from scenarios.metrics import MAINTENANCE_WEEK
from scenarios.readout import ArmReadout, choose_window, week_text

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pkmodel.windows import TargetWindow
    from scenarios.canvas import Entry

GROUPS = 4


def exposure_response(
    result: xr.Dataset, window: str | TargetWindow | None = None, ax: Axes | None = None, *, week: float | None = None
) -> Figure:
    """Share of primary responders who keep their response to the end, by quarters of the trough at one visit.

    Of those who stay in the trial to its end, and were on the scenario's drug at that visit; response is kept if it
    was never lost.

    Parameters
    ----------
    result
        Dataset made by `scenarios.run`.
    window
        Target window to shade; None for the scenario's own.
    ax
        Draw there instead.
    week
        Week of the visit whose measured level sorts the patients; None for the first visit from week 14 on.

    Raises
    ------
    InputError
        If there is no such visit.
    """
    target = choose_window(result, window)
    arms = readouts(result, target)
    column = _column(arms[0], week)
    figure, (axes, *_) = panels(1) if ax is None else (figure_of(ax), [ax])
    entries = [entry for number, arm in enumerate(arms) if (entry := _draw(axes, arm, column, number, len(arms)))]
    dress(axes)
    _level_axis(axes, target, arms[0].lloq, f"Measured trough at week {week_text(arms[0].weeks[column])} (µg/mL)")
    percent_axis(axes, "Responders who keep response (%)", 100.0)
    if ax is not None:
        own_legend(ax, entries)
        return figure
    left = " who stay in the trial to its end" if "leaves" in result else ""
    finish(
        figure,
        f"Response kept to week {result.attrs['duration_d'] / 7.0:g}, by early {result.attrs['drug']} level",
        f"{who(result)} Responders only{left}, in quarters of their level (mark: its median), those below the limit of "
        "quantification (LLOQ) as a group of their own. Bars: 95 % Monte-Carlo interval (Wilson). Yellow: target "
        f"window. {on_drug(result)}An association between patients; it does not say what raising a level would do.",
        entries,
    )
    return figure


def _column(arm: ArmReadout, week: float | None) -> int:
    for column, there in enumerate(arm.weeks):
        if there == week or (week is None and there >= MAINTENANCE_WEEK):
            return column
    wanted = f"at week {week:g}" if week is not None else f"from week {MAINTENANCE_WEEK:g} on"
    raise InputError.one(f"no visit {wanted}", f"visits: {', '.join(arm.visits)}", key="week")


def _draw(axes: Axes, arm: ArmReadout, column: int, number: int, arms: int) -> Entry | None:
    who_counts = arm.responder & arm.followed & arm.on_drug[:, column]
    below = arm.blq[:, column] & who_counts
    measured = np.flatnonzero(~arm.blq[:, column] & who_counts)
    ordered = measured[np.argsort(arm.trough[measured, column], kind="stable")]
    groups = [np.flatnonzero(below), *np.array_split(ordered, GROUPS)]
    style = style_of(number)
    aside = 1.0 + 0.05 * (number - (arms - 1) / 2)  # arms that have the same levels stay apart
    handle = None
    places, found = [], []
    for index, group in enumerate(groups):
        if group.size:
            level = arm.lloq * math.sqrt(STRIP) if index == 0 else float(np.median(arm.trough[group, column]))
            places.append(level * aside)
            found.append(wilson(int(np.isnan(arm.loss_time[group]).sum()), group.size).times(100.0))
    if not places:
        return None
    middle = [one.estimate for one in found]
    error = [[one.estimate - one.low for one in found], [one.high - one.estimate for one in found]]
    handle = axes.errorbar(
        places, middle, np.maximum(error, 0.0), color=style.colour, linestyle=style.line, linewidth=1.8,
        marker=style.marker, markersize=6.5, elinewidth=1.4, label=arm.name, zorder=3,
    )  # fmt: skip
    return handle, arm.name


def _level_axis(axes: Axes, window: TargetWindow, lloq: float, label: str) -> None:
    from matplotlib.ticker import NullLocator

    axes.set_xscale("log")
    low, high = lloq * STRIP, max(axes.get_xlim()[1], window.low * 1.5)
    axes.set_xlim(low, high)
    axes.xaxis.set_minor_locator(NullLocator())
    ticks = [tick for tick in LEVEL_TICKS if 1.5 * lloq <= tick <= high]
    axes.set_xticks([lloq * math.sqrt(STRIP), *ticks], ["<LLOQ", *(f"{tick:g}" for tick in ticks)])
    axes.axvspan(window.low, min(window.high, high), color=SHADE, alpha=0.3, linewidth=0, zorder=0.5)
    axes.axvspan(low, lloq, facecolor="#ededed", edgecolor="#c9c9c9", hatch="////", linewidth=0, zorder=0.4)
    axes.axvline(lloq, color=GREY, linewidth=1.0, linestyle=(0, (4, 3)), zorder=0.6)
    axes.set_xlabel(label, fontsize=LABEL_SIZE, color=INK)
