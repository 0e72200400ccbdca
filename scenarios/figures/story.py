"""The picture of one patient's story: the course nobody saw, and what the clinic saw and did."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pkmodel.errors import InputError
from scenarios.canvas import CAPTION_SIZE, DPI, FAINT, GREY, INK, LABEL_SIZE, TITLE_SIZE, dress, plain, style_of
from scenarios.decisions import CONTINUE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from scenarios.explaining import Story

_FLOOR = 0.01  # ug/mL, the lowest level drawn
_QUIET = {CONTINUE, "dose-on-demand"}


def story(told: Story) -> Figure:
    """Draw a story: levels above, antibody in the middle, doses and decisions below; weeks to the right."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.0, 7.5), layout="constrained")
    levels, antibody, doses = figure.subplots(3, 1, sharex=True, height_ratios=(3.0, 1.6, 1.6))
    _levels(levels, told)
    _antibody(antibody, told)
    _doses(doses, told)
    for axes in (levels, antibody, doses):
        dress(axes)
        _moments(axes, told)
    doses.set_xlabel("Weeks since first dose", fontsize=LABEL_SIZE, color=INK)
    doses.set_xlim(0.0, told.duration / 7.0)
    figure.text(
        0.01,
        -0.02,
        "Upright lines, not seen by the clinic: dashed, antibody begins; red, response lost; green, response back.",
        fontsize=CAPTION_SIZE,
        color=FAINT,
    )
    levels.set_title(
        plain(f"Patient {told.patient}, {told.arm}: a virtual patient"), loc="left", fontsize=TITLE_SIZE, color=INK
    )
    return figure


def save(told: Story, path: Path) -> None:
    """Write the figure as PNG.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    if path.suffix.lower() != ".png":
        raise InputError.one(f"'{path}' is no .png", "name a file such as story.png", key="--out")
    try:
        story(told).savefig(path, dpi=DPI, bbox_inches="tight")
    except OSError as error:
        raise InputError.one(f"cannot write {path}: {error.strerror}", "name another file", key="--out") from error


def _levels(axes: Axes, story: Story) -> None:
    weeks = story.days / 7.0
    for number, name in enumerate(story.drugs):
        if story.levels[number].max(initial=0.0) > _FLOOR:
            drawn = np.maximum(story.levels[number], _FLOOR)
            axes.plot(weeks, drawn, color=style_of(number).colour, linewidth=1.0, label=f"{name}, truth")
    seen = {row["sampled_day"]: row for row in story.rows if row["sampled_day"] is not None}
    found = [(day / 7.0, row["level_ug_per_mL"]) for day, row in seen.items()]
    measured = [(week, level) for week, level in found if level is not None]
    below = [week for week, level in found if level is None]
    if measured:
        axes.plot(*zip(*measured, strict=True), "o", color=INK, markersize=5, label="seen by the clinic")
    if below:
        axes.plot(below, [story.lloq] * len(below), "v", color=INK, markersize=5, label="seen: below the LLOQ")
    study = [(week, level) for week, level in story.samples if week > 0 and level is not None]
    if study:
        axes.plot(
            *zip(*study, strict=True), "o", markerfacecolor="none", color=GREY, markersize=5, label="study sample"
        )
    axes.axhline(story.lloq, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_yscale("log")
    axes.set_ylim(bottom=_FLOOR)
    axes.set_ylabel("Drug (µg/mL)", fontsize=LABEL_SIZE, color=INK)
    axes.legend(fontsize=8, frameon=False, loc="upper right", ncols=2)


def _antibody(axes: Axes, story: Story) -> None:
    for number, name in enumerate(story.drugs):
        if story.antibody[number].max(initial=0.0) > 0.0:
            axes.plot(
                story.days / 7.0, story.antibody[number], color=style_of(number).colour, linewidth=1.0, label=name
            )
    seen = {row["sampled_day"]: row["titre_ug_per_mL_eq"] for row in story.rows if row["sampled_day"] is not None}
    titres = [(day / 7.0, titre) for day, titre in seen.items() if titre is not None]
    if titres:
        axes.plot(*zip(*titres, strict=True), "o", color=INK, markersize=5)
    axes.set_ylim(bottom=0.0)
    axes.set_ylabel("Antibody\n(µg/mL-eq)", fontsize=LABEL_SIZE, color=INK)


def _doses(axes: Axes, story: Story) -> None:
    for number, name in enumerate(story.drugs):
        given = [(row["week"], row["dose_mg"]) for row in story.rows if row["drug"] == name and row["dose_mg"] > 0.0]
        if given:
            weeks, amounts = zip(*given, strict=True)
            axes.vlines(weeks, 0.0, amounts, color=style_of(number).colour, linewidth=2.0)
    top = max((row["dose_mg"] for row in story.rows), default=1.0)
    axes.set_ylim(0.0, 1.9 * top)
    told = [row for row in story.rows if row["decision"] not in _QUIET]
    for row in told:
        axes.annotate(
            row["decision"].replace("+", "\n+"),
            (row["week"], 1.05 * top),
            fontsize=7,
            color=INK,
            rotation=35,
            annotation_clip=True,
        )
    axes.set_ylabel("Dose (mg)", fontsize=LABEL_SIZE, color=INK)


def _moments(axes: Axes, story: Story) -> None:
    """Upright lines at what the clinic could not see."""
    for drug, day in story.truth.onset.items():
        if day is not None:
            axes.axvline(day / 7.0, color=style_of(story.drugs.index(drug)).colour, linestyle="--", linewidth=0.8)
    for day, _ in story.truth.losses:
        axes.axvline(day / 7.0, color="#b00020", linestyle="-", linewidth=0.8)
    for day in story.truth.regained:
        axes.axvline(day / 7.0, color="#2e7d32", linestyle="-", linewidth=0.8)
