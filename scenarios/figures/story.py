"""One patient's story: drug in the body, what the laboratory reported, what was decided, on one time axis."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from pkmodel.errors import InputError, unknown_name
from scenarios.canvas import (
    FAINT,
    GREY,
    INK,
    LABEL_SIZE,
    STRIP,
    TICK_SIZE,
    dress,
    figure_of,
    finish,
    level_axis,
    style_of,
)
from scenarios.metrics import INCONCLUSIVE, POSITIVE
from scenarios.page import window_text
from scenarios.readout import arm_names, choose_window

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pkmodel.windows import TargetWindow
    from scenarios.canvas import Entry
    from scenarios.intervals import FloatArray

NEEDED = (
    "arm", "patient", "day", "level_ug_per_mL", "blq", "ada_drug_sensitive", "ada_drug_tolerant", "symptoms",
    "sampled_day", "decision", "reason", "dose_mg",
)  # fmt: skip
"""Columns of the ledger that are read."""

_ALERT = "#D55E00"
_CROSS: dict[str, Any] = {"marker": "x", "markersize": 8, "markeredgewidth": 2.2}
_DISC = {"boxstyle": "circle,pad=0.22", "facecolor": "#0072B2", "edgecolor": "none"}
_SHOWN = 6  # decisions that the caption has room for
_LANES = (
    ("symptoms", "Symptoms"),
    ("ada_drug_sensitive", "Antibody,\ndrug-sensitive"),
    ("ada_drug_tolerant", "Antibody,\ndrug-tolerant"),
)
_MARKS = {
    0: ("o", "white", "antibody negative"),
    POSITIVE: ("P", INK, "antibody positive"),
    INCONCLUSIVE: ("s", "#b5b5b5", "inconclusive"),
}


def story(
    result: xr.Dataset,
    ledger: pd.DataFrame,
    patient: int,
    arm: str | None = None,
    ax: Axes | None = None,
    *,
    window: str | TargetWindow | None = None,
) -> Figure:
    """One patient of one arm: true drug, levels and antibodies as reported, symptoms, doses and decisions.

    Parameters
    ----------
    result
        Dataset of a run that kept trajectories.
    ledger
        The ledger of that run: one row for each patient and day on which something happened.
    patient
        Id of the patient.
    arm
        Name of the arm; None for the first.
    ax
        Draw drug, levels and doses there, and leave the rest out.
    window
        Name of a target window, or the window itself; None for the scenario's own.

    Raises
    ------
    InputError
        If the result kept no trajectories, the ledger lacks columns, or there is no such arm or patient.
    """
    target = choose_window(result, window)
    name = arm_names(result)[0] if arm is None else arm
    days, level = _trajectory(result, name, patient)
    rows = _rows(ledger, name, patient)
    lloq = float(result.attrs["drug_lloq"])
    if ax is not None:
        _levels(ax, days, level, rows, target, lloq)
        _weeks(ax, days[-1], last=True)
        return figure_of(ax)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.0, 6.6), layout="constrained")
    top, middle, bottom = figure.subplots(3, 1, sharex=True, height_ratios=[3.4, 1.5, 1.2])
    entries = _levels(top, days, level, rows, target, lloq)
    entries += _lanes(middle, rows)
    told = _doses(bottom, rows)
    for panel in (top, middle, bottom):
        _weeks(panel, days[-1], last=panel is bottom)
    finish(
        figure,
        f"Patient {patient}, arm ‘{name}’",
        f"n = 1 of {result.sizes['patient']:,} virtual patients; {result.attrs.get('model', '')}, seed "
        f"{result.attrs.get('seed', 'not stated')}. Line: true free {result.attrs['drug']} (a simulated patient's; no "
        "clinic sees it), broken at doses, whose peaks are not drawn; marks: what the laboratory reported, without "
        f"interval: one sample each. Yellow: target window {window_text(target)}. {told}",
        entries,
    )
    return figure


def _trajectory(result: xr.Dataset, arm: str, patient: int) -> tuple[FloatArray, FloatArray]:
    if "concentration" not in result:
        raise InputError.one("the result kept no trajectories", "run with keep='trajectories'", key="keep")
    if arm not in arm_names(result):
        raise unknown_name("arm", arm, arm_names(result))
    ids = result["patient"].values.tolist()
    if patient not in ids:
        raise InputError.one(
            f"no patient {patient} in the result", f"ids go from {min(ids)} to {max(ids)}", key="patient"
        )
    one = result["concentration"].sel(arm=arm, patient=patient)
    return result["time"].values.astype(np.float64), one.values.astype(np.float64)


def _rows(ledger: pd.DataFrame, arm: str, patient: int) -> pd.DataFrame:
    missing = [column for column in NEEDED if column not in ledger]
    if missing:
        raise InputError.one(f"the ledger lacks {', '.join(missing)}", "give the ledger of a run as it was written")
    return ledger[(ledger["arm"] == arm) & (ledger["patient"] == patient)].sort_values("day")


def _levels(
    axes: Axes, days: FloatArray, level: FloatArray, rows: pd.DataFrame, window: TargetWindow, lloq: float
) -> list[Entry]:
    from matplotlib.lines import Line2D

    style = style_of(0)
    given = rows.loc[rows["dose_mg"] > 0, "day"].to_numpy(np.float64)
    floor = lloq * STRIP
    weeks, drawn = days / 7.0, np.maximum(level, floor)
    # A day's value is that just before its dose: each stretch ends there, and the next begins a decision day later.
    edges = [0, *(np.searchsorted(days, given) + 1), days.size]
    for first, last in pairwise(edges):
        axes.plot(weeks[first:last], drawn[first:last], color=style.colour, linewidth=1.8, zorder=2)
    samples = rows.dropna(subset=["sampled_day"]).drop_duplicates("sampled_day")
    below = samples["blq"].to_numpy(np.float64) == 1.0
    sampled = samples["sampled_day"].to_numpy(np.float64) / 7.0
    (seen,) = axes.plot(
        sampled[~below], samples["level_ug_per_mL"].to_numpy(np.float64)[~below], linestyle="none", marker="o",
        markersize=7, markerfacecolor=INK, markeredgecolor="white", zorder=4,
    )  # fmt: skip
    (blq,) = axes.plot(
        sampled[below], np.full(int(below.sum()), lloq * math.sqrt(STRIP)), linestyle="none", marker="v", markersize=8,
        markerfacecolor="white", markeredgecolor=INK, markeredgewidth=1.5, zorder=4,
    )  # fmt: skip
    high = 1.4 * max(float(level.max()), window.low if math.isinf(window.high) else window.high, 1.0)
    (doses,) = axes.plot(
        given / 7.0, np.full(given.size, high / 1.12), linestyle="none", marker=7, markersize=8, color=_ALERT, zorder=4
    )
    dress(axes)
    level_axis(axes, window, lloq, high, margin=True)
    axes.set_ylabel("Free drug (µg/mL)", fontsize=LABEL_SIZE, color=INK)
    line = Line2D([], [], color=style.colour, linewidth=1.8)
    return [(line, "true drug"), (seen, "level reported"), (blq, "reported below LLOQ"), (doses, "dose given")]


def _lanes(axes: Axes, rows: pd.DataFrame) -> list[Entry]:
    """Symptoms and both antibody assays, one lane each, at the day of the sample."""
    from matplotlib.lines import Line2D

    samples = rows.dropna(subset=["sampled_day"]).drop_duplicates("sampled_day")
    for lane, (column, _) in enumerate(_LANES):
        axes.axhline(lane, color="#e4e4e4", linewidth=6, solid_capstyle="butt", zorder=0)
        if column == "symptoms":
            ill = rows.loc[rows["symptoms"] == 1, "day"].to_numpy(np.float64) / 7.0
            axes.plot(ill, np.full(ill.size, lane), linestyle="none", color=_ALERT, **_CROSS)
            continue
        for code, (marker, face, _) in _MARKS.items():
            mine = samples.loc[samples[column] == code, "sampled_day"].to_numpy(np.float64) / 7.0
            axes.plot(
                mine, np.full(mine.size, lane), linestyle="none", marker=marker, markersize=8, markerfacecolor=face,
                markeredgecolor=INK, zorder=3,
            )  # fmt: skip
    dress(axes)
    axes.grid(visible=False)
    axes.set_yticks(range(len(_LANES)), [words for _, words in _LANES], fontsize=TICK_SIZE)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-0.6, len(_LANES) - 0.4)
    axes.spines["left"].set_visible(False)
    handles: list[Entry] = [
        (Line2D([], [], linestyle="none", marker=m, markersize=8, markerfacecolor=face, markeredgecolor=INK), words)
        for m, face, words in _MARKS.values()
    ]
    return [*handles, (Line2D([], [], linestyle="none", color=_ALERT, **_CROSS), "symptoms")]


def _doses(axes: Axes, rows: pd.DataFrame) -> str:
    """Doses as stems, numbered decisions above them; return the decisions in words."""
    given = rows[rows["dose_mg"] > 0]
    top = max(float(given["dose_mg"].max()) if len(given) else 0.0, 1.0)
    axes.vlines(given["day"] / 7.0, 0.0, given["dose_mg"], color=FAINT, linewidth=4)
    changes = rows[~rows["decision"].isin(["continue", ""])]
    said = []
    for number, (_, row) in enumerate(changes.iterrows(), start=1):
        if number <= _SHOWN:
            axes.annotate(
                str(number), (float(row["day"]) / 7.0, top * 1.22), ha="center", va="center", fontsize=TICK_SIZE,
                color="white", weight="bold", bbox=_DISC,
            )  # fmt: skip
            said.append(
                f"{number}, week {float(row['day']) / 7.0:g}: {row['decision']} ({row['reason']})".replace(
                    "ug/mL", "µg/mL"
                )
            )
        else:
            axes.plot(float(row["day"]) / 7.0, top * 1.22, marker="o", color="#0072B2", markersize=5)
    dress(axes)
    axes.set_ylim(0.0, top * 1.5)
    axes.set_yticks([0.0, round(top, -1)], ["0", f"{top:.0f}"])
    axes.set_ylabel("Dose (mg)", fontsize=LABEL_SIZE, color=INK)
    more = f"; {len(changes) - _SHOWN} more decisions as dots" if len(changes) > _SHOWN else ""
    return f"Decisions: {'; '.join(said)}{more}." if said else "No decision changed the treatment."


def _weeks(axes: Axes, end: float, *, last: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlim(-0.5, end / 7.0 + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    axes.spines["bottom"].set_color(GREY)
    if last:
        axes.set_xlabel("Weeks since first dose", fontsize=LABEL_SIZE, color=INK)
