"""Scenarios: a question, and the arms that answer it.

A scenario is a TOML file.  It is checked once, when it is read, with all its faults reported together; from
then on it is a frozen object in internal units.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pkmodel.errors import InputError, PkWarning, unknown_name
from pkmodel.files import read_text
from scenarios.references import REFERENCES, is_path
from scenarios.scenario_build import build_arm, build_design, build_panel
from scenarios.scenario_file import RunFile, ScenarioFile
from scenarios.scenario_parts import Adherence, Arm, AssayChange, AssayPanel, RunSettings, TrialDesign
from scenarios.scenario_read import read_document
from scenarios.settings import apply_settings, as_settings_error
from scenarios.toml_text import toml_text

__all__ = ["Adherence", "Arm", "AssayPanel", "RunSettings", "Scenario", "TrialDesign", "find"]

_DATA = Path(__file__).parent / "data"
_NOT_THE_SCENARIO = ("run", "versions")
_SMALL_INFUSION_MG = 50.0  # 3 mg/kg in a child of 17 kg


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A question and its arms.

    Attributes
    ----------
    name, title, question
        What is asked.
    drug, model, immunogenicity, cohort, window
        Names, or absolute paths of the user's own files.
    duration
        Length of follow-up, days.
    visits
        Days of the visits at which samples are taken, common to all arms.
    review_every
        Interval, in days, at which policies are asked.
    assays
        Assays that read the samples.
    arms
        At least one; the first is the one others are compared with.
    design
        Paired or randomised, and who leaves.
    text
        The whole scenario as TOML, complete and in one fixed form; of the user's own files only the names.
    assay_changes
        Other assays from a day on, in order of days.
    regain_after
        Days from a loss, and from a change of treatment, to the day on which lost response is judged again; None: loss
        is final.
    run
        Patients, seed and what to keep, if the file states them.
    versions
        Versions of packages recorded in the file (a protocol of an earlier run), else empty.
    document
        What was read, with absolute paths.
    """

    name: str
    title: str
    question: str
    drug: str
    model: str
    immunogenicity: str
    cohort: str
    window: str
    duration: float
    visits: tuple[float, ...]
    review_every: float
    assays: AssayPanel
    arms: tuple[Arm, ...]
    text: str
    design: TrialDesign = field(default_factory=TrialDesign)
    assay_changes: tuple[AssayChange, ...] = ()
    regain_after: float | None = None
    run: RunSettings = field(default_factory=RunSettings)
    versions: Mapping[str, str] = field(default_factory=dict)
    document: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def load(cls, name: str | Path) -> Scenario:
        """Load a shipped scenario by name, or one from a TOML file.

        Raises
        ------
        UnknownNameError
            If no scenario has that name.
        InputError
            With every fault of the file, each with its line.
        """
        path = find(name)
        return cls.parse(read_text(path), file=str(path), name=path.stem, folder=path.parent)

    @staticmethod
    def names() -> list[str]:
        """Names of the shipped scenarios."""
        return sorted(path.stem for path in _DATA.glob("*.toml"))

    @classmethod
    def parse(cls, text: str, *, file: str = "<text>", name: str = "scenario", folder: str | Path = ".") -> Scenario:
        """Read a scenario from TOML text.

        Parameters
        ----------
        text
            The TOML.
        file
            What messages call it.
        name
            Name of the scenario where the text has no ``name``.
        folder
            Where relative paths of cohort, model and antibody files start.

        Raises
        ------
        InputError
            With every fault of the text, each with its line.
        """
        document, content = read_document(text, file=file, folder=Path(folder))
        return _build(content, document, name)

    def with_settings(self, settings: Sequence[str], *, window: str | None = None) -> Scenario:
        """Return this scenario with some keys changed.

        Parameters
        ----------
        settings
            ``KEY=VALUE`` each, with a dotted TOML key; arms by name or by index from 0, and entries of lists
            by index: ``"window=taxit-published"``, ``"arm.scheduled.adherence.missed=0.15"``,
            ``"arm.0.dosing.1.every=6 weeks"``.  A value that is not TOML is taken as text.  Paths start at
            the working directory.
        window
            Another target window, by name; put in last.

        Raises
        ------
        InputError
            Naming the setting that is wrong.
        """
        changed = apply_settings(self.document, settings, window=window)
        if not changed.origin:
            return self
        for key in REFERENCES:
            if isinstance(value := changed.document.get(key), str) and is_path(value):
                changed.document[key] = str(Path(value).resolve())
        try:
            document, content = read_document(toml_text(changed.document), file=self.name, folder=Path.cwd())
        except InputError as error:
            raise as_settings_error(error, changed, self.name) from None
        return _build(content, document, self.name)

    @property
    def files(self) -> dict[str, Path]:
        """The user's own files this scenario reads, by the key that names them."""
        return {key: Path(value) for key in REFERENCES if is_path(value := str(getattr(self, key)))}


def find(name: str | Path) -> Path:
    """Return the file of a scenario, given by name or by path.

    Raises
    ------
    UnknownNameError
        If it is neither a shipped scenario nor written like a path.
    """
    text = str(name)
    if isinstance(name, Path) or is_path(text):
        return Path(name)
    if text not in Scenario.names():
        raise unknown_name("scenario", text, Scenario.names())
    return _DATA / f"{text}.toml"


def _build(content: ScenarioFile, document: dict[str, Any], name: str) -> Scenario:
    name = content.name or name
    run = content.run or RunFile()
    scenario = Scenario(
        name=name,
        title=content.title,
        question=content.question,
        drug=content.drug,
        model=content.model,
        immunogenicity=content.immunogenicity,
        cohort=content.cohort,
        window=content.window,
        duration=content.duration,
        visits=tuple(7.0 * week for week in content.visits_weeks),
        review_every=content.review_every,
        assays=build_panel(content.assays),
        assay_changes=tuple(
            AssayChange(day=change.start, panel=build_panel(change))
            for change in sorted(content.assay_change, key=lambda one: one.start)
        ),
        regain_after=content.regain_after,
        arms=tuple(map(build_arm, content.arm)),
        text=toml_text(_portable(document, name)),
        design=build_design(content.trial, len(content.arm)),
        run=RunSettings(patients=run.patients, seed=run.seed, keep=run.keep),
        versions=content.versions or {},
        document=document,
    )
    for message in _oddities(scenario):
        warnings.warn(message, PkWarning, stacklevel=4)
    return scenario


def _portable(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The scenario alone, with its name, and with file names in place of this machine's paths."""
    kept = {key: value for key, value in document.items() if key not in (*_NOT_THE_SCENARIO, "name")}
    for key in REFERENCES:
        if is_path(kept[key]):
            kept[key] = Path(kept[key]).name
    return {"name": name, **kept}


def _oddities(scenario: Scenario) -> Iterator[str]:
    """What is allowed but most likely a slip."""
    from pkmodel.library import load

    usual_route = load(scenario.model).structure.routes[0]
    for arm in scenario.arms:
        small = {
            str(dose.amount)
            for dose in arm.regimen.doses
            if (dose.route or usual_route) == "iv"
            and not dose.amount.per_weight
            and dose.amount.value < _SMALL_INFUSION_MG
        }
        for amount in sorted(small):
            yield f"arm '{arm.name}': an infusion of {amount} in all; did you mean {amount}/kg?"
