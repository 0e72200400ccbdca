"""Forest plot of evidence: published figures, and what was predicted for each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pkmodel.errors import InputError
from scenarios.canvas import GREY, INK, LABEL_SIZE, TICK_SIZE, dress, figure_of, finish, plain

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from scenarios.canvas import Entry

NEEDED = (
    "label", "unit", "role", "published", "low", "high", "accept_low", "accept_high", "predicted", "predicted_low",
    "predicted_high", "met",
)  # fmt: skip
MARKS = {
    "calibration": ("s", "#0072B2"),
    "validation": ("o", "#009E73"),
    "same-cohort": ("^", "#666666"),
    "context": ("v", "#666666"),
}
_ACCEPT = "#d2d2d2"


def forest(frame: pd.DataFrame, ax: Axes | None = None) -> Figure:
    """Published figures with their intervals, and predictions below them; a panel for each unit.

    Parameters
    ----------
    frame
        One row per figure: label, unit, role (a key of `MARKS`), published with low and high, accept_low and
        accept_high, predicted with predicted_low and predicted_high (NaN where there is none), met (bool).
    ax
        Draw there instead; the frame must then hold one unit.

    Raises
    ------
    InputError
        If columns are missing, a role is unknown, or `ax` is given for several units.
    """
    missing = [column for column in NEEDED if column not in frame]
    if missing:
        raise InputError.one(f"the evidence lacks {', '.join(missing)}", f"give columns {', '.join(NEEDED)}")
    unknown = sorted(set(frame["role"]) - set(MARKS))
    if unknown:
        raise InputError.one(f"role '{unknown[0]}'", f"use one of: {', '.join(MARKS)}", key="role")
    groups = list(frame.groupby("unit", sort=False))
    if ax is not None:
        if len(groups) != 1:
            raise InputError.one(f"{len(groups)} units for one axis", "give the figures of one unit")
        _panel(ax, groups[0][1], str(groups[0][0]))
        return figure_of(ax)
    from matplotlib.figure import Figure

    heights = [len(rows) + 1.6 for _, rows in groups]
    figure = Figure(figsize=(11.0, 0.42 * sum(heights) + 0.4), layout="constrained")
    axes = figure.subplots(len(groups), 1, height_ratios=heights, squeeze=False)[:, 0]
    for panel, (unit, rows) in zip(axes, groups, strict=True):
        _panel(panel, rows, str(unit))
    finish(
        figure,
        "Published and predicted figures",
        f"n = {len(frame)} figures. Upper mark: published, with its 95 % interval (thin) and the range that counts as "
        "met (grey bar); lower mark: predicted, median and 95 % range over parameter sets. Hollow: missed, or not "
        "judged.",
        _entries(set(frame["role"])),
    )
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, unit: str) -> None:
    for place, row in enumerate(rows.itertuples()):
        _row(axes, place, row)
    axes.set_yticks(range(len(rows)), [plain(text) for text in rows["label"].tolist()], fontsize=TICK_SIZE)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    dress(axes)
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", color="#e4e4e4", linewidth=0.7)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(unit, fontsize=LABEL_SIZE, color=INK)


def _row(axes: Axes, place: int, row: Any) -> None:
    marker, colour = MARKS[row.role]
    above, below = place - 0.18, place + 0.2
    if row.accept_low == row.accept_low and row.accept_high == row.accept_high:  # not NaN
        axes.plot(
            [row.accept_low, row.accept_high], [above] * 2, color=_ACCEPT, linewidth=7, solid_capstyle="butt", zorder=1
        )
    axes.plot([row.low, row.high], [above] * 2, color=INK, linewidth=1.2, zorder=2)
    axes.plot(row.published, above, marker="|", color="black", markersize=10, markeredgewidth=2, zorder=3)
    axes.plot([row.predicted_low, row.predicted_high], [below] * 2, color=colour, linewidth=1.8, zorder=2)
    face = colour if row.met else "white"
    axes.plot(
        row.predicted, below, marker=marker, color=colour, markerfacecolor=face, markersize=6.5, markeredgewidth=1.5,
        zorder=3,
    )  # fmt: skip


def _entries(roles: set[str]) -> list[Entry]:
    from matplotlib.lines import Line2D

    entries: list[Entry] = [
        (Line2D([], [], color="black", marker="|", markersize=10, linestyle="-", linewidth=1.2), "published"),
        (Line2D([], [], color=_ACCEPT, linewidth=7), "range that counts as met"),
    ]
    entries += [
        (Line2D([], [], color=colour, marker=marker), f"predicted, {role}")
        for role, (marker, colour) in MARKS.items()
        if role in roles
    ]
    return [*entries, (Line2D([], [], color=GREY, marker="o", markerfacecolor="white"), "hollow: missed or not judged")]
