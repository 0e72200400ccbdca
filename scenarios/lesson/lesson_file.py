"""What stands in the file of a lesson."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from pkmodel.files import FileModel

CELLS = 200
"""Combinations a page may have: about 2 kB each, and the page stays well below 1 MB."""
PATIENTS = 5000
Picture = Literal["level", "antibody", "people", "strategy", "regained"]


class ControlFile(FileModel):
    """One control: what it sets, its values, and why the picture changes when it moves.

    Attributes
    ----------
    sets
        "dose" ("5 mg/kg"), "interval" ("8 weeks"), "timing" ("scheduled" or "episodic"), "immunomodulator" ("none",
        "thiopurine", "thiopurine from 30 weeks"), "premedication" ("none" or "hydrocortisone"), "strategy" (names of
        the lesson's strategies), or "titre" (bands such as "0.1-1 ug/mL" and ">= 9 ug/mL": nobody is treated in another
        way, but those are looked at who had that much antibody in the last sample before response was lost).
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
    why
        Instead of both where values have no order: why the picture looks as it does under each value.
    """

    sets: Literal["dose", "interval", "timing", "immunomodulator", "premedication", "strategy", "titre"]
    label: str
    hint: str = ""
    values: list[str] = Field(min_length=2)
    labels: list[str] = Field(default_factory=list)
    start: int = Field(0, ge=0)
    up: str = ""
    down: str = ""
    why: list[str] = Field(default_factory=list)

    @property
    def shown(self) -> list[str]:
        """Words for the values."""
        return self.labels or self.values

    @property
    def slider(self) -> bool:
        """Ordered quantities slide; the others are chosen."""
        return self.sets in ("dose", "interval", "titre")

    @model_validator(mode="after")
    def _check(self) -> ControlFile:
        if self.labels and len(self.labels) != len(self.values):
            raise ValueError(f"{len(self.labels)} labels for {len(self.values)} values; give one for each, or none")
        if self.start >= len(self.values):
            raise ValueError(f"start = {self.start}, but values are numbered from 0 to {len(self.values) - 1}")
        if self.why and len(self.why) != len(self.values):
            raise ValueError(f"{len(self.why)} reasons (why) for {len(self.values)} values; give one for each")
        if bool(self.why) == bool(self.up or self.down) or bool(self.up) != bool(self.down):
            raise ValueError("say why the picture changes: give both up and down, or why for each value")
        return self


class StrategyFile(FileModel):
    """A way to treat: everything about an arm that one value of a control decides.

    Attributes
    ----------
    policy
        As in a scenario's arm: `name` and its parameters.
    interval
        Time between infusions after the first ones, if it is not 8 weeks or what a control says.
    """

    policy: dict[str, Any] = Field(default_factory=lambda: {"name": "fixed"})
    interval: str = ""


class LineFile(FileModel):
    """A published cut-off, drawn upright where a band of titres begins.

    Attributes
    ----------
    titre
        ug/mL; the lower end of a band.
    label
        Words beside it.
    """

    titre: float = Field(gt=0.0)
    label: str


class PointFile(FileModel):
    """A published share of patients with response again, drawn over bands of titres.

    Attributes
    ----------
    bands
        Numbers of the bands, from 0, to which the published group belongs: the first and the last.
    percent, low, high
        The share and, where it is known, its interval.
    label
        Words beside it.
    """

    bands: list[int] = Field(min_length=2, max_length=2)
    percent: float = Field(ge=0.0, le=100.0)
    low: float | None = None
    high: float | None = None
    label: str


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
    pictures
        What is drawn: "level", "antibody" and "people" (all patients over time and at the end), "strategy" (what each
        strategy does, side by side), "regained" (who has drug and response back after a loss, by titre).
    strategy
        By name, the strategies that a control chooses from.
    control
        The controls, in order.
    tasks
        What a learner is asked to try.
    published
        What was found in patients, with sources, and how the simulation compares; a list of paragraphs.
    published_line, published_point
        The same, drawn into the pictures of 'regained'.
    """

    title: str
    question: str
    intro: list[str]
    scenario: str
    patients: int = Field(500, ge=50, le=PATIENTS)
    seed: int = Field(1, ge=0)
    induction_weeks: list[float] = Field(default=[0.0, 2.0, 6.0])
    pictures: list[Picture] = Field(default=["level", "antibody", "people"], min_length=1)
    strategy: dict[str, StrategyFile] = Field(default_factory=dict)
    control: list[ControlFile] = Field(min_length=1)
    tasks: list[str] = Field(default_factory=list)
    published: list[str] = Field(default_factory=list)
    published_line: LineFile | None = None
    published_point: list[PointFile] = Field(default_factory=list)

    def values_of(self, sets: str) -> list[str]:
        """Values of the control that sets something; none if there is no such control."""
        return next((control.values for control in self.control if control.sets == sets), [])

    @model_validator(mode="after")
    def _check(self) -> LessonFile:
        sets = [control.sets for control in self.control]
        twice = {name for name in sets if sets.count(name) > 1}
        if twice:
            raise ValueError(f"two controls set {', '.join(sorted(twice))}; leave one")
        self._check_strategies(set(sets))
        if "titre" in sets and self.pictures != ["regained"]:
            raise ValueError("a control sets titre; only the picture 'regained' knows titres, leave the others out")
        if (self.published_line or self.published_point) and "titre" not in sets:
            raise ValueError("published_line and published_point are drawn over titres; no control sets titre")
        for point in self.published_point:
            if not 0 <= point.bands[0] <= point.bands[1] < len(self.values_of("titre")):
                raise ValueError(f"published_point: bands {point.bands}; give first and last, numbered from 0")
        for picture, needed in (("strategy", "strategy"), ("regained", "titre")):
            if picture in self.pictures and needed not in sets:
                raise ValueError(f"picture '{picture}' needs a control that sets {needed}")
        cells = 1
        for control in self.control:
            cells *= len(control.values)
        if cells > CELLS:
            raise ValueError(f"{cells} combinations; leave values out until there are {CELLS} at most")
        return self

    def _check_strategies(self, sets: set[str]) -> None:
        if set(self.values_of("strategy")) != set(self.strategy):
            said = ", ".join(sorted(self.strategy)) or "none"
            raise ValueError(f"tables [strategy.NAME]: {said}; give one for each value of a control that sets strategy")
        if {"strategy", "timing"} <= sets:
            raise ValueError("controls set strategy and timing; on demand is a policy (episodic), leave timing out")
        if "interval" in sets and any(one.interval for one in self.strategy.values()):
            raise ValueError("a strategy and a control set the interval; leave one out")
