"""A ledger as a NONMEM-style table: the doses that were given, and the levels that the clinic saw."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from pkmodel.errors import InputError, PkWarning, unknown_name
from pkmodel.nonmem import Table, table_of_records
from pkmodel.patients import Patients
from pkmodel.record import DoseRecord, Level, PatientRecord
from pkmodel.regimen import Dose
from scenarios.cohorts import Cohort
from scenarios.ledger import Row, read_csv
from scenarios.ledger_replay import given_alike
from scenarios.outputs import LEDGER, PROTOCOL
from scenarios.scenario import Scenario
from scenarios.scenario_parts import Arm
from scenarios.setting import Setting


def table_of_run(folder: str | Path, arm: str | None = None) -> Table:
    """One arm of a run with ``--ledger`` as a table; :func:`pkmodel.nonmem.write_table` writes it.

    Parameters
    ----------
    folder
        Directory that ``pkmodel run --ledger --out`` wrote.
    arm
        Name of the arm; may be left out where there is one only.

    Returns
    -------
    pkmodel.nonmem.Table
        For each patient the doses of the scenario's drug, in mg, the levels that were measured for decisions (DV, or
        BLQ with their LLOQ), and the covariates at baseline. ID is the patient's number in the run: with the run's
        seed and the arm's antibody layer :func:`pkmodel.nonmem.simulate_table` meets the same random effects.

    Raises
    ------
    InputError
        If the folder holds no protocol or no ledger, the arm is unknown or not named, doses went by different routes
        or infusion times, or an arm of a randomised trial has nobody with a dose.

    Notes
    -----
    What a table cannot say is left out, and a warning names what was there: doses of other drugs after a switch,
    immunomodulators, premedication and patients without any dose.
    """
    folder = Path(folder)
    for name, writer in ((PROTOCOL, "pkmodel run --out"), (LEDGER, "pkmodel run --ledger --out")):
        if not (folder / name).is_file():
            raise InputError.one(f"{folder} holds no {name}", f"give a directory that '{writer}' wrote", key="RESULT")
    trial = Scenario.load(folder / PROTOCOL)
    planned = _arm(trial, arm)
    chosen = planned.name
    given_alike(trial.drug, planned.regimen)
    seed = 1 if trial.run.seed is None else trial.run.seed
    setting = Setting.of(trial, seed, 1)
    found = [row for row in read_csv(folder / LEDGER) if row["arm"] == chosen]
    _warn_of_the_rest(found, trial.drug, bool(planned.cotherapy), planned.regimen.doses[0])
    by_patient: dict[int, list[Row]] = defaultdict(list)
    for row in found:
        by_patient[row["patient"]].append(row)
    if not by_patient:
        raise InputError.one(f"the ledger has no row of arm '{chosen}'", "give another arm", key="--arm")
    patients = Cohort.load(trial.cohort).sample(max(by_patient) + 1, seed=seed)
    made = [
        _record(number, mine, patients, setting, planned.regimen.doses[0])
        for number, mine in sorted(by_patient.items())
    ]
    treated = [one for one in made if one is not None]
    if len(treated) < len(made):
        text = f"{len(made) - len(treated)} of {len(made)} patients have no dose of {trial.drug} and are left out"
        warnings.warn(text, PkWarning, stacklevel=2)
    return table_of_records(treated, setting.model, file=str(folder / LEDGER))


def _arm(trial: Scenario, name: str | None) -> Arm:
    names = [one.name for one in trial.arms]
    if name is None and len(names) > 1:
        raise InputError.one("which arm?", f"name one of {', '.join(names)}", key="--arm")
    if name is not None and name not in names:
        raise unknown_name("arm", name, names)
    return trial.arms[0 if name is None else names.index(name)]


def _record(number: int, rows: Sequence[Row], patients: Patients, setting: Setting, like: Dose) -> PatientRecord | None:
    drug = setting.scenario.drug
    doses = tuple(
        DoseRecord(day=row["day"], milligrams=row["dose_mg"], route=like.route, duration=like.duration)
        for row in rows
        if row["drug"] == drug and row["dose_mg"] > 0.0
    )
    if not doses:
        return None
    levels, before = {}, drug
    for row in rows:
        seen = row["sampled_day"] is not None and (row["level_ug_per_mL"] is not None or row["blq"])
        # on the day of a switch the results are still those of the drug that is left
        if seen and before == drug and row["sampled_day"] >= doses[0].day:
            levels[row["sampled_day"]] = _level(row, setting)
        before = row["drug"]
    return PatientRecord(
        id=str(number), doses=doses, levels=tuple(levels[day] for day in sorted(levels)),
        covariates={name: float(values[number]) for name, values in patients.covariates.items()},
    )  # fmt: skip


def _level(row: Row, setting: Setting) -> Level:
    """A sample is taken before the dose of its day."""
    day = row["sampled_day"]
    laboratory = setting.laboratory
    for since, other in setting.later:
        laboratory = other if day >= since else laboratory
    value = None if row["blq"] else row["level_ug_per_mL"]
    return Level(day=day, value=value, lloq=laboratory.drug.lloq, trough=True)


def _warn_of_the_rest(rows: Sequence[Row], drug: str, cotherapy: bool, like: Dose) -> None:
    others = sum(row["drug"] != drug and row["dose_mg"] > 0.0 for row in rows)
    added = any("immunomodulator" in row["decision"] for row in rows)
    said = [f"{others} doses of other drugs"] if others else []
    said += ["immunomodulators"] if cotherapy or added else []
    said += ["premedication"] if like.premedicated else []
    if said:
        warnings.warn(f"a table cannot hold {', '.join(said)}: left out", PkWarning, stacklevel=3)
