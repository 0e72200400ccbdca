"""Replay a ledger open-loop: the doses it holds, through the engine alone, give the same trajectories.

Nothing here knows of policies, plans or clinics. What a replay cannot give is the day of a loss of response: who has
response is judged in the trial, not by the engine.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pkmodel.errors import InputError
from pkmodel.patients import Patients
from pkmodel.regimen import Regimen
from pkmodel.state import State
from scenarios.comedication import Comedication
from scenarios.ledger import Row
from scenarios.scenario_parts import Arm
from scenarios.therapy import Drug, Therapy, carry_effect
from scenarios.visit import Floats

if TYPE_CHECKING:
    from scenarios.setting import Setting

_IMMUNOMODULATOR = {"add-immunomodulator": 1, "stop-immunomodulator": -1}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Replayed:
    """What a replay gave.

    Attributes
    ----------
    drugs
        Names, the scenario's first.
    states
        Final state of each drug.
    free_drug, antibody
        (drug, day, patient) free drug and total antibody just before any dose of each decision day, mg/L.
    """

    drugs: tuple[str, ...]
    states: tuple[State, ...]
    free_drug: Floats
    antibody: Floats


def replay(rows: Iterable[Row], setting: Setting, arm: Arm, patients: Patients) -> Replayed:
    """Give the doses and immunomodulators of a ledger to the same patients.

    Parameters
    ----------
    rows
        Of one arm, from :meth:`scenarios.ledger.Ledger.rows` or :func:`scenarios.ledger.read_csv`.
    setting, arm, patients
        Of the run that wrote it.

    Raises
    ------
    InputError
        If a row names a patient, drug or day that is not there, or the doses of a drug are not given alike (a
        ledger does not say by which route and how fast each was).
    """
    drugs = [setting.drug(), *map(Drug.of, arm.alternatives)]
    regimens = [arm.regimen, *(one.regimen for one in arm.alternatives)]
    for drug, regimen in zip(drugs, regimens, strict=True):
        given_alike(drug.name, regimen)
    therapies = [
        Therapy(drug, regimen, patients, setting.draws, setting.threads)
        for drug, regimen in zip(drugs, regimens, strict=True)
    ]
    names = tuple(drug.name for drug in drugs)
    added = getattr(arm.policy, "immunomodulator", "thiopurine")
    comedication = Comedication(arm.cotherapy, added, therapies, setting.draws)
    place = {int(one): row for row, one in enumerate(patients.ids)}
    pages = _by_day(rows, setting.days)
    present = np.zeros(len(patients), np.intp)
    free, antibody = [], []
    for day in setting.days:
        if day > 0.0:
            for therapy in therapies:
                therapy.advance(day)
        free.append([therapy.state.free_drug() for therapy in therapies])
        antibody.append([therapy.state.antibody_total() for therapy in therapies])
        _carry_out(pages[day], day, place, present, names, therapies, comedication)
    return Replayed(
        drugs=names,
        states=tuple(therapy.state for therapy in therapies),
        free_drug=np.swapaxes(np.array(free), 0, 1),
        antibody=np.swapaxes(np.array(antibody), 0, 1),
    )


def _by_day(rows: Iterable[Row], days: Iterable[float]) -> dict[float, list[Row]]:
    pages: dict[float, list[Row]] = defaultdict(list)
    for row in rows:
        pages[row["day"]].append(row)
    strange = sorted(set(pages) - set(days))
    if strange:
        raise InputError.one(f"day {strange[0]:g} is no decision day of the scenario", "take the ledger of this run")
    return pages


def _carry_out(
    rows: list[Row],
    day: float,
    place: dict[int, int],
    present: NDArray[np.intp],
    names: tuple[str, ...],
    therapies: list[Therapy],
    comedication: Comedication,
) -> None:
    orders = np.zeros(len(place), np.int8)
    amounts = np.zeros((len(names), len(place)))
    for row in rows:
        if row["patient"] not in place or row["drug"] not in names:
            problem = f"patient {row['patient']} on {row['drug']} is not in this arm"
            raise InputError.one(problem, "take the ledger of this run")
        here = place[row["patient"]]
        for word in row["decision"].split("+"):
            orders[here] = _IMMUNOMODULATOR.get(word, orders[here])
        amounts[names.index(row["drug"]), here] = row["dose_mg"]
    comedication.change(orders, day)
    new = present.copy()
    for row in rows:
        new[place[row["patient"]]] = names.index(row["drug"])
    for old, target in {(int(one), int(other)) for one, other in zip(present, new, strict=True) if one != other}:
        carry_effect(therapies[old], therapies[target], np.flatnonzero((present == old) & (new == target)), day)
    present[:] = new
    for therapy, milligrams in zip(therapies, amounts, strict=True):
        given = np.flatnonzero(milligrams > 0.0)
        therapy.dose(given, np.zeros(given.size, np.int64), milligrams[given], day)


def given_alike(drug: str, regimen: Regimen) -> None:
    """Refuse a regimen whose doses differ in what a ledger does not hold.

    Raises
    ------
    InputError
        If they differ in route, infusion time or premedication.
    """
    if len({(dose.route, dose.duration, dose.premedicated) for dose in regimen.doses}) > 1:
        problem = f"the doses of {drug} differ in route, infusion time or premedication"
        raise InputError.one(problem, "a ledger cannot say which was which")
