"""Cost against patients and years, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.scaling import YEARS, Curve

# Okabe-Ito; line styles and markers tell the curves apart in grey
_STYLES = {
    ("W1", "pkmodel"): ("#0072B2", "-", "o"),
    ("W1", "NumPy"): ("#E69F00", "--", "s"),
    ("W5", "pkmodel"): ("#009E73", "-.", "^"),
}
_NAMES = {"W1": "W1: two compartments, weekly output", "W5": "W5: one arm with antibodies, assays, scores"}


def draw(curves: Sequence[Curve], path: Path, caption: str) -> None:
    """Write a PNG with both panels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for curve in curves:
        color, line, marker = _STYLES[curve.workload, curve.tool]
        axes = left if curve.along == "patients" else right
        label = _NAMES[curve.workload] if curve.tool == "pkmodel" else f"{curve.workload} by plain NumPy superposition"
        y = curve.seconds
        if curve.patients is not None:
            y = tuple(1e6 * value / curve.patients for value in y)
            label += f" ({curve.patients:,} patients)"
        axes.plot(curve.x, y, color=color, linestyle=line, marker=marker, label=label)
    left.set(xscale="log", yscale="log", xlabel="patients", ylabel="time, s (one thread)")
    right.set(xscale="log", yscale="log", xlabel="years simulated", ylabel="ms per 1,000 patients (one thread)")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    right.set_xticks(YEARS, labels=[str(year) for year in YEARS])
    right.set_xticks([], minor=True)
    figure.text(0.005, -0.03, caption, fontsize=7)
    figure.savefig(path, dpi=150, bbox_inches="tight")
