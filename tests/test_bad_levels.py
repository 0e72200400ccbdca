"""What is wrong with a patient's levels, at every door: a record, a patient file, a table, several models."""

from __future__ import annotations

import pytest

import pkmodel as pk
from pkmodel import estimation, nonmem
from pkmodel.patient_file import read_patient
from pkmodel.record import DoseRecord, Level, PatientRecord

MODEL = pk.load("infliximab-fasanmade-2011")
DOSES = tuple(DoseRecord(day=day, milligrams=350.0) for day in (7.0, 21.0))
LEVELS = {
    "before the first dose": (3.0, 4.0, "before the first dose"),
    "negative": (28.0, -4.0, "negative|a level is positive"),
    "at the moment of a dose": (21.0, 4.0, "moment of a dose|trough or"),
}


@pytest.mark.parametrize("name", LEVELS)
def test_a_record_refuses(name):
    day, value, said = LEVELS[name]
    with pytest.raises(pk.InputError, match=said):
        PatientRecord(id="1", doses=DOSES, levels=(Level(day=day, value=value),))


@pytest.mark.parametrize("name", LEVELS)
def test_a_patient_file_refuses_and_names_the_line(tmp_path, name):
    day, value, said = LEVELS[name]
    path = tmp_path / "p.toml"
    path.write_text(
        'id = "a"\ndrug = "infliximab"\n[covariates]\nweight = "70 kg"\nalbumin = "40 g/L"\n'
        '[[dose]]\nat = "7 days"\ndose = "350 mg"\n[[dose]]\nat = "21 days"\ndose = "350 mg"\n'
        f'[[level]]\nat = "{day:g} days"\nvalue = "{value:g} ug/mL"\n'
    )
    with pytest.raises(pk.InputError, match=said) as caught:
        read_patient(path)
    assert all(fault.file == str(path) and fault.line for fault in caught.value.faults)


@pytest.mark.parametrize("name", LEVELS)
def test_a_table_refuses_to_become_records_and_names_the_line(tmp_path, name):
    """A sample behind the dose of its moment is the peak or a mistake: the table may be simulated, and warns."""
    day, value, said = LEVELS[name]
    rows = [(7.0, "1,7,350,1,."), (21.0, "1,21,350,1,."), (day, f"1,{day:g},0,0,{value:g}")]
    path = tmp_path / "t.csv"
    path.write_text("ID,TIME [d],AMT,EVID,DV\n" + "\n".join(row for _, row in sorted(rows, key=lambda r: r[0])) + "\n")
    with pytest.raises(pk.InputError, match=said) as caught:
        nonmem.records(nonmem.read_table(path))
    assert all(fault.file == str(path) and fault.line for fault in caught.value.faults)


def test_no_levels_is_said_and_the_draws_are_the_prior():
    record = PatientRecord(id="1", doses=DOSES, covariates={"weight": 70.0, "albumin": 40.0})
    found = estimation.fit(MODEL, record)
    assert found.warnings == (f"no levels: the estimate is the typical patient of {MODEL.name} with these covariates",)
    assert estimation.believe(found, draws=10).methods == ("prior",)
