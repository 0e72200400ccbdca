"""Antibody-free survival: what two kinds of assay would show of it, and what was there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scenarios.canvas import dress, figure_of, finish, panel_title, panels, percent_axis, style_of, week_axis
from scenarios.figures.readouts import readouts, who
from scenarios.intervals import wilson
from scenarios.metrics import METRICS
from scenarios.readout import ArmReadout, choose_window

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    from pkmodel.windows import TargetWindow
    from scenarios.canvas import Entry
    from scenarios.intervals import FloatArray

LABEL = "Patients without antibody (%)"
_STEPS = 200  # points of the curve of the truth: finer than a line is wide


def antibody_free(result: xr.Dataset, window: str | TargetWindow | None = None, ax: Axes | None = None) -> Figure:
    """Patients never antibody-positive so far, by each assay family, and those who have formed no antibody at all.

    A panel for each; with `ax`, the drug-tolerant assay alone. Curves of assays fall at visits, where samples are
    taken. Nobody leaves a simulated trial, so the share is the Kaplan-Meier estimate, and n does not fall.
    """
    arms = readouts(result, choose_window(result, window))
    if ax is not None:
        for number, arm in enumerate(arms):
            _by_assay(ax, arm, "ada_drug_tolerant", number)
        _dress(ax, arms, first=True)
        ax.legend(frameon=False, handlelength=3.4)
        return figure_of(ax)
    figure, (tolerant, sensitive, truth) = panels(3)
    for number, arm in enumerate(arms):
        _by_assay(tolerant, arm, "ada_drug_tolerant", number)
        _by_assay(sensitive, arm, "ada_drug_sensitive", number)
    onset = result["onset_time"].transpose("arm", "patient").values
    entries: list[Entry] = [
        (_truth(truth, arm, days, number), arm.name) for number, (arm, days) in enumerate(zip(arms, onset, strict=True))
    ]
    titles = (
        f"Seen by the drug-tolerant assay\n{result.attrs['assay_drug_tolerant']}",
        f"Seen by the drug-sensitive assay\n{result.attrs['assay_drug_sensitive']}",
        "Truth of the simulation:\nantibody not yet formed",
    )
    for panel, title in zip((tolerant, sensitive, truth), titles, strict=True):
        _dress(panel, arms, first=panel is tolerant)
        panel_title(panel, title)
    finish(
        figure,
        f"Antibody-free survival under {result.attrs['drug']}",
        f"{who(result)} Share never positive up to then; an inconclusive sample counts as not positive; everybody is "
        "followed to the end. The same patients in all panels. Bands: 95 % Monte-Carlo interval (Wilson).",
        entries,
    )
    return figure


def _by_assay(axes: Axes, arm: ArmReadout, metric: str, number: int) -> None:
    found = [reading.sample.interval() for reading in METRICS[metric](arm) if reading.visit]
    weeks = np.array([0.0, *arm.weeks])
    middle = np.array([100.0, *(100.0 - one.estimate for one in found)])
    low = np.array([100.0, *(100.0 - one.high for one in found)])
    high = np.array([100.0, *(100.0 - one.low for one in found)])
    _curve(axes, weeks, middle, low, high, arm.name, number)


def _truth(axes: Axes, arm: ArmReadout, onset: FloatArray, number: int) -> Line2D:
    """Curve of the day of seroconversion (NaN: never), week by week fraction."""
    weeks = np.linspace(0.0, max(arm.weeks), _STEPS)
    formed = np.sort(onset[np.isfinite(onset)] / 7.0)
    shares = [wilson(int(k), onset.size).times(100.0) for k in np.searchsorted(formed, weeks, side="right")]
    middle, low, high = (
        np.array([100.0 - value for value in values])
        for values in zip(*((one.estimate, one.high, one.low) for one in shares), strict=True)
    )
    return _curve(axes, weeks, middle, low, high, arm.name, number)


def _curve(
    axes: Axes, weeks: FloatArray, middle: FloatArray, low: FloatArray, high: FloatArray, name: str, number: int
) -> Line2D:
    style = style_of(number)
    axes.fill_between(weeks, low, high, step="post", color=style.colour, alpha=0.2, linewidth=0)
    (line,) = axes.step(
        weeks, middle, where="post", color=style.colour, linestyle=style.line, linewidth=2.0, label=name, zorder=3
    )
    return line


def _dress(axes: Axes, arms: list[ArmReadout], *, first: bool) -> None:
    dress(axes, first=first)
    week_axis(axes, arms[0].weeks)
    percent_axis(axes, LABEL if first else "", 100.0)
