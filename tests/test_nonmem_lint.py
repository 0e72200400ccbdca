"""Every fault of a table is found, with row, column, value and remedy; and nothing else is."""

from __future__ import annotations

import pytest

import pkmodel as pk
from pkmodel import nonmem

HEAD = "ID,TIME,AMT,RATE,EVID,MDV,CMT,ADDL,II,SS,DV,LLOQ,BLQ,WT,ALB"
GOOD = """\
1,0,350,4200,1,1,1,0,0,0,.,.,0,70,40
1,14,0,0,0,0,1,0,0,0,21.5,0.3,0,70,40
1,14,350,4200,1,1,1,2,14,0,.,.,0,70,40
1,98,0,0,0,0,1,0,0,0,.,0.3,1,72,41
2,0,400,4800,1,1,1,0,56,1,.,.,0,80,38
2,56,0,0,0,0,1,0,0,0,3.1,0.3,0,80,38
"""


@pytest.fixture
def lint(tmp_path):
    def judge(text, head=HEAD, model="infliximab-fasanmade-2011", time_unit="d"):
        path = tmp_path / "t.csv"
        path.write_text(f"{head}\n{text}")
        return nonmem.check_table(path, time_unit=time_unit, model=pk.load(model) if model else None)

    return judge


def test_a_carrier_is_0_or_1(lint):
    found = lint("1,0,350,4200,1,1,7\n1,14,.,.,0,1,1\n", head="ID,TIME,AMT,RATE,EVID,MDV,HLA", model=None)
    assert [(fault.line, fault.key, fault.problem) for fault in found.faults] == [(2, "HLA", "7 is impossible (ID 1)")]
    assert "is 0 or 1" in found.faults[0].remedy


def test_a_good_table_has_no_fault(lint, tmp_path):
    found = lint(GOOD)
    assert found.faults == ()
    assert found.warnings == ()
    table = nonmem.read_table(tmp_path / "t.csv", time_unit="d")
    assert table.duration[0] == pytest.approx(350 / 4200)
    assert table.below.tolist() == [False, False, False, True, False, False]
    assert table.covariates["weight"].tolist() == [70, 70, 70, 72, 80, 80]


