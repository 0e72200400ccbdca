"""What stands in the file of a lesson."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pkmodel.files import FileModel

CELLS = 200
"""Combinations a page may have: about 2 kB each, and the page stays well below 1 MB."""
PATIENTS = 5000


class ControlFile(FileModel):
    """One control: what it sets, its values, and why the picture changes when it moves.

    Attributes
    ----------
    sets
        "dose" ("5 mg/kg"), "interval" ("8 weeks"), "timing" ("scheduled" or "episodic"), "immunomodulator" ("none",
        "thiopurine", "thiopurine from 30 weeks"), or "premedication" ("none" or "hydrocortisone").
    label, hint
        Words beside the control.
    values
        In the order of the slider.
    labels
        What people read instead of the values.
    start
        Number of the value to begin with, from 0.
    up, down
        Why the picture changes when the control moves to a later, or an earlier, value.
    """

    sets: Literal["dose", "interval", "timing", "immunomodulator", "premedication"]
    label: str
    hint: str = ""
    values: list[str] = Field(min_length=2)
    labels: list[str] = Field(default_factory=list)
    start: int = Field(0, ge=0)
    up: str
    down: str

    @property
    def shown(self) -> list[str]:
        """Words for the values."""
        return self.labels or self.values

    @property
    def slider(self) -> bool:
        """Ordered quantities slide; the others are chosen."""
        return self.sets in ("dose", "interval")

    @model_validator(mode="after")
    def _check(self) -> ControlFile:
        if self.labels and len(self.labels) != len(self.values):
            raise ValueError(f"{len(self.labels)} labels for {len(self.values)} values; give one for each, or none")
        if self.start >= len(self.values):
            raise ValueError(f"start = {self.start}, but values are numbered from 0 to {len(self.values) - 1}")
        return self


class LessonFile(FileModel):
    """A lesson.

    Attributes
    ----------
    title, question, intro
        What it is about; `intro` is a list of paragraphs.
    scenario
        Trial whose drug, model, patients, assays, window, visits and length are used.
    patients, seed
        Of each simulation.
    induction_weeks
        Weeks of the first doses, in every combination.
    control
        The controls, in order.
    tasks
        What a learner is asked to try.
    """

    title: str
    question: str
    intro: list[str]
    scenario: str
    patients: int = Field(500, ge=50, le=PATIENTS)
    seed: int = Field(1, ge=0)
    induction_weeks: list[float] = Field(default=[0.0, 2.0, 6.0])
    control: list[ControlFile] = Field(min_length=1)
    tasks: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _check(self) -> LessonFile:
        sets = [control.sets for control in self.control]
        twice = {name for name in sets if sets.count(name) > 1}
        if twice:
            raise ValueError(f"two controls set {', '.join(sorted(twice))}; leave one")
        cells = 1
        for control in self.control:
            cells *= len(control.values)
        if cells > CELLS:
            raise ValueError(f"{cells} combinations; leave values out until there are {CELLS} at most")
        return self
