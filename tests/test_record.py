"""Patient records: what is refused, and with which words."""

from __future__ import annotations

import math

import pytest

import pkmodel as pk
from pkmodel.errors import InputError
from pkmodel.record import AntibodyReading, CovariateCourse, DoseRecord, Level, PatientRecord, doses_of

DOSES = (DoseRecord(day=0.0, milligrams=350.0), DoseRecord(day=14.0, milligrams=350.0))


def record(**parts):
    return PatientRecord(**{"id": "P7", "doses": DOSES, **parts})


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"doses": ()}, "give at least one dose"),
        ({"levels": (Level(day=-1.0, value=3.0),)}, "lies before the first dose"),
        ({"levels": (Level(day=3.0, value=-0.5),)}, "is -0.5 mg/L"),
        ({"levels": (Level(day=3.0, value=math.nan),)}, "is nan mg/L"),
        ({"levels": (Level(day=3.0, value=0.0),)}, "below the limit"),
        ({"levels": (Level(day=3.0, value=None),)}, "give its lloq"),
        ({"levels": (Level(day=3.0, value=0.2, lloq=0.5),)}, "below its own limit of 0.5"),
        ({"levels": (Level(day=3.0, value=None, lloq=0.0),)}, "a limit of quantification of 0"),
        ({"levels": (Level(day=14.0, value=9.0),)}, "could be its trough or its peak"),
        ({"levels": (Level(day=9.0, value=9.0), Level(day=3.0, value=9.0))}, "not in order of time"),
        ({"levels": (Level(day=9.0, value=9.0),) * 2}, "stands here twice"),
        ({"doses": (DOSES[0], DOSES[0])}, "a dose stands here twice"),
        ({"doses": (DoseRecord(day=0.0, milligrams=-1.0),)}, "-1 mg"),
        ({"doses": (DoseRecord(day=0.0, milligrams=1.0, route="im"),)}, "route 'im'"),
        ({"doses": DOSES[::-1]}, "not in order of time"),
        ({"covariates": {"weight": math.nan}}, "covariates.weight"),
        ({"antibody": (AntibodyReading(day=3.0, positive=True, titre=-2.0),)}, "a titre of -2"),
    ],
)
def test_what_is_refused(parts, said):
    with pytest.raises(InputError, match="patient P7") as error:
        record(**parts)
    assert said in str(error.value)


def test_all_faults_are_named_at_once():
    levels = (Level(day=-1.0, value=3.0), Level(day=2.0, value=-3.0), Level(day=14.0, value=3.0))
    with pytest.raises(InputError) as error:
        record(levels=levels)
    assert len(error.value.faults) == 3


def test_a_trough_may_stand_on_the_day_of_its_dose():
    assert record(levels=(Level(day=14.0, value=9.0, trough=True),)).levels[0].trough


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"days": (0.0,), "values": (1.0, 2.0)}, "1 days and 2 values"),
        ({"days": (1.0, 1.0), "values": (1.0, 2.0)}, "not in order"),
        ({"days": (1.0,), "values": (math.inf,)}, "not a finite number"),
        ({"days": (1.0,), "values": (1.0,), "rule": "locb"}, "nocb"),
    ],
)
def test_covariate_courses(parts, said):
    with pytest.raises(InputError, match=said):
        CovariateCourse(**{"rule": "locf", **parts})


def test_rules_differ_between_records():
    values = {
        rule: [
            CovariateCourse(days=(0.0, 10.0), values=(1.0, 3.0), rule=rule).at(day) for day in (-1.0, 0.0, 5.0, 11.0)
        ]
        for rule in ("locf", "nocb", "linear")
    }
    assert values == {"locf": [1, 1, 1, 3], "nocb": [1, 3, 3, 3], "linear": [1, 1, 2, 3]}


def test_the_record_as_it_was():
    whole = record(
        levels=(Level(day=9.0, value=9.0), Level(day=14.0, value=5.0, trough=True), Level(day=20.0, value=9.0))
    )
    then = whole.until(14.0)
    assert [level.day for level in then.levels] == [9.0, 14.0]
    assert [dose.day for dose in then.doses] == [0.0]


def test_doses_of_a_regimen():
    regimen = pk.Regimen.induction("5 mg/kg", weeks=(0, 2, 6))
    doses = doses_of(regimen, weight=70.0, until=42.0)
    assert [(dose.day, dose.milligrams) for dose in doses] == [(0.0, 350.0), (14.0, 350.0)]
    with pytest.raises(InputError, match="needs body weights"):
        doses_of(regimen)
