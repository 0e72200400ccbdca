"""Pictures of a result: troughs, share in the window, antibodies.

Each function takes a result and returns a `matplotlib.figure.Figure`; given an `Axes` it draws there instead
and returns the figure of those axes. Nothing touches pyplot, so any number can be drawn at once.
Everything is drawn from what was measured, with the numbers of the score table.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scenarios.allocation import RANDOMISED
from scenarios.canvas import (
    DPI,
    FAINT,
    STRIP,
    Style,
    columns_for,
    dress,
    figure_of,
    finish,
    level_axis,
    panel_title,
    panels,
    percent_axis,
    style_of,
    week_axis,
)
from scenarios.intervals import FloatArray, Median
from scenarios.metrics import METRICS
from scenarios.page import window_text
from scenarios.readout import ArmReadout, arm_names, choose_window, readout

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pkmodel.windows import TargetWindow
    from scenarios.canvas import Entry

QUANTILES = (0.05, 0.25, 0.75, 0.95)
BARS = "Bars: 95 % Monte-Carlo interval (Wilson)."


def troughs(result: xr.Dataset, window: str | TargetWindow | None = None, ax: Axes | None = None) -> Figure:
    """Measured troughs by visit: median, middle 50 % and 90 % of patients, the window shaded.

    One panel per arm, the other arms' medians in grey for comparison; with `ax`, all medians and their 50 %
    bands in one. The scale is logarithmic down to the limit of quantification; below it lies a strip on which
    nothing pretends to know how low a level was.
    """
    target = choose_window(result, window)
    arms = _readouts(result, target)
    curves = [(_medians(arm), _quantiles(arm)) for arm in arms]
    high = _highest(target, curves)
    if ax is not None:
        for number, (arm, curve) in enumerate(zip(arms, curves, strict=True)):
            _draw_troughs(ax, arm, curve, style_of(number), wide=False)
        dress(ax)
        week_axis(ax, arms[0].weeks)
        level_axis(ax, target, arms[0].lloq, high, margin=True)
        ax.legend(frameon=False, handlelength=3.4)
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
        f"{_who(result)} Line: median; dark band: middle 50 % of patients, light band: middle 90 %; open "
        f"marker: median below the limit of quantification (LLOQ). {others}"
        f"Yellow: target window {window_text(target)}.",
    )
    return figure


def share_in_window(result: xr.Dataset, window: str | TargetWindow | None = None, ax: Axes | None = None) -> Figure:
    """Share of patients whose trough is in the window, by visit, with 95 % Monte-Carlo intervals."""
    target = choose_window(result, window)
    arms = _readouts(result, target)
    figure, (axes, *_) = panels(1) if ax is None else (figure_of(ax), [ax])
    entries = [_shares(axes, arm, "in_window", number, len(arms)) for number, arm in enumerate(arms)]
    highest = axes.get_ylim()[1]
    dress(axes)
    week_axis(axes, arms[0].weeks)
    percent_axis(axes, "Patients with trough in window (%)", min(100.0, 10.0 * math.ceil(highest / 10.0)))
    if ax is not None:
        ax.legend(frameon=False, handlelength=3.4)
        return figure
    finish(
        figure,
        f"Trough in window: {window_text(target)}",
        f"{_who(result)} Measured troughs; below the limit of quantification counts as below the window. {BARS}",
        entries,
    )
    return figure


def antibody_incidence(result: xr.Dataset, window: str | TargetWindow | None = None, ax: Axes | None = None) -> Figure:
    """Patients ever antibody-positive, by visit, as each of the two assay families would have reported it.

    A panel for each family, and one for the samples the drug-sensitive assay could not read; with `ax`, both
    families in one (open markers: drug-sensitive).
    """
    arms = _readouts(result, choose_window(result, window))
    label = "Patients ever antibody-positive (%)"
    if ax is not None:
        for number, arm in enumerate(arms):
            place = (number, len(arms))
            _shares(ax, arm, "ada_drug_tolerant", *place, label=f"{arm.name}, drug-tolerant")
            _shares(ax, arm, "ada_drug_sensitive", *place, label=f"{arm.name}, drug-sensitive", hollow=True)
        dress(ax)
        week_axis(ax, arms[0].weeks)
        percent_axis(ax, label, 100.0)
        ax.legend(frameon=False, handlelength=3.4)
        return figure_of(ax)
    figure, axes = panels(3)
    shown = (
        ("ada_drug_tolerant", f"Positive, drug-tolerant assay\n{result.attrs['assay_drug_tolerant']}", label),
        ("ada_drug_sensitive", f"Positive, drug-sensitive assay\n{result.attrs['assay_drug_sensitive']}", ""),
        ("ada_inconclusive", "Drug-sensitive assay: samples\ninconclusive (drug present)", "Samples (%)"),
    )
    entries: list[Entry] = []
    for panel, (metric, title, axis) in zip(axes, shown, strict=True):
        entries = [_shares(panel, arm, metric, number, len(arms)) for number, arm in enumerate(arms)]
        dress(panel, first=axis != "")
        week_axis(panel, arms[0].weeks)
        percent_axis(panel, axis, 100.0)
        panel_title(panel, title)
    finish(
        figure,
        f"Antibodies to {result.attrs['drug']}, as two kinds of assay would report them",
        f"{_who(result)} The same samples in both assays. Positive: ever, up to that visit; inconclusive "
        f"counts as not positive. {BARS}",
        entries,
    )
    return figure


FIGURES = {"troughs.png": troughs, "in_window.png": share_in_window, "antibodies.png": antibody_incidence}


def save_all(result: xr.Dataset, window: str | TargetWindow | None, directory: str | Path) -> list[Path]:
    """Write every figure as PNG (150 dots per inch) into an existing directory; return the paths."""
    paths = []
    for name, draw in FIGURES.items():
        path = Path(directory) / name
        # No software entry: the same picture is then the same file, whatever wrote it.
        draw(result, window).savefig(path, dpi=DPI, metadata={"Software": None})
        paths.append(path)
    return paths


def _readouts(result: xr.Dataset, window: TargetWindow) -> list[ArmReadout]:
    return [readout(result, name, window) for name in arm_names(result)]


def _who(result: xr.Dataset) -> str:
    """Start of a caption: how many patients, of which model and seed."""
    together = "in all, each in one arm" if result.attrs.get("design") == RANDOMISED else "in each arm (the same ones)"
    where = together if len(arm_names(result)) > 1 else "in one arm"
    scenario = f"Scenario {result.attrs['scenario']}, " if "scenario" in result.attrs else ""
    model = f" {result.attrs['model']}," if "model" in result.attrs else ""
    seed = result.attrs.get("seed", "not stated")
    return f"{scenario}n = {result.sizes['patient']:,} virtual patients {where};{model} seed {seed}."


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


def _shares(
    axes: Axes, arm: ArmReadout, metric: str, number: int, arms: int, *, label: str = "", hollow: bool = False
) -> Entry:
    """Draw one metric of one arm, set a little aside from the other arms; return its entry in a legend."""
    style = style_of(number)
    found = [(float(r.visit), r.sample.interval()) for r in METRICS[metric](arm) if r.visit]
    aside = (number - (arms - 1) / 2) * max(arm.weeks) * 0.007
    weeks = [week + aside for week, _ in found]
    middle = [one.estimate for _, one in found]
    error = [[one.estimate - one.low for _, one in found], [one.high - one.estimate for _, one in found]]
    handle = axes.errorbar(
        weeks, middle, np.maximum(error, 0.0), color=style.colour, linestyle=style.line, linewidth=1.8,
        marker=style.marker, markersize=5.5, markerfacecolor="white" if hollow else style.colour,
        elinewidth=1.2, capsize=0, label=label or arm.name, clip_on=False, zorder=3,
    )  # fmt: skip
    return handle, label or arm.name
