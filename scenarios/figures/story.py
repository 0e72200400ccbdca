"""The picture of one patient's story: the course nobody saw, and what the clinic saw and did."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pkmodel.errors import InputError
from scenarios.canvas import DPI, GREY, INK, LABEL_SIZE, LEVEL_TICKS, dress, finish, style_of
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
    doses.set_xlim(-0.01 * told.duration / 7.0, told.duration / 7.0)
    entries = list(zip(*levels.get_legend_handles_labels(), strict=True))
    finish(figure, f"Patient {told.patient}, {told.arm}: a virtual patient", _caption(told), entries)
    return figure


def _caption(told: Story) -> str:
    left = f" The patient leaves the study in week {told.duration / 7.0:.1f}." if told.left else ""
    return (
        f"One virtual patient (n = 1), {told.scenario}, seed {told.seed}: no interval, because this is one course and "
        f"not an estimate. Lines are the truth, which no clinic sees; symbols are what the laboratory reported. LLOQ "
        f"({told.lloq:g} µg/mL, dotted line): lower limit of quantification, the least that can be measured. µg/mL-eq: "
        f"antibody as the amount of drug that it can bind.{left} Not for treating patients."
    )


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
    from matplotlib.ticker import NullLocator

    weeks = story.days / 7.0
    for number, name in enumerate(story.drugs):
        if story.levels[number].max(initial=0.0) > _FLOOR:
            drawn = np.where(story.levels[number] >= _FLOOR, story.levels[number], np.nan)
            axes.plot(weeks, drawn, color=style_of(number).colour, linewidth=1.0, label=f"{name}: true level")
    seen = {row["sampled_day"]: row for row in story.rows if row["sampled_day"] is not None}
    found = [(day / 7.0, row["level_ug_per_mL"]) for day, row in seen.items()]
    measured = [(week, level) for week, level in found if level is not None]
    below = [week for week, level in found if level is None]
    if measured:
        axes.plot(*zip(*measured, strict=True), "o", color=INK, markersize=5, label="level seen by the clinic")
    if below:
        axes.plot(below, [story.lloq] * len(below), "v", color=INK, markersize=5, label="seen: below the LLOQ")
    study = [(week, level) for week, level in story.samples if week > 0 and level is not None]
    if study:
        axes.plot(
            *zip(*study, strict=True),
            "o",
            markerfacecolor="none",
            color=GREY,
            markersize=5,
            label="study sample, not shown to the clinic",
        )
    axes.axhline(story.lloq, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_yscale("log")
    axes.set_ylim(bottom=_FLOOR)
    highest = axes.get_ylim()[1]
    ticks = [tick for tick in LEVEL_TICKS if _FLOOR <= tick <= highest]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylabel("Drug (µg/mL)", fontsize=LABEL_SIZE, color=INK)


def _antibody(axes: Axes, story: Story) -> None:
    for number in range(len(story.drugs)):
        if story.antibody[number].max(initial=0.0) > 0.0:
            axes.plot(story.days / 7.0, story.antibody[number], color=style_of(number).colour, linewidth=1.0)
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
    """Upright lines at what the clinic could not see; each kind has one entry in the legend."""
    onset = [(day, style_of(story.drugs.index(drug)).colour) for drug, day in story.truth.onset.items()]
    kinds = (
        ("antibody begins", "--", 0.8, [(day, colour) for day, colour in onset if day is not None]),
        ("response lost", "-", 1.0, [(day, "#b00020") for day, _ in story.truth.losses]),
        ("response back", "-.", 1.0, [(day, "#2e7d32") for day in story.truth.regained]),
    )
    for words, line, width, drawn in kinds:
        for number, (day, colour) in enumerate(drawn):
            label = words if number == 0 else "_again"
            axes.axvline(day / 7.0, color=colour, linestyle=line, linewidth=width, label=label)
