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
from scenarios.arm import ArmRun
from scenarios.ledger import Ledger, Row
from scenarios.looks import Looks
from scenarios.outputs import PROTOCOL, RESULT
from scenarios.running import Setting
from scenarios.scenario import Scenario
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
        Days.
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
        Name of the arm; default the first.

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
    chosen = trial.arms[0 if arm is None else names.index(arm)]
    seed = 1 if trial.run.seed is None else trial.run.seed
    one = _patient(trial, patient, seed)
    ledger, looks = Ledger(), Looks(_LOOK_EVERY)
    run = ArmRun(Setting.of(trial, seed, 1), chosen, one)
    run.carry_through(pages=ledger.pages(chosen.name), looks=looks)
    _compare(folder / RESULT, run, patient)
    return _story(trial, run, patient, seed, ledger, looks)


def _patient(trial: Scenario, patient: int, seed: int) -> Patients:
    from scenarios.cohorts import Cohort

    count = trial.run.patients
    if count is not None and patient >= count:
        raise InputError.one(f"there is no patient {patient}", f"use 0 to {count - 1}", key="--patient")
    return Cohort.load(trial.cohort).sample(1, seed=seed, first=patient)


def _compare(path: Path, run: ArmRun, patient: int) -> None:
    """Say so where the result of the run has other numbers than this story."""
    if not path.is_file():
        return
    import xarray as xr

    with xr.open_dataset(path, engine="h5netcdf") as result:
        there = result.trough.sel(arm=run.arm.name, patient=patient).values
    if not np.array_equal(there, np.array([one[0] for one in run.seen["trough"]])):
        text = f"{path.name} has other levels of patient {patient} than this story: made with other versions?"
        warnings.warn(text, PkWarning, stacklevel=3)


def _story(trial: Scenario, run: ArmRun, patient: int, seed: int, ledger: Ledger, looks: Looks) -> Story:
    disease = run.disease
    onset = {
        name: _finite(therapy.state.values[0, at.ONSET_TIME])
        for name, therapy in zip(run.names, run.therapies, strict=True)
    }
    truth = Truth(
        onset=onset,
        responder=bool(disease.responder[0]) if disease.assessment_day <= trial.duration else None,
        losses=tuple((float(days[0]), bool(lacked[0])) for _, days, lacked in disease.losses),
        regained=tuple(day for _, day in disease.regained),
    )
    levels = run.seen["trough_measured"]
    return Story(
        scenario=trial.name,
        arm=run.arm.name,
        patient=patient,
        seed=seed,
        covariates={name: float(values[0]) for name, values in run.patients.covariates.items()},
        rows=tuple(ledger.rows()),
        drugs=run.names,
        days=np.array(looks.days),
        levels=looks.course(0, 0),
        antibody=looks.course(0, 2),
        samples=tuple((day / 7.0, _finite(one[0])) for day, one in zip(trial.visits, levels, strict=True)),
        lloq=run.setting.laboratory.drug.lloq,
        duration=trial.duration,
        truth=truth,
    )


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
