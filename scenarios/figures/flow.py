"""Alluvial flow of a monitoring algorithm's decisions: what was known, and what was done about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pkmodel.errors import InputError
from scenarios.canvas import FAINT, INK, LABEL_SIZE, TICK_SIZE, figure_of, finish
from scenarios.metrics import INCONCLUSIVE, POSITIVE

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pkmodel.windows import TargetWindow

NEEDED = ("arm", "patient", "day", "level_ug_per_mL", "blq", "ada_drug_tolerant", "decision")
STAGES = ("Level in hand", "Antibody in hand", "First change of treatment")
COLOURS = {
    "below LLOQ": "#003f6b",
    "below window": "#0072B2",
    "in window": "#E5D200",
    "above window": "#D98200",
    "no level": "#9a9a9a",
}
"""Ribbons are coloured by the level, in the order they are stacked."""

Path = tuple[str, ...]
"""What a patient was at each stage."""
Boxes = dict[str, tuple[float, float]]
"""Upper and lower edge of each box of a stage, as a share of the patients."""

_BAR, _GAP = 0.13, 0.03


def decision_flow(
    ledger: pd.DataFrame,
    window: TargetWindow,
    arm: str | None = None,
    ax: Axes | None = None,
    *,
    high_titre: float | None = None,
) -> Figure:
    """How each patient's first change of treatment came about: level, antibody, decision; every patient once.

    Parameters
    ----------
    ledger
        Ledger of a run.
    window
        Window that sorts the levels.
    arm
        Name of the arm; None for the first in the ledger.
    ax
        Draw there instead.
    high_titre
        Titre, µg/mL of drug-binding capacity, from which an antibody counts as high; None for positive alone.

    Raises
    ------
    InputError
        If columns are missing, or in no patient of the arm treatment was changed.
    """
    missing = [column for column in NEEDED if column not in ledger]
    if missing:
        raise InputError.one(f"the ledger lacks {', '.join(missing)}", "give the ledger of a run as it was written")
    name = str(ledger["arm"].iloc[0]) if arm is None else arm
    mine = ledger[ledger["arm"] == name]
    rows = _first_changes(mine)
    if rows.empty:
        raise InputError.one(f"arm '{name}' has no change of treatment in this ledger", "choose another arm", key="arm")
    paths = list(zip(_level(rows, window), _antibody(rows, high_titre), _decision(rows), strict=True))
    figure, axes = _canvas() if ax is None else (figure_of(ax), ax)
    _draw(axes, paths)
    if ax is None:
        patients = mine["patient"].nunique()
        finish(
            figure,
            f"What the first change rests on: arm ‘{name}’",
            f"n = {len(paths):,} virtual patients whose treatment was changed, of {patients:,} in the arm; each is "
            "counted once, at the first change, with the results in hand that day (drug-tolerant antibody assay). "
            "Missed, late and withheld doses are no changes. Counts, no interval.",
        )
    return figure


def _first_changes(ledger: pd.DataFrame) -> pd.DataFrame:
    word = ledger["decision"].fillna("").str.partition("+")[0]
    changed = ledger[~word.isin(["continue", ""]) & ~word.str.startswith("dose-")]
    return changed.sort_values(["patient", "day"]).drop_duplicates("patient")


def _level(rows: pd.DataFrame, window: TargetWindow) -> list[str]:
    level, blq = rows["level_ug_per_mL"].to_numpy(np.float64), rows["blq"].to_numpy(np.float64) == 1.0
    choices = [blq, np.isnan(level), level < window.low, level > window.high]
    names = ["below LLOQ", "no level", "below window", "above window"]
    return [str(name) for name in np.select(choices, names, "in window")]


def _antibody(rows: pd.DataFrame, high: float | None) -> list[str]:
    codes = rows["ada_drug_tolerant"].to_numpy(np.float64)
    names = np.select(
        [codes == 0, codes == POSITIVE, codes == INCONCLUSIVE], ["negative", "positive", "inconclusive"], "not tested"
    )
    if high is not None:
        titre = rows["titre_ug_per_mL_eq"].to_numpy(np.float64)
        names = np.where(
            codes == POSITIVE, np.where(titre >= high, f"titre {high:g} or more", f"titre below {high:g}"), names
        )
    return names.tolist()  # type: ignore[no-any-return]


def _decision(rows: pd.DataFrame) -> list[str]:
    return [str(words).partition("+")[0].replace("-", " ") for words in rows["decision"]]


def _canvas() -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.0, 4.8), layout="constrained")
    axes: Axes = figure.subplots()
    return figure, axes


def _draw(axes: Axes, paths: Sequence[Path]) -> None:
    total = len(paths)
    stages = [_stack(paths, stage, total) for stage in range(len(STAGES))]
    ordered = sorted(paths, key=lambda path: [list(stages[k]).index(path[k]) for k in range(len(STAGES))])
    for stage, boxes in enumerate(stages):
        for words, (floor, top) in boxes.items():
            colour = COLOURS[words] if stage == 0 else FAINT
            axes.fill_between([stage - _BAR / 2, stage + _BAR / 2], floor, top, color=colour, linewidth=0, zorder=3)
            count = round((top - floor) * total)
            right = stage == len(STAGES) - 1
            axes.text(
                stage + (_BAR * 0.7 if right else -_BAR * 0.7), (floor + top) / 2,
                f"{words}\n{count:,} ({100 * count / total:.0f} %)", ha="left" if right else "right", va="center",
                fontsize=TICK_SIZE, color=INK, zorder=5, linespacing=1.1,
                bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1.0} if stage > 0 else None,
            )  # fmt: skip
        axes.text(stage, -0.04, STAGES[stage], ha="center", va="bottom", fontsize=LABEL_SIZE, color=INK, weight="bold")
    for stage in range(len(STAGES) - 1):
        _ribbons(axes, ordered, stages, stage, total)
    axes.set_xlim(-0.55, len(STAGES) - 1 + 0.75)
    axes.set_ylim(max(box[1] for boxes in stages for box in boxes.values()) + 0.02, -0.12)
    axes.set_axis_off()


def _stack(paths: Sequence[Path], stage: int, total: int) -> Boxes:
    """Places of the boxes of a stage from the top: levels in their own order, everything else by size."""
    counts: dict[str, int] = {}
    for path in paths:
        counts[path[stage]] = counts.get(path[stage], 0) + 1
    names = (
        [name for name in COLOURS if name in counts] if stage == 0 else sorted(counts, key=lambda n: (-counts[n], n))
    )
    boxes: Boxes = {}
    floor = 0.0
    for name in names:
        boxes[name] = (floor, floor + counts[name] / total)
        floor += counts[name] / total + _GAP
    return boxes


def _ribbons(
    axes: Axes,
    ordered: Sequence[Path],
    stages: Sequence[Boxes],
    stage: int,
    total: int,
) -> None:
    """Bands between two stages, one for each level, box and box."""
    groups: dict[tuple[str, str, str], int] = {}
    for path in ordered:
        key = (path[0], path[stage], path[stage + 1])
        groups[key] = groups.get(key, 0) + 1
    filled = {(side, name): box[0] for side in (0, 1) for name, box in stages[stage + side].items()}
    x = np.linspace(stage + _BAR / 2, stage + 1 - _BAR / 2, 60)
    bend = (1 - np.cos(np.pi * np.linspace(0.0, 1.0, 60))) / 2
    for (level, left, right), count in groups.items():
        width = count / total
        start, end = filled[0, left], filled[1, right]
        filled[0, left] += width
        filled[1, right] += width
        lower = start + (end - start) * bend
        axes.fill_between(x, lower, lower + width, color=COLOURS[level], alpha=0.55, linewidth=0, zorder=1)
