"""Pictures of ranks: one row for each set of levels, one column for each sampler."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from validation.pictures import figure_of, save
from validation.ranks import BINS, DRAWS, GAUSSIAN, Calibration, band

# Okabe and Ito: told apart by colour-blind readers; dashes differ too
_LINES = (("#0072B2", "-"), ("#D55E00", "--"), ("#009E73", "-."), ("#CC79A7", ":"))
_OUTSIDE = 1 - 0.95 ** (1 / BINS)  # of one bin, that all of them be inside with 95 %


def histograms(found: Sequence[Calibration], path: Path) -> None:
    """Patients in each of 20 bins of ranks."""
    from scipy.stats import binom

    def draw(axis: Any, one: Calibration, sampler: str, quantity: str, **line: Any) -> None:
        counts = one.bins(sampler, quantity)
        axis.stairs(counts, np.linspace(0, 1, BINS + 1), baseline=None, **line)

    def shade(axis: Any, patients: int) -> None:
        axis.axhspan(*binom.ppf([0.5 * _OUTSIDE, 1 - 0.5 * _OUTSIDE], patients, 1 / BINS), color="0.88")

    _grid(found, path, draw, shade, "patients in a bin")


def departures(found: Sequence[Calibration], path: Path) -> None:
    """Empirical minus uniform cumulative distribution of the ranks, with its simultaneous band."""
    at = np.arange(1, DRAWS + 1) / (DRAWS + 1)

    def draw(axis: Any, one: Calibration, sampler: str, quantity: str, **line: Any) -> None:
        counts = one.counts[sampler, quantity]
        axis.plot(at, np.cumsum(counts)[:-1] / counts.sum() - at, **line)

    def shade(axis: Any, patients: int) -> None:
        low, high = band(patients)
        axis.fill_between(at, low - at, high - at, color="0.88")

    _grid(found, path, draw, shade, "cumulative share minus uniform")


def _grid(
    found: Sequence[Calibration], path: Path, draw: Callable[..., None], shade: Callable[[Any, int], None], label: str
) -> None:
    samplers = list(dict.fromkeys(sampler for sampler, _ in found[0].counts))
    quantities = list(dict.fromkeys(quantity for _, quantity in found[0].counts))
    figure = figure_of(3.6 * len(samplers), 2.4 * len(found))
    axes = figure.subplots(len(found), len(samplers), sharex=True, sharey="row", squeeze=False)
    for row, one in enumerate(found):
        for column, sampler in enumerate(samplers):
            axis = axes[row, column]
            shade(axis, int(one.counts[sampler, quantities[0]].sum()))
            for quantity, (colour, dashes) in zip(quantities, _LINES, strict=False):
                draw(axis, one, sampler, quantity, color=colour, linestyle=dashes, label=quantity, lw=1.2)
            if row == 0:
                axis.set_title(sampler if sampler != GAUSSIAN else f"{sampler} (not drawn from)", fontsize=9)
            axis.tick_params(labelsize=7)
        axes[row, 0].set_ylabel(f"{one.study}\n{label}", fontsize=7)
    for axis in axes[-1]:
        axis.set_xlabel("rank of the truth among the draws, from 0 to 1", fontsize=8)
    axes[0, 0].legend(fontsize=7)
    save(figure, path)
