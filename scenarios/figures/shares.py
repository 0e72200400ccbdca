"""Shares of patients by visit: in the window, antibody-positive; with their Monte-Carlo intervals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from scenarios.canvas import (
    dress,
    figure_of,
    finish,
    own_legend,
    panel_title,
    panels,
    percent_axis,
    style_of,
    week_axis,
)
from scenarios.figures.readouts import readouts, who
from scenarios.metrics import METRICS
from scenarios.page import window_text
from scenarios.readout import ArmReadout, choose_window

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pkmodel.windows import TargetWindow
    from scenarios.canvas import Entry

BARS = "Bars: 95 % Monte-Carlo interval (Wilson)."


def share_in_window(result: xr.Dataset, window: str | TargetWindow | None = None, ax: Axes | None = None) -> Figure:
    """Share of patients whose trough is in the window, by visit, with 95 % Monte-Carlo intervals."""
    target = choose_window(result, window)
    arms = readouts(result, target)
    figure, (axes, *_) = panels(1) if ax is None else (figure_of(ax), [ax])
    entries = [draw_shares(axes, arm, "in_window", number, len(arms)) for number, arm in enumerate(arms)]
    highest = axes.get_ylim()[1]
    dress(axes)
    week_axis(axes, arms[0].weeks)
    percent_axis(axes, "Patients with trough in window (%)", min(100.0, 10.0 * math.ceil(highest / 10.0)))
    if ax is not None:
        own_legend(ax)
        return figure
    finish(
        figure,
        f"Trough in window: {window_text(target)}",
        f"{who(result)} Measured troughs; below the limit of quantification counts as below the window. {BARS}",
        entries,
    )
    return figure


def antibody_incidence(result: xr.Dataset, window: str | TargetWindow | None = None, ax: Axes | None = None) -> Figure:
    """Patients ever antibody-positive, by visit, as each of the two assay families would have reported it.

    A panel for each family, and one for the samples the drug-sensitive assay could not read; with `ax`, both
    families in one (open markers: drug-sensitive).
    """
    arms = readouts(result, choose_window(result, window))
    label = "Patients ever antibody-positive (%)"
    if ax is not None:
        for number, arm in enumerate(arms):
            place = (number, len(arms))
            draw_shares(ax, arm, "ada_drug_tolerant", *place, label=f"{arm.name}, drug-tolerant")
            draw_shares(ax, arm, "ada_drug_sensitive", *place, label=f"{arm.name}, drug-sensitive", hollow=True)
        dress(ax)
        week_axis(ax, arms[0].weeks)
        percent_axis(ax, label, 100.0)
        own_legend(ax)
        return figure_of(ax)
    figure, axes = panels(3)
    shown = (
        ("ada_drug_tolerant", f"Positive, drug-tolerant assay\n{result.attrs['assay_drug_tolerant']}", label),
        ("ada_drug_sensitive", f"Positive, drug-sensitive assay\n{result.attrs['assay_drug_sensitive']}", ""),
        ("ada_inconclusive", "Drug-sensitive assay: samples\ninconclusive (drug present)", "Samples (%)"),
    )
    entries: list[Entry] = []
    for panel, (metric, title, axis) in zip(axes, shown, strict=True):
        entries = [draw_shares(panel, arm, metric, number, len(arms)) for number, arm in enumerate(arms)]
        dress(panel, first=axis != "")
        week_axis(panel, arms[0].weeks)
        percent_axis(panel, axis, 100.0)
        panel_title(panel, title)
    finish(
        figure,
        f"Antibodies to {result.attrs['drug']}, as two kinds of assay would report them",
        f"{who(result)} The same samples in both assays. Positive: ever, up to that visit; inconclusive "
        f"counts as not positive. {BARS}",
        entries,
    )
    return figure


def draw_shares(
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
