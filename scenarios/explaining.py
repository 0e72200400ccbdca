"""One patient's story: simulated again from the protocol of a run, told in words.

Random numbers are addressed by patient, so one patient alone meets the same fate as in the whole run.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pkmodel.errors import InputError, PkWarning, unknown_name
from pkmodel.kernels import layout as at
from pkmodel.patients import Patients
from scenarios.allocation import allocate
from scenarios.arm import ArmRun
from scenarios.ledger import Ledger, Row
from scenarios.looks import Looks
from scenarios.outputs import PROTOCOL, RESULT
from scenarios.scenario import Scenario
from scenarios.setting import Setting
from scenarios.story_text import lines
from scenarios.visit import Floats

_LOOK_EVERY = 0.5  # d, of the drawn curves


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What the clinic could not see.

    Attributes
    ----------
    onset
        By drug, day of seroconversion; None if there was none.
    responder
        Primary response to the scenario's drug; None before it was judged.
    losses
        Day and cause of each loss of response: True if it was for lack of drug.
    regained
        Days on which response was found again.
    """

    onset: dict[str, float | None]
    responder: bool | None
    losses: tuple[tuple[float, bool], ...]
    regained: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Story:
    """All that is told and drawn of one patient in one arm.

    Attributes
    ----------
    scenario, arm, patient, seed
        Which one.
    covariates
        Name to value, internal units.
    rows
        The ledger of the patient.
    drugs
        Names of the arm's drugs.
    days, levels, antibody
        Course of the truth: (look,) days; (drug, look) free drug and total antibody, mg/L.
    samples
        Levels of the study's own samples: (week, ug/mL or None below the LLOQ); the clinic did not see them.
    lloq
        Of the drug assay, ug/mL.
    duration
        Days, to the end or until the patient leaves.
    left
        The patient left the trial before its end, on the day `duration`.
    truth
        What the clinic could not see.
    """

    scenario: str
    arm: str
    patient: int
    seed: int
    covariates: dict[str, float]
    rows: tuple[Row, ...]
    drugs: tuple[str, ...]
    days: Floats
    levels: Floats
    antibody: Floats
    samples: tuple[tuple[float, float | None], ...]
    lloq: float
    duration: float
    left: bool
    truth: Truth

    def text(self) -> str:
        """The story in words."""
        return "\n".join(lines(self))


def explain(folder: str | Path, patient: int, arm: str | None = None) -> Story:
    """Simulate one patient of an earlier run again, and keep everything.

    Parameters
    ----------
    folder
        Directory that ``pkmodel run --out`` wrote.
    patient
        Number (id) of the patient.
    arm
        Name of the arm; default the one the patient was allocated to, the first where every patient is in every arm.

    Raises
    ------
    InputError
        If there is no protocol, patient or arm of that name.
    """
    folder = Path(folder)
    protocol = folder / PROTOCOL
    if not protocol.is_file():
        problem = f"{folder} holds no {PROTOCOL}"
        raise InputError.one(problem, "give a directory that 'pkmodel run --out' wrote", key="RESULT")
    trial = Scenario.load(protocol)
    names = [one.name for one in trial.arms]
    if arm is not None and arm not in names:
        raise unknown_name("arm", arm, names)
    seed = 1 if trial.run.seed is None else trial.run.seed
    one = _patient(trial, patient, seed)
    setting = Setting.of(trial, seed, 1)
    chosen = trial.arms[_own_arm(setting, one) if arm is None else names.index(arm)]
    ledger, looks = Ledger(), Looks(_LOOK_EVERY)
    run = ArmRun(setting, chosen, one)
    run.carry_through(pages=ledger.pages(chosen.name), looks=looks)
    _compare(folder / RESULT, run, patient)
    return _story(trial, run, patient, seed, ledger, looks)


def _patient(trial: Scenario, patient: int, seed: int) -> Patients:
    from scenarios.cohorts import Cohort

    count = trial.run.patients
    if count is not None and patient >= count:
        raise InputError.one(f"there is no patient {patient}", f"use 0 to {count - 1}", key="--patient")
    return Cohort.load(trial.cohort).sample(1, seed=seed, first=patient)


def _own_arm(setting: Setting, one: Patients) -> int:
    design = setting.scenario.design
    return int(allocate(design, one.ids, setting.draws)[0]) if design.randomised else 0


def _compare(path: Path, run: ArmRun, patient: int) -> None:
    """Say so where the result of the run has other numbers than this story.

    A trial keeps no level of a patient who has left, or in an arm that was not the patient's.
    """
    if not path.is_file():
        return
    import xarray as xr

    with xr.open_dataset(path, engine="h5netcdf") as result:
        there = result.trough.sel(arm=run.arm.name, patient=patient).values
    kept = np.isfinite(there)
    if not np.array_equal(there[kept], np.array([one[0] for one in run.seen["trough"]])[kept]):
        text = f"{path.name} has other levels of patient {patient} than this story: made with other versions?"
        warnings.warn(text, PkWarning, stacklevel=3)


def _story(trial: Scenario, run: ArmRun, patient: int, seed: int, ledger: Ledger, looks: Looks) -> Story:
    disease, leaves = run.disease, float(run.leaves[0])
    onset = {
        name: _before(therapy.state.values[0, at.ONSET_TIME], leaves)
        for name, therapy in zip(run.names, run.therapies, strict=True)
    }
    truth = Truth(
        onset=onset,
        responder=bool(disease.responder[0]) if disease.assessment_day <= min(trial.duration, leaves) else None,
        losses=tuple((float(days[0]), bool(lacked[0])) for _, days, lacked in disease.losses if days[0] < leaves),
        regained=tuple(day for _, day in disease.regained if day < leaves),
    )
    levels = zip(trial.visits, run.seen["trough_measured"], strict=True)
    days = np.array(looks.days)
    told = days < leaves
    return Story(
        scenario=trial.name,
        arm=run.arm.name,
        patient=patient,
        seed=seed,
        covariates={name: float(values[0]) for name, values in run.patients.covariates.items()},
        rows=tuple(ledger.rows()),
        drugs=run.names,
        days=days[told],
        levels=looks.course(0, 0)[:, told],
        antibody=looks.course(0, 2)[:, told],
        samples=tuple((day / 7.0, _finite(one[0])) for day, one in levels if day < leaves),
        lloq=run.setting.laboratory.drug.lloq,
        duration=min(trial.duration, leaves),
        left=leaves < trial.duration,
        truth=truth,
    )


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _before(day: float, end: float) -> float | None:
    return float(day) if day < end else None
