"""Measured troughs by visit, arm by arm, against the target window."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from scenarios.canvas import (
    FAINT,
    STRIP,
    Style,
    columns_for,
    dress,
    figure_of,
    finish,
    level_axis,
    own_legend,
    panel_title,
    panels,
    style_of,
    week_axis,
)
from scenarios.figures.readouts import on_drug, readouts, who
from scenarios.intervals import FloatArray, Median
from scenarios.page import window_text
from scenarios.readout import ArmReadout, choose_window

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pkmodel.windows import TargetWindow

QUANTILES = (0.05, 0.25, 0.75, 0.95)


def troughs(result: xr.Dataset, window: str | TargetWindow | None = None, ax: Axes | None = None) -> Figure:
    """Measured troughs by visit: median, middle 50 % and 90 % of patients, the window shaded.

    One panel per arm, the other arms' medians in grey for comparison; with `ax`, all medians and their 50 %
    bands in one. The scale is logarithmic down to the limit of quantification; below it lies a strip on which
    nothing pretends to know how low a level was.
    """
    target = choose_window(result, window)
    arms = readouts(result, target)
    curves = [(_medians(arm), _quantiles(arm)) for arm in arms]
    high = _highest(target, curves)
    if ax is not None:
        for number, (arm, curve) in enumerate(zip(arms, curves, strict=True)):
            _draw_troughs(ax, arm, curve, style_of(number), wide=False)
        dress(ax)
        week_axis(ax, arms[0].weeks)
        level_axis(ax, target, arms[0].lloq, high, margin=True)
        own_legend(ax)
        return figure_of(ax)
    figure, axes = panels(len(arms))
    columns = columns_for(len(arms))
    for number, (panel, arm, curve) in enumerate(zip(axes, arms, curves, strict=True)):
        for other, (medians, _) in zip(arms, curves, strict=True):
            if other is not arm:
                panel.plot(other.weeks, _on_strip(medians, arm.lloq), color=FAINT, linewidth=1.0, zorder=2)
        _draw_troughs(panel, arm, curve, style_of(number), wide=True)
        dress(panel, first=number % columns == 0)
        week_axis(panel, arm.weeks, last=number >= len(arms) - columns)
        ends_row = (number + 1) % columns == 0 or number == len(arms) - 1
        level_axis(panel, target, arm.lloq, high, margin=ends_row)
        panel_title(panel, arm.name)
    others = "Thin grey lines: medians of the other arms. " if len(arms) > 1 else ""
    finish(
        figure,
        f"Measured {result.attrs['drug']} troughs",
        f"{who(result)} Line: median; dark band: middle 50 % of patients, light band: middle 90 %; open "
        f"marker: median below the limit of quantification (LLOQ). {others}"
        f"{on_drug(result)}Yellow: target window {window_text(target)}.",
    )
    return figure


def _medians(arm: ArmReadout) -> FloatArray:
    """(visit,) the score table's median; -inf where it is below the limit of quantification."""
    levels = (arm.levels_at(k) for k in range(len(arm.weeks)))
    found = [Median(values=values, below=below, limit=arm.lloq).interval() for values, below in levels]
    return np.array([-math.inf if one.at_limit else one.estimate for one in found])


def _quantiles(arm: ArmReadout) -> FloatArray:
    """(quantile, visit) measured levels, the smallest that has the share below it; -inf below the limit."""
    levels = np.full((len(QUANTILES), len(arm.weeks)), np.nan)
    for k in range(len(arm.weeks)):
        seen, below = arm.levels_at(k)
        ranks = [max(math.ceil(q * seen.size) - 1, 0) for q in QUANTILES]
        if seen.size:
            levels[:, k] = np.partition(np.where(below, -np.inf, seen), ranks)[ranks]
    return levels


def _highest(window: TargetWindow, curves: list[tuple[FloatArray, FloatArray]]) -> float:
    """Top of the level axis: above every band, and above the window's lower bound at least."""
    levels = [float(np.nanmax(quantiles)) for _, quantiles in curves]
    edge = window.low if math.isinf(window.high) else window.high
    return 1.4 * max(*levels, edge, 1.0)


def _on_strip(levels: FloatArray, lloq: float) -> FloatArray:
    """Levels below the limit in the middle of the strip under it."""
    return np.where(np.isneginf(levels), lloq * math.sqrt(STRIP), levels)


def _draw_troughs(
    axes: Axes, arm: ArmReadout, curve: tuple[FloatArray, FloatArray], style: Style, *, wide: bool
) -> None:
    """Median line and bands of one arm; `wide` adds the 90 % band."""
    medians, quantiles = curve
    edges = np.where(np.isneginf(quantiles), arm.lloq * STRIP, quantiles)
    if wide:
        axes.fill_between(arm.weeks, edges[0], edges[3], color=style.colour, alpha=0.18, linewidth=0)
    inner = 0.34 if wide else 0.2
    axes.fill_between(arm.weeks, edges[1], edges[2], color=style.colour, alpha=inner, linewidth=0)
    drawn = _on_strip(medians, arm.lloq)
    axes.plot(
        arm.weeks, drawn, color=style.colour, linestyle=style.line, linewidth=2.0, zorder=3,
        marker=style.marker, markersize=5.5, label=arm.name,
    )  # fmt: skip
    lost = np.isneginf(medians)
    axes.plot(
        np.array(arm.weeks)[lost], drawn[lost], linestyle="none", marker=style.marker, markersize=5.5,
        markerfacecolor="white", markeredgecolor=style.colour, markeredgewidth=1.4, zorder=4,
    )  # fmt: skip