# what replaces the second record of the good table (line 3), the column at fault, and words of the message
FAULTS = [
    ("1,14,0,0,0,0,1,0,0,0,2l.5,0.3,0,70,40", "DV", "'2l.5' is not a number"),
    ("1,14,0,0,0,0,1,0,0,0,'21,5',0.3,0,70,40", "", "cells under a header"),
    ("1,14,0,0,0,0,1,0,0,0,1_000,0.3,0,70,40", "DV", "'1_000' is not a number"),
    ("1,14,0,0,0,0,1,0,0,0,1_2.5,0.3,0,70,40", "DV", "'1_2.5' is not a number"),
    ("1,14,0,0,0,0,1,0,0,0,\uff18,0.3,0,70,40", "DV", "'\uff18' is not a number"),
    ("1,14,0,0,0,0,1,0,0,0,1e999,0.3,0,70,40", "DV", "is not finite"),
    ("1,14,0,0,0,0,1,0,0,0,nan,0.3,0,70,40", "DV", "is not finite"),
    ("1,14,0,0,0,0,1,0,0,0,inf,0.3,0,70,40", "DV", "is not finite"),
    ("1,-1,0,0,0,0,1,0,0,0,21.5,0.3,0,70,40", "TIME", "-1 is negative"),
    ("1,.,0,0,0,0,1,0,0,0,21.5,0.3,0,70,40", "TIME", "there is no time"),
    ("1,20,0,0,0,0,1,0,0,0,21.5,0.3,0,70,40", "TIME", "14 d after 20 d"),
    ("1.5,14,0,0,0,0,1,0,0,0,21.5,0.3,0,70,40", "ID", "1.5 is not a whole number"),
    ("2,14,0,0,0,0,1,0,0,0,21.5,0.3,0,70,40", "ID", "is there already"),
    ("1,14,0,0,5,0,1,0,0,0,21.5,0.3,0,70,40", "EVID", "5 is unknown"),
    ("1,14,350,0,0,0,1,0,0,0,21.5,0.3,0,70,40", "AMT", "350 on a record that is no dose"),
    ("1,14,0,10,0,0,1,0,0,0,21.5,0.3,0,70,40", "RATE", "10 on a record that is no dose"),
    ("1,14,0,0,0,0,1,2,14,0,21.5,0.3,0,70,40", "ADDL", "no dose"),
    ("1,13,.,0,1,1,1,0,0,0,.,0.3,0,70,40", "AMT", "a dose without amount"),
    ("1,13,0,0,1,1,1,0,0,0,.,0.3,0,70,40", "AMT", "a dose of 0 mg"),
    ("1,13,-5,0,1,1,1,0,0,0,.,0.3,0,70,40", "AMT", "-5 mg is negative"),
    ("1,13,350,-1,1,1,1,0,0,0,.,0.3,0,70,40", "RATE", "-1: the rate of this infusion would be a parameter"),
    ("1,13,350,-2,1,1,1,0,0,0,.,0.3,0,70,40", "RATE", "-2: the duration of this infusion would be"),
    ("1,13,350,-9,1,1,1,0,0,0,.,0.3,0,70,40", "RATE", "-9 is negative"),
    ("1,13,350,0,1,1,1,0,14,0,.,0.3,0,70,40", "II", "14 d without ADDL or SS"),
    ("1,13,350,0,1,1,1,2,0,0,.,0.3,0,70,40", "II", "missing, with ADDL"),
    ("1,13,350,0,1,1,1,0,0,1,.,0.3,0,70,40", "II", "missing, with SS"),
    ("1,13,350,0,1,1,1,0.5,14,0,.,0.3,0,70,40", "ADDL", "0.5 is not a number of doses"),
    ("1,13,350,0,1,1,1,0,14,3,.,0.3,0,70,40", "SS", "3 is unknown"),
    ("1,13,350,10,1,1,1,0,14,1,.,0.3,0,70,40", "SS", "infusion longer than its interval"),
    ("1,14,0,0,0,0,7,0,0,0,21.5,0.3,0,70,40", "CMT", "7 is not in infliximab-fasanmade-2011"),
    ("1,14,0,0,0,0,2,0,0,0,21.5,0.3,0,70,40", "CMT", "elsewhere than in the central"),
    ("1,13,350,0,1,1,2,0,0,0,.,0.3,0,70,40", "CMT", "into the peripheral"),
    ("1,14,0,0,0,0,1,0,0,0,.,0.3,0,70,40", "DV", "no level"),
    ("1,14,0,0,0,0,1,0,0,0,-2,0.3,0,70,40", "DV", "-2 is negative"),
    ("1,14,0,0,0,0,1,0,0,0,0,0.3,0,70,40", "DV", "a level of 0"),
    ("1,14,0,0,0,0,1,0,0,0,.,.,1,70,40", "BLQ", "below a limit that is not given"),
    ("1,14,0,0,0,2,1,0,0,0,21.5,0.3,0,70,40", "MDV", "2 is neither 0 nor 1"),
    ("1,13,350,0,1,0,1,0,0,0,.,0.3,0,70,40", "MDV", "0 on a record that is no sample"),
    ("1,14,0,0,0,0,1,0,0,0,21.5,-1,0,70,40", "LLOQ", "-1 is not a limit"),
    ("1,14,0,0,0,0,1,0,0,0,21.5,0.3,3,70,40", "BLQ", "3 is neither 0 nor 1"),
    ("1,14,0,0,0,0,1,0,0,0,21.5,0.3,0,.,40", "WT", "there is no value"),
    ("1,14,0,0,0,0,1,0,0,0,21.5,0.3,0,700,40", "WT", "700 kg is impossible"),
    ("1,14,0,0,0,0,1,0,0,0,21.5,0.3,0,70,4.1", "ALB", "4.1 g/L is impossible"),
    ("1,0,350,4200,1,1,1,0,0,0,.,.,0,70,40", "ID", "the same dose stands on line 2"),
]


