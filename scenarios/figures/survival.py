"""Antibody-free survival: what two kinds of assay would show of it, and what was there."""

from __future__ import annotations

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
from scenarios.endpoints import endpoint
from scenarios.figures.readouts import readouts, who
from scenarios.readout import ArmReadout, choose_window
from scenarios.survival import Times, kaplan_meier

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    from pkmodel.windows import TargetWindow
    from scenarios.canvas import Entry

LABEL = "Patients without antibody (%)"


def antibody_free(result: xr.Dataset, window: str | TargetWindow | None = None, ax: Axes | None = None) -> Figure:
    """Patients never antibody-positive so far, by each assay family, and those who have formed no antibody at all.

    A panel for each; with `ax`, the drug-tolerant assay alone. Kaplan-Meier estimates (`scenarios.survival`), which
    without dropout are shares of patients. Curves of assays fall at visits, where samples are taken, and who leaves
    is watched to his or her last one; in the truth, to the day of leaving.
    """
    arms = readouts(result, choose_window(result, window))
    if ax is not None:
        for number, arm in enumerate(arms):
            _curve(ax, arm, _by_assay(arm, "drug-tolerant"), number)
        _dress(ax, arms, first=True)
        own_legend(ax)
        return figure_of(ax)
    figure, (tolerant, sensitive, truth) = panels(3)
    for number, arm in enumerate(arms):
        _curve(tolerant, arm, _by_assay(arm, "drug-tolerant"), number)
        _curve(sensitive, arm, _by_assay(arm, "drug-sensitive"), number)
    entries: list[Entry] = [
        (_curve(truth, arm, _truth(result, arm, number), number), arm.name) for number, arm in enumerate(arms)
    ]
    leaving = "leaves" in result
    watched = "who leaves is watched until then (Kaplan-Meier)" if leaving else "everybody is followed to the end"
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
        f"{who(result)} Share never positive up to then; an inconclusive sample counts as not positive; {watched}. "
        "The same patients in all panels. Bands: 95 % Monte-Carlo interval (Greenwood, log-log).",
        entries,
    )
    return figure


def _by_assay(arm: ArmReadout, assay: str) -> Times:
    """Time to the first positive sample by one kind of assay."""
    times = endpoint(f"antibody-free survival to week {arm.visits[-1]}, {assay}").times
    assert times is not None
    return times(arm)


def _truth(result: xr.Dataset, arm: ArmReadout, number: int) -> Times:
    """Time to seroconversion of an arm's own patients, watched to the last visit or to leaving."""
    onset = result["onset_time"].isel(arm=number).sel(patient=arm.ids).values
    watched = np.minimum(arm.stays, 7.0 * max(arm.weeks))
    event = np.asarray(onset <= watched)  # NaN: never
    return Times(ids=arm.ids, weeks=np.where(event, onset, watched) / 7.0, event=event)


def _curve(axes: Axes, arm: ArmReadout, times: Times, number: int) -> Line2D:
    """Kaplan-Meier estimate from 100 % at week 0 to the last visit, with its band where there is one."""
    frame = kaplan_meier(times)
    frame = frame[frame["week"] > 0.0]
    last = max(arm.weeks)
    weeks = np.array([0.0, *frame["week"], last])
    middle, low, high = (
        100.0 * np.array([1.0, *frame[name], *(frame[name] if len(frame) else [1.0])[-1:]])
        for name in ("survival", "low", "high")
    )
    style = style_of(number)
    axes.fill_between(weeks, low, high, step="post", color=style.colour, alpha=0.2, linewidth=0)
    (line,) = axes.step(
        weeks, middle, where="post", color=style.colour, linestyle=style.line, linewidth=2.0, label=arm.name, zorder=3
    )
    return line


def _dress(axes: Axes, arms: list[ArmReadout], *, first: bool) -> None:
    dress(axes, first=first)
    week_axis(axes, arms[0].weeks)
    percent_axis(axes, LABEL if first else "", 100.0)
