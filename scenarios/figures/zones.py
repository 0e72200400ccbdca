"""Below, in and above the target window, visit by visit: stacked shares that add up to all patients on the drug."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pkmodel.errors import unknown_name
from scenarios.canvas import (
    GREY,
    INK,
    LABEL_SIZE,
    SHADE,
    columns_for,
    dress,
    figure_of,
    finish,
    own_legend,
    panel_title,
    panels,
    percent_axis,
)
from scenarios.figures.readouts import on_drug, readouts, who
from scenarios.metrics import METRICS
from scenarios.page import window_text
from scenarios.readout import ArmReadout, choose_window

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.container import ErrorbarContainer
    from matplotlib.figure import Figure

    from pkmodel.windows import TargetWindow

# Dark, light, middle: told apart in grey as well; yellow is the window in every picture.
ZONES = (
    ("below_window", "below the window", "#0072B2", "white"),
    ("in_window", "in the window", SHADE, INK),
    ("above_window", "above the window", "#D98200", INK),
)
_ROOM_FOR_NUMBER = 5.0  # percent of the height that a number inside a bar needs


def zones(
    result: xr.Dataset, window: str | TargetWindow | None = None, ax: Axes | None = None, *, arm: str | None = None
) -> Figure:
    """Share of patients below, in and above the window at each visit, one panel per arm.

    Parameters
    ----------
    result
        Dataset made by `scenarios.run`.
    window
        Name of a target window, or the window itself; None for the scenario's own.
    ax
        Draw one arm there instead.
    arm
        The arm to draw into `ax`; None for the first.

    Raises
    ------
    UnknownNameError
        If there is no such arm.
    """
    target = choose_window(result, window)
    arms = readouts(result, target)
    if ax is not None:
        names = [one.name for one in arms]
        if arm is not None and arm not in names:
            raise unknown_name("arm", arm, names)
        chosen = arms[names.index(arm) if arm is not None else 0]
        handles = _draw(ax, chosen, wide=True)
        dress(ax)
        _axes(ax, chosen, first=True, last=True)
        own_legend(ax, list(zip(handles, (words for _, words, _, _ in ZONES), strict=True)))
        return figure_of(ax)
    figure, axes = panels(len(arms))
    columns = columns_for(len(arms))
    for number, (panel, one) in enumerate(zip(axes, arms, strict=True)):
        handles = _draw(panel, one, wide=len(arms) <= 2)
        dress(panel, first=number % columns == 0)
        _axes(panel, one, first=number % columns == 0, last=number >= len(arms) - columns)
        panel_title(panel, one.name)
    widest = max(
        (r.sample.interval().high - r.sample.interval().low) / 2
        for one in arms
        for metric, *_ in ZONES
        for r in METRICS[metric](one)
    )
    finish(
        figure,
        f"Below, in and above the target window: {window_text(target)}",
        f"{who(result)} Measured {result.attrs['drug']} troughs; a level below the limit of quantification counts as "
        f"below the window. {on_drug(result)}"
        f"95 % Monte-Carlo interval of each share: ±{widest:.1f} percentage points or less (Wilson).",
        list(zip(handles, (words for _, words, _, _ in ZONES), strict=True)),
    )
    return figure


def _draw(axes: Axes, arm: ArmReadout, *, wide: bool) -> list[Artist | ErrorbarContainer]:
    """Stacked bars, evenly spaced; `wide` leaves room for numbers in them."""
    places = range(len(arm.weeks))
    floor = np.zeros(len(arm.weeks))
    handles: list[Artist | ErrorbarContainer] = []
    for metric, words, colour, ink in ZONES:
        shares = np.array([reading.sample.interval().estimate for reading in METRICS[metric](arm)])
        bars = axes.bar(places, shares, 0.86, bottom=floor, color=colour, edgecolor="white", linewidth=0.8, label=words)
        for place, share, start in zip(places, shares, floor, strict=True):
            if wide and share >= _ROOM_FOR_NUMBER:
                axes.text(place, start + share / 2, f"{share:.0f}", ha="center", va="center", fontsize=9, color=ink)
        floor += shares
        handles.append(bars[0])
    return handles


def _axes(axes: Axes, arm: ArmReadout, *, first: bool, last: bool) -> None:
    percent_axis(axes, "Patients (%)", 100.0)
    axes.set_ylim(0.0, 100.0)
    axes.grid(visible=False)
    axes.yaxis.label.set_visible(first)
    axes.tick_params(axis="x", length=0)
    axes.spines["bottom"].set_color(GREY)
    axes.set_xticks(range(len(arm.visits)), arm.visits)
    axes.set_xlim(-0.55, len(arm.visits) - 0.45)
    if last:
        axes.set_xlabel("Visit, weeks since first dose", fontsize=LABEL_SIZE, color=INK)