@pytest.mark.parametrize(("record", "column", "words"), FAULTS)
def test_each_fault_is_found_where_it_is(lint, record, column, words):
    lines = GOOD.splitlines()
    lines[1] = record
    found = lint("\n".join(lines)).faults
    hits = [fault for fault in found if words in fault.problem and fault.key == column]
    assert hits, [str(fault) for fault in found]
    assert hits[0].line in (3, 4, 6)  # its own row; time order and returning IDs show one or three rows later
    assert hits[0].remedy
    assert str(hits[0]).endswith(hits[0].remedy)


def test_all_faults_at_once(lint):
    lines = GOOD.splitlines()
    lines[1], lines[3] = FAULTS[0][0], "1,98,0,0,0,0,9,0,0,0,-3,0.3,0,72,3"
    found = lint("\n".join(lines)).faults
    assert {(fault.line, fault.key) for fault in found} == {(3, "DV"), (5, "CMT"), (5, "DV"), (5, "ALB")}


WARNINGS = [
    ("1,14,0,0,0,1,1,0,0,0,21.5,0.3,0,70,40", "DV", "is not used, MDV is 1"),
    ("1,14,0,0,0,0,1,0,0,0,0.2,0.3,0,70,40", "DV", "below its LLOQ"),
    ("1,13,5,0,1,1,1,0,0,0,.,.,0,70,40", "AMT", "is it mg/kg?"),
    ("1,13,35000,0,1,1,1,0,0,0,.,.,0,70,40", "AMT", "is very much"),
    ("1,14,0,0,0,0,1,0,0,0,21500,0.3,0,70,40", "DV", "is it ng/mL?"),
    ("1,0,0,0,0,0,1,0,0,0,21.5,0.3,0,70,40", "TIME", "taken as drawn after the dose"),
]


@pytest.mark.parametrize(("record", "column", "words"), WARNINGS)
def test_odd_things_are_warned_about_and_can_be_used(lint, record, column, words):
    lines = GOOD.splitlines()
    lines[1] = record
    found = lint("\n".join(lines))
    assert found.faults == ()
    assert any(words in one.problem and one.key == column and one.line == 3 for one in found.warnings)


def test_a_bad_cell_is_told_once(lint):
    lines = GOOD.splitlines()
    lines[1] = FAULTS[0][0]
    assert len(lint("\n".join(lines)).faults) == 1


def test_infusions_without_their_length(lint):
    found = lint("1,0,350,1,.,70,40\n1,14,.,0,21,70,40\n", head="ID,TIME,AMT,EVID,DV,WT,ALB")
    assert [one.problem for one in found.warnings] == ["neither RATE nor DUR: every dose is a bolus"]


def test_levels_before_the_first_dose(lint):
    lines = GOOD.splitlines()
    found = lint("\n".join([lines[1].replace(",14,", ",0,"), lines[2], *lines[4:]]))
    assert any("before the first dose" in one.problem for one in found.warnings)


def test_what_the_model_needs(lint):
    cut = [line.rsplit(",", 1)[0] for line in GOOD.splitlines()]
    found = lint("\n".join(cut), head=HEAD.rsplit(",", 1)[0])
    assert [(fault.key, fault.line) for fault in found.faults] == [("albumin", 1)]
    assert lint("\n".join(cut), head=HEAD.rsplit(",", 1)[0], model=None).faults == ()


def test_time_is_declared_never_guessed(lint):
    with pytest.raises(pk.InputError, match=r"TIME: is a time without unit; write 'TIME \[h\]'"):
        lint(GOOD, time_unit=None)
    with pytest.raises(pk.InputError, match="ID: there is no such column"):
        lint("0,3\n", head="TIME [d],DV")


