"""Patient files: what is read, what is refused, and with which words."""

from __future__ import annotations

from pathlib import Path

import pytest

import pkmodel as pk
from pkmodel.patient_file import read_patient

EXAMPLE = Path(__file__).parent.parent / "docs" / "how-to" / "examples" / "patient.toml"


def test_the_example():
    found = read_patient(EXAMPLE)
    assert found.drug == "infliximab"
    assert found.today == 210.0
    assert [(dose.day, dose.milligrams) for dose in found.record.doses] == [
        (0, 360), (14, 360), (42, 360), (98, 400), (154, 400),
    ]  # fmt: skip
    assert [(level.day, level.value, level.lloq) for level in found.record.levels] == [
        (98, 2.1, None), (154, 1.4, None), (210, None, 1.0),
    ]  # fmt: skip
    assert (str(found.current[0]), found.current[1]) == ("400 mg", 56.0)
    assert found.record.antibody[0].positive is False


def test_the_page_shows_the_example():
    page = (EXAMPLE.parent.parent / "your-data.md").read_text(encoding="utf-8")
    assert f"```toml\n{EXAMPLE.read_text(encoding='utf-8')}```" in page


GOOD = EXAMPLE.read_text(encoding="utf-8")

FAULTS = [
    ('weight = "72 kg"', "weight = 72", "72 has no unit; write e.g. '40 kg', in quotes"),
    ('weight = "72 kg"', 'weight = "72 lb"', "unknown unit 'lb'"),
    ('albumin = "38 g/L"', 'albumin = "3.8 g/L"', "values are impossible"),
    ('albumin = "38 g/L"', 'albumn = "38 g/L"', "did you mean 'albumin'?"),
    ('dose = "5 mg/kg"', 'dose = "5 mg/kgs"', "did you mean 'mg/kg'?"),
    ('value = "2.1 ug/mL"', "value = 2.1", "2.1 has no unit"),
    ('value = "2.1 ug/mL"', 'value = "-2.1 ug/mL"', "is negative"),
    ('value = "2.1 ug/mL"', 'value = "0 ug/mL"', "laboratories report 'below the limit'"),
    ('value = "2.1 ug/mL"\ntrough = true', 'value = "2.1 ug/mL"', "could be its trough or its peak"),
    ('result = "negative"', 'result = "neg"', "'positive', 'negative' or 'inconclusive'"),
    ('result = "negative"', 'result = "negative"\ntitre = "8 AU/mL"', "antibody titre"),
    ('every = "8 weeks"', 'evry = "8 weeks"', "did you mean 'every'?"),
    ('today = "30 weeks"', 'today = "20 weeks"', "today is day 140, but something happened on day 210"),
    ('today = "30 weeks"', 'today = "7 months"', "a month has no defined length"),
    ('albumin = "38 g/L"', "hla_dqa1_05 = 7", "hla_dqa1_05 (1 carrier of HLA-DQA1*05, 0 not) is 0 or 1"),
    ('weight = "72 kg"', 'weight = "\uff17\uff12 kg"', "has no unit"),
    ('value = "2.1 ug/mL"', 'value = "< 0.3 ug/mL"\nlloq = "0.5 ug/mL"', "below 0.3 ug/mL, and its lloq is 0.5 ug/mL"),
]


@pytest.mark.parametrize(("old", "new", "words"), FAULTS)
def test_faults_are_told_with_their_line(tmp_path, old, new, words):
    assert old in GOOD
    path = tmp_path / "p.toml"
    path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(pk.InputError) as caught:
        read_patient(path)
    assert words in str(caught.value)
    assert all(fault.file == str(path) for fault in caught.value.faults)
    if "today is" not in words:
        line = GOOD[: GOOD.index(old)].count("\n") + 1
        assert any(abs((fault.line or 0) - line) <= 3 for fault in caught.value.faults)


def test_all_faults_at_once(tmp_path):
    path = tmp_path / "p.toml"
    text = GOOD.replace('"72 kg"', "72").replace('"5 mg/kg"', '"5 mg/kgs"').replace('"1.4 ug/mL"', '"1.4 ug/L"')
    path.write_text(text)
    with pytest.raises(pk.InputError) as caught:
        read_patient(path)
    assert [fault.key for fault in caught.value.faults] == ["covariates.weight", "regimen.0.dose", "level.1.value"]


def test_a_level_before_the_first_dose(tmp_path):
    path = tmp_path / "p.toml"
    path.write_text(
        'id = "a"\ndrug = "infliximab"\n[covariates]\nweight = "70 kg"\n'
        '[[level]]\nat = "1 week"\nvalue = "3 ug/mL"\n[[dose]]\nat = "2 weeks"\ndose = "5 mg/kg"\n'
    )
    with pytest.raises(pk.InputError, match=r"p.toml:5: level.0: lies before the first dose"):
        read_patient(path)


def test_covariates_over_time_and_doses_by_the_weight_of_the_day(tmp_path):
    path = tmp_path / "p.toml"
    path.write_text(
        'id = "a"\ndrug = "infliximab"\n[[covariate]]\nname = "weight"\nrule = "locf"\nat = ["0 weeks", "10 weeks"]\n'
        'values = ["60 kg", "70 kg"]\n[[regimen]]\ndose = "5 mg/kg"\nevery = "8 weeks"\n'
        'first = "0 weeks"\nlast = "16 weeks"\n'
    )
    assert [dose.milligrams for dose in read_patient(path).record.doses] == [300, 300, 350]


def test_weeks_may_stand_in_any_order_but_not_be_missing(tmp_path):
    path = tmp_path / "p.toml"
    text = (
        'id = "a"\ndrug = "infliximab"\n[[regimen]]\ndose = "300 mg"\nweeks = [6, 0, 2]\n'
        '[[regimen]]\ndose = "400 mg"\nweeks = [4]\n'
        '[[level]]\nat = "7 weeks"\nvalue = "< 0.3 ug/mL"\nlloq = "300 ng/mL"\n'
    )
    path.write_text(text)
    found = read_patient(path)
    assert [dose.day for dose in found.record.doses] == [0.0, 14.0, 28.0, 42.0]
    assert (str(found.current[0]), found.current[1]) == ("300 mg", 14.0)
    assert found.record.levels[0].lloq == pytest.approx(0.3)
    path.write_text(text.replace("[6, 0, 2]", "[]"))
    with pytest.raises(pk.InputError, match=r"p.toml:5: regimen.0.weeks: .*at least 1"):
        read_patient(path)
