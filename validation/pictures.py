"""Pictures of the report; Matplotlib without global state."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from validation.contrast import Contrast
from validation.published import MET, Prediction
from validation.titre import Bin

# Okabe and Ito: told apart by colour-blind readers; marks differ too
_BLUE, _ORANGE, _GREEN, _GREY = "#0072B2", "#D55E00", "#009E73", "#666666"
_MARKS = {
    "calibration": ("s", _BLUE),
    "validation": ("o", _GREEN),
    "same-cohort": ("^", _GREY),
    "context": ("v", _GREY),
}


def _figure(width: float, height: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def forest(predictions: Sequence[Prediction], path: Path) -> None:
    """Published against predicted: percentages in one panel, other units in panels of their own."""
    percent = [p for p in predictions if p.figure.unit.startswith("percent")]
    others = [p for p in predictions if not p.figure.unit.startswith("percent")]
    figure = _figure(9.0, 0.32 * len(predictions) + 2.5)
    panels = figure.subplots(2, 1, height_ratios=[len(percent), max(len(others), 1)])
    _forest(panels[0], percent, "percent (or percent per patient-year)")
    _forest(panels[1], others, "ug/mL, ratio or correlation")
    panels[0].legend(*_legend(), loc="lower right", fontsize=8)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _forest(axis: Any, predictions: Sequence[Prediction], unit: str) -> None:
    for row, one in enumerate(predictions):
        figure = one.figure
        mark, colour = _MARKS[figure.role]
        if figure.accept_low is not None and figure.accept_high is not None:
            axis.plot([figure.accept_low, figure.accept_high], [row - 0.18] * 2, color="#dddddd", lw=7, zorder=1)
        if figure.low is not None and figure.high is not None:
            axis.plot([figure.low, figure.high], [row - 0.18] * 2, color=_GREY, lw=1.2, zorder=2)
        axis.plot(figure.value, row - 0.18, "|", color="black", ms=9, zorder=3)
        axis.plot([one.low, one.high], [row + 0.18] * 2, color=colour, lw=1.6, zorder=2)
        fill = colour if one.verdict == MET else "white"
        axis.plot(one.median, row + 0.18, mark, color=colour, mfc=fill, ms=6, zorder=3)
    axis.set_yticks(range(len(predictions)), [f"{p.figure.id} ({p.figure.status})" for p in predictions], fontsize=7)
    axis.invert_yaxis()
    axis.set_xlabel(unit)
    axis.grid(axis="x", color="#eeeeee")
    axis.spines[["top", "right"]].set_visible(False)


def _legend() -> tuple[list[Any], list[str]]:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color="black", marker="|", ls="-", label="published, interval"),
        Line2D([], [], color="#dddddd", lw=7, label="accept range"),
    ]
    handles += [Line2D([], [], color=c, marker=m, label=f"predicted, {role}") for role, (m, c) in _MARKS.items()]
    handles.append(Line2D([], [], color=_GREEN, marker="o", mfc="white", label="hollow: missed, vague or no bar"))
    return handles, [str(handle.get_label()) for handle in handles]


def decomposition(found: Sequence[Contrast], path: Path) -> None:
    """What the assay saw, and what was there, in both arms; and the contrast in two parts."""
    figure = _figure(12.0, 3.8)
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    names = ("on schedule", "on demand")
    for group, contrast in enumerate(found):
        for k, name in enumerate(names):
            seen, true = contrast.shares[name]
            x = 3 * group + k
            left.bar(x - 0.2, seen, 0.38, color=_BLUE, label="seen by the drug-sensitive assay" if x == 0 else None)
            left.bar(
                x + 0.2, true, 0.38, color=_ORANGE, hatch="//", label="there, at the same cut-off" if x == 0 else None
            )
    short = {"on schedule": "sched.", "on demand": "dem."}
    left.set_xticks(
        [3 * g + k for g in range(len(found)) for k in (0, 1)],
        [short[name] for _ in found for name in names],
        fontsize=7,
    )
    for group, contrast in enumerate(found):
        left.text(3 * group + 0.5, 101, f"{contrast.family}, week {contrast.week}", ha="center", fontsize=7)
    left.set_ylim(0, 118)
    left.set_ylabel("patients ever positive, %")
    left.legend(fontsize=7, loc="upper left")
    for group, contrast in enumerate(found):
        right.bar(group - 0.2, contrast.biology, 0.38, color=_ORANGE, hatch="//", label=None if group else "biology")
        right.bar(group + 0.2, contrast.unmasking, 0.38, color=_GREEN, label=None if group else "unmasking")
    right.axhline(0.0, color="black", lw=0.8)
    right.set_xticks(range(len(found)), [f"{c.family}\nweek {c.week}" for c in found], fontsize=7)
    right.set_ylabel("on demand minus on schedule, points")
    right.legend(fontsize=7)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def titres(bins: Sequence[Bin], path: Path) -> None:
    """Escalation by titre."""
    figure = _figure(6.5, 3.4)
    axis = figure.subplots()
    x = range(len(bins))
    axis.plot(x, [one.regained for one in bins], "o-", color=_BLUE, label="response regained")
    axis.plot(x, [one.trough_back for one in bins], "s--", color=_ORANGE, label="trough of 3 ug/mL or more")
    names = [f"{one.low:g}-{one.high:g}" if one.high < float("inf") else f"above {one.low:g}" for one in bins]
    axis.set_xticks(x, [f"{name}\nn={one.patients}" for name, one in zip(names, bins, strict=True)], fontsize=8)
    axis.set_xlabel("antibody at loss of response, ug/mL of drug-binding capacity")
    axis.set_ylabel("of patients, %")
    axis.set_ylim(0, 100)
    axis.legend(fontsize=8)
    figure.savefig(path, dpi=110, metadata={"Software": None})