def test_units_of_the_header(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(
        "C,ID,TIME [h],AMT [mg],RATE [mg/h],DV [ng/mL],EVID,ALB [g/dL],STUDY\n"
        ".,1,0,300,150,.,1,4.1,7\nC,1,1,300,150,.,1,4.1,7\n.,1,48,.,.,20500,0,4.1,7\n"
    )
    with pytest.warns(pk.PkWarning, match="STUDY"):
        table = nonmem.read_table(path)
    assert table.time.tolist() == [0.0, 2.0]
    assert table.duration[0] == pytest.approx(2 / 24)
    assert table.level[1] == pytest.approx(20.5)
    assert table.covariates["albumin"].tolist() == [41.0, 41.0]
    assert len(table) == 2  # the remark is left out


def test_evid_as_nm_tran_fills_it_and_monolix_censoring(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("ID,TIME,AMT,DV,CENS\n1,0,300,.,0\n1,7,.,8.5,0\n1,14,.,0.5,1\n")
    table = nonmem.read_table(path, time_unit="d")
    assert table.event.tolist() == [1, 0, 0]
    assert table.below.tolist() == [False, False, True]
    assert table.lloq[2] == 0.5


def test_a_rate_of_minus_two_is_the_duration_of_a_zero_order_model(tmp_path):
    from dataclasses import replace

    from pkmodel.structure import Structure

    simple = pk.PopulationModel.simple(CL=0.4, V1=3.0)
    zero = replace(
        simple,
        structure=Structure(compartments=1, routes=("sc",), absorption="zero-order"),
        typical={"CL": 0.4, "V1": 3.0, "F": 0.5, "D1": 4.0},
    )
    path = tmp_path / "t.csv"
    path.write_text("ID,TIME,AMT,RATE,EVID,DV\n1,0,300,-2,1,.\n1,7,.,.,0,8.5\n")
    table = nonmem.read_table(path, time_unit="d", model=zero)
    # 150 mg over 4 d at constant rate, then 3 d of decline
    k = 0.4 / 3.0
    from math import exp

    wanted = 150 / 4 / 0.4 * (1 - exp(-4 * k)) * exp(-3 * k)
    assert nonmem.simulate_table(zero, table).concentration.values[0] == pytest.approx(wanted, rel=1e-9)


def test_records_and_back(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(f"{HEAD}\n{GOOD}")
    drug = pk.load("infliximab-fasanmade-2011")
    table = nonmem.read_table(path, time_unit="d")
    one, two = nonmem.records(table, model=drug, rules={"albumin": "locf"})
    assert [dose.day for dose in one.doses] == [0, 14, 28, 42]
    assert [(level.day, level.value, level.lloq, level.trough) for level in one.levels] == [
        (14, 21.5, 0.3, True), (98, None, 0.3, False),
    ]  # fmt: skip
    assert one.over_time["albumin"].rule == "locf"
    assert one.over_time["weight"].rule == "nocb"
    assert two.covariates["weight"] == 80
    assert len(two.doses) == 15  # two years of earlier doses stand for SS
    assert two.resets == (two.doses[0].day,)
    back = nonmem.table_of_records([one], drug)
    again = nonmem.records(back, model=drug, rules={"albumin": "locf"})[0]
    assert (again.doses, again.levels) == (one.doses, one.levels)
    for name in ("albumin", "weight"):  # more records, the same course
        days = [0.0, 13.9, 14.0, 14.1, 50.0, 97.9, 98.0, 120.0]
        assert [again.over_time[name].at(day) for day in days] == [one.over_time[name].at(day) for day in days]


def test_a_status_that_flips_is_warned_about(tmp_path):
    from pkmodel.nonmem.courses import courses

    path = tmp_path / "t.csv"
    path.write_text("ID,TIME,AMT,EVID,DV,ADA\n1,0,300,1,.,0\n1,14,.,0,9,0\n1,98,.,0,8.5,1\n")
    table = nonmem.read_table(path, time_unit="d")
    with pytest.warns(pk.PkWarning, match=r"ada_positive changes .*\(ID 1\); a change acts backward"):
        found = courses(table)
    assert list(zip(found.day, found.values["ada_positive"], strict=True))[-1] == (98.0, 1.0)
    assert (14.0, 1.0) in list(zip(found.day, found.values["ada_positive"], strict=True))
    with pytest.raises(pk.InputError, match="unknown covariate rule 'loc'"):
        courses(table, {"ada_positive": "loc"})
