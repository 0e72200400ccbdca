"""Pictures of a model against a table: visual predictive check, and NPDE."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pkmodel.diagnostics import PERCENTILES, Npde, VisualCheck
from scenarios.canvas import DPI, INK, LABEL_SIZE, STYLES, dress, finish, panel_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BAND = {0.05: STYLES[5].colour, 0.5: STYLES[4].colour, 0.95: STYLES[5].colour}
_LINE = {0.05: (0, (4, 2)), 0.5: "-", 0.95: (0, (4, 2))}


def vpc_figure(check: VisualCheck) -> Figure:
    """Measured percentiles as lines over the 95 % bands of the replicates; below, the share below the limit."""
    from matplotlib.figure import Figure

    censored = bool(check.blq.any() or check.blq_high.any())
    figure = Figure(figsize=(7.5, 5.4 if censored else 4.4), layout="constrained")
    panels = figure.subplots(
        2 if censored else 1, 1, squeeze=False, height_ratios=[3, 1] if censored else [1], sharex=True
    )
    axes = panels[0, 0]
    floor = 0.8 * float(np.nanmin(check.level))  # a band that reaches below the limit is drawn down to here
    for k, p in enumerate(PERCENTILES):
        low = np.where(np.isnan(check.low[k]), floor, check.low[k])
        axes.fill_between(check.middle, low, check.high[k], color=_BAND[p], alpha=0.35, linewidth=0)
        axes.plot(
            check.middle, check.observed[k], color=INK, linestyle=_LINE[p], linewidth=1.6, marker="o", markersize=3.5
        )
    axes.plot(check.time, check.level, linestyle="none", marker=".", markersize=3, color="#8a8a8a", alpha=0.5, zorder=0)
    axes.set_yscale("log")
    axes.set_ylim(bottom=floor)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_ylabel(f"{'Corrected level' if check.corrected else 'Level'} (µg/mL)", fontsize=LABEL_SIZE, color=INK)
    dress(axes)
    last = axes
    if censored:
        last = panels[1, 0]
        last.fill_between(
            check.middle, 100 * check.blq_low, 100 * check.blq_high, color=_BAND[0.5], alpha=0.35, linewidth=0
        )
        last.plot(check.middle, 100 * check.blq, color=INK, linewidth=1.6, marker="o", markersize=3.5)
        last.set_ylabel("Below LLOQ (%)", fontsize=LABEL_SIZE, color=INK)
        dress(last)
    what = "Days since the last dose" if check.by == "after-dose" else "Day"
    last.set_xlabel(what, fontsize=LABEL_SIZE, color=INK)
    finish(
        figure,
        f"{'Prediction-corrected v' if check.corrected else 'V'}isual predictive check: {check.name}",
        f"{check.who}. Lines: 5th, 50th and 95th percentile of what was measured; bands: 95 % of the same percentiles "
        f"of replicates of the table. {100 * check.inside():.0f} % of the measured percentiles lie in their bands. "
        "Dots: levels. A percentile below the limit of quantification (LLOQ) is not drawn; a band that reaches "
        "there ends at the frame.",
    )
    return figure


def npde_figure(errors: Npde) -> Figure:
    """NPDE against the normal distribution, over time and over the prediction."""
    from matplotlib.figure import Figure
    from scipy.special import ndtri

    figure = Figure(figsize=(11.0, 3.9), layout="constrained")
    first, second, third = figure.subplots(1, 3)
    n = errors.value.size
    expected = ndtri((np.arange(1, n + 1) - 0.5) / n)
    first.plot(expected, np.sort(errors.value), linestyle="none", marker=".", color=STYLES[0].colour)
    first.axline((0, 0), slope=1, color=INK, linewidth=1)
    first.set_xlabel("Normal quantile", fontsize=LABEL_SIZE, color=INK)
    first.set_ylabel("NPDE", fontsize=LABEL_SIZE, color=INK)
    for axes, x, label in ((second, errors.time, "Day"), (third, errors.typical, "Typical prediction (µg/mL)")):
        for mask, face in ((~errors.imputed, STYLES[0].colour), (errors.imputed, "white")):
            axes.plot(
                x[mask], errors.value[mask], linestyle="none", marker="o", markersize=3.2, markerfacecolor=face,
                markeredgecolor=STYLES[0].colour, alpha=0.7,
            )  # fmt: skip
        for level in (-1.96, 0.0, 1.96):
            axes.axhline(level, color=INK, linewidth=1, linestyle="-" if level == 0 else (0, (4, 2)))
        axes.set_xlabel(label, fontsize=LABEL_SIZE, color=INK)
    if errors.typical.min() > 0:
        third.set_xscale("log")
        third.xaxis.set_major_formatter("{x:g}")
    for axes in (first, second, third):
        dress(axes)
    p = errors.tests()
    panel_title(first, "Distribution")
    finish(
        figure,
        f"NPDE: {errors.name}",
        f"n = {n:,}; mean {errors.value.mean():+.2f} (p {p['mean']:.2g}), variance {errors.value.var(ddof=1):.2f} "
        f"(p {p['variance']:.2g}), distribution p {p['normal']:.2g}. Standard normal if the model is right; 5 % of the "
        "points lie outside the broken lines. Open: below the limit of quantification, imputed.",
    )
    return figure


def save_vpc(check: VisualCheck, path: str | Path) -> None:
    """Write the visual predictive check as PNG."""
    vpc_figure(check).savefig(path, dpi=DPI, metadata={"Software": None})


def save_npde(errors: Npde, path: str | Path) -> None:
    """Write the NPDE as PNG."""
    npde_figure(errors).savefig(path, dpi=DPI, metadata={"Software": None})
