"""Pictures of the report; Matplotlib without global state."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from validation.contrast import Contrast
from validation.published import MET, Prediction
from validation.titre import Bin

if TYPE_CHECKING:
    import pandas as pd

# Okabe and Ito: told apart by colour-blind readers; marks differ too
_BLUE, _ORANGE, _GREEN = "#0072B2", "#D55E00", "#009E73"


def figure_of(width: float, height: float) -> Any:
    """A Matplotlib figure of so many inches, without global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Any, path: Path) -> None:
    """Write a picture of the report; the same bytes whatever wrote it."""
    figure.savefig(path, dpi=110, metadata={"Software": None})


def forest(predictions: Sequence[Prediction], path: Path) -> None:
    """Published against predicted: percentages in one panel, other units in panels of their own."""
    from scenarios.figures import forest as draw

    figure = draw(_frame(predictions))
    save(figure, path)


def _frame(predictions: Sequence[Prediction]) -> pd.DataFrame:
    """The columns that :func:`scenarios.figures.forest` draws; percentages first."""
    import pandas as pd

    rows = [
        {
            "label": f"{one.figure.id} ({one.figure.status})",
            "unit": _unit(one.figure.unit),
            "role": one.figure.role,
            "published": one.figure.value,
            "low": one.figure.low,
            "high": one.figure.high,
            "accept_low": one.figure.accept_low,
            "accept_high": one.figure.accept_high,
            "predicted": one.median,
            "predicted_low": one.low,
            "predicted_high": one.high,
            "met": one.verdict == MET,
        }
        for one in sorted(predictions, key=lambda one: not one.figure.unit.startswith("percent"))
    ]
    frame = pd.DataFrame(rows)
    bounds = ["low", "high", "accept_low", "accept_high"]
    return frame.astype(dict.fromkeys(bounds, float))


def _unit(unit: str) -> str:
    return "percent (or percent per patient-year)" if unit.startswith("percent") else unit.replace("ug/mL", "µg/mL")


def decomposition(found: Sequence[Contrast], path: Path) -> None:
    """What the assay saw, and what was there, in both arms; and the contrast in two parts."""
    figure = figure_of(12.0, 3.8)
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
    save(figure, path)


def titres(bins: Sequence[Bin], path: Path) -> None:
    """Escalation by titre."""
    figure = figure_of(6.5, 3.4)
    axis = figure.subplots()
    x = range(len(bins))
    axis.plot(x, [one.regained for one in bins], "o-", color=_BLUE, label="response regained")
    axis.plot(x, [one.trough_back for one in bins], "s--", color=_ORANGE, label="trough of 3 ug/mL or more")
    names = [f"{one.low:g}-{one.high:g}" if one.high < float("inf") else f"above {one.low:g}" for one in bins]
    axis.set_xticks(x, [f"{name}\nn={one.patients}" for name, one in zip(names, bins, strict=True)], fontsize=8)
    axis.set_xlabel("antibody at loss of response, ug/mL of drug-binding capacity")
    axis.set_ylabel("of patients, %")
    axis.set_ylim(0, 100)
    axis.legend(fontsize=8, loc="lower left")
    save(figure, path)
