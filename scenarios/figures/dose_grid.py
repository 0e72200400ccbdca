"""Heat map of a search: how likely the target is for each dose and interval, and which of them are allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pkmodel.errors import InputError
from scenarios.canvas import GREY, INK, LABEL_SIZE, TICK_SIZE, figure_of, finish

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

NEEDED = ("dose", "interval", "probability", "feasible")
_EDGE = "#D55E00"


def dose_grid(
    frame: pd.DataFrame,
    ax: Axes | None = None,
    *,
    dose_unit: str = "mg/kg",
    what: str = "Trough in the target window",
    who: str = "",
) -> Figure:
    """Probability of a target by dose and interval; what is not feasible hatched, the feasible region outlined.

    Parameters
    ----------
    frame
        One row per regimen: dose (in `dose_unit`), interval (weeks), probability (0 to 1), feasible (bool).
    ax
        Draw there instead.
    dose_unit
        For the axis.
    what
        Whose probability it is.
    who
        Number of patients and the like, for the caption.

    Raises
    ------
    InputError
        If columns are missing, a probability is not one, or a regimen stands twice.
    """
    _check(frame)
    doses, intervals = sorted(set(frame["dose"])), sorted(set(frame["interval"]))
    if ax is not None:
        _draw(ax, frame, doses, intervals, dose_unit)
        return figure_of(ax)
    from matplotlib.figure import Figure

    figure = Figure(
        figsize=(max(6.0, 2.4 + 0.8 * len(intervals)), max(3.0, 1.2 + 0.5 * len(doses))), layout="constrained"
    )
    axes = figure.subplots()
    image = _draw(axes, frame, doses, intervals, dose_unit)
    bar = figure.colorbar(image, ax=axes, fraction=0.05, pad=0.02)
    bar.set_label("Patients (%)", fontsize=LABEL_SIZE, color=INK)
    bar.ax.tick_params(labelsize=TICK_SIZE, colors=INK)
    # half the width of a 95 % interval depends on n, which the frame does not know: the caller says it
    finish(
        figure,
        f"{what}, by dose and interval",
        f"{who + ' ' if who else ''}Numbers: percent of patients. Outlined: allowed; hatched: not allowed. "
        "For research and teaching, not for treating a patient.",
    )
    return figure


def _check(frame: pd.DataFrame) -> None:
    missing = [column for column in NEEDED if column not in frame]
    if missing:
        raise InputError.one(f"the grid lacks {', '.join(missing)}", f"give columns {', '.join(NEEDED)}")
    odd = frame[~frame["probability"].between(0.0, 1.0)]
    if len(odd):
        raise InputError.one(f"{odd['probability'].iloc[0]} is not a probability", "use 0 to 1", key="probability")
    twice = frame[frame.duplicated(["dose", "interval"])]
    if len(twice):
        regimen = f"{twice['dose'].iloc[0]:g} every {twice['interval'].iloc[0]:g} weeks"
        raise InputError.one(f"the grid has {regimen} twice", "give one row for each dose and interval", key="dose")


def _draw(axes: Axes, frame: pd.DataFrame, doses: list[float], intervals: list[float], unit: str) -> AxesImage:
    shown = np.full((len(doses), len(intervals)), np.nan)
    allowed = np.zeros(shown.shape, np.bool_)
    columns = (frame[name].tolist() for name in NEEDED)
    for dose, interval, probability, feasible in zip(*columns, strict=True):
        place = doses.index(dose), intervals.index(interval)
        shown[place], allowed[place] = 100.0 * probability, feasible
    top = max(float(np.nanmax(shown)), 1.0)
    # cividis rises evenly in lightness, for colour-blind eyes and grey printers alike
    image = axes.imshow(shown, origin="lower", aspect="auto", cmap="cividis", vmin=0.0, vmax=top)
    for row, column in np.argwhere(np.isfinite(shown)).tolist():
        value = float(shown[row, column])
        _cell(axes, row, column, value, dark=value < 0.55 * top, allowed=bool(allowed[row, column]))
    _outline(axes, allowed)
    axes.set_xticks(range(len(intervals)), [f"{weeks:g}" for weeks in intervals])
    axes.set_yticks(range(len(doses)), [f"{dose:g}" for dose in doses])
    axes.tick_params(labelsize=TICK_SIZE, colors=INK, length=0)
    axes.set_xlabel("Weeks between doses", fontsize=LABEL_SIZE, color=INK)
    axes.set_ylabel(f"Dose ({unit})", fontsize=LABEL_SIZE, color=INK)
    for side in axes.spines.values():
        side.set_visible(False)
    return image


def _cell(axes: Axes, row: int, column: int, value: float, *, dark: bool, allowed: bool) -> None:
    from matplotlib.patches import Rectangle

    ink = "white" if dark else "black"
    if not allowed:
        box = Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor="#dedede", edgecolor=GREY, hatch="////", linewidth=0)
        axes.add_patch(box)
        ink = INK
    ground = {"facecolor": "#dedede", "edgecolor": "none", "pad": 1.5} if not allowed else None
    axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=LABEL_SIZE, color=ink, bbox=ground)


def _outline(axes: Axes, allowed: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> None:
    """Edges between what is allowed and what is not, or the end of the grid."""
    framed = np.pad(allowed, 1)
    for row, column in np.argwhere(allowed).tolist():
        for step, (xs, ys) in {
            (-1, 0): ((-0.5, 0.5), (-0.5, -0.5)), (1, 0): ((-0.5, 0.5), (0.5, 0.5)),
            (0, -1): ((-0.5, -0.5), (-0.5, 0.5)), (0, 1): ((0.5, 0.5), (-0.5, 0.5)),
        }.items():  # fmt: skip
            if not framed[row + 1 + step[0], column + 1 + step[1]]:
                axes.plot(
                    [column + x for x in xs], [row + y for y in ys], color=_EDGE, linewidth=3.0, zorder=4,
                    clip_on=False, solid_capstyle="round",
                )  # fmt: skip
