"""Scenario files: what is shipped, what is refused and how it is said, and what ``--set`` changes."""

from __future__ import annotations

import math
import tomllib
import warnings
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pkmodel.cotherapy import Cotherapy
from pkmodel.errors import InputError, PkWarning, UnknownNameError
from scenarios.policies.escalate_on_loss import EscalateOnLoss
from scenarios.policies.fixed import Fixed
from scenarios.scenario import Adherence, Scenario
from scenarios.toml_text import toml_text

INFLIXIMAB = """\
title = "t"
question = "q"
drug = "infliximab"
model = "infliximab-fasanmade-2011"
immunogenicity = "infliximab"
cohort = "adult-crohn"
window = "taxit"
duration = "54 weeks"
visits_weeks = [0, 14, 54]
review_every = "2 weeks"

[assays]
drug = "infliximab-elisa"

[[arm]]
name = "one"

[[arm.dosing]]
dose = "5 mg/kg"
weeks = [0, 2, 6]

[[arm.dosing]]
dose = "5 mg/kg"
every = "8 weeks"
until = "54 weeks"
"""


def faults(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        Scenario.parse(text, file="my.toml")
    return [str(fault) for fault in caught.value.faults]


def edited(old: str, new: str, text: str = INFLIXIMAB) -> str:
    assert old in text
    return text.replace(old, new, 1)


# --- what is shipped


def test_the_scenarios_are_there():
    assert Scenario.names() == [
        "adalimumab-regimens",
        "adherence",
        "combination-therapy",
        "dose-escalation",
        "drug-holiday",
        "loss-of-response-rescue",
        "model-informed-dosing",
        "proactive-tdm",
        "reactive-tdm",
        "scheduled-vs-episodic",
        "steroid-premedication",
        "taxit",
        "turnaround",
    ]


@pytest.mark.parametrize("name", Scenario.names())
def test_a_shipped_scenario_loads_without_a_warning_and_says_itself_again(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scenario = Scenario.load(name)
    assert scenario.name == name
    assert scenario.visits[-1] == scenario.duration
    again = Scenario.parse(scenario.text)
    assert again.text == scenario.text
    assert again == scenario


@pytest.mark.parametrize("name", Scenario.names())
def test_every_visit_is_a_trough_in_arms_dosed_on_schedule(name):
    """Every scored visit but the last is a day on which these arms are dosed, so its level is a trough."""
    scenario = Scenario.load(name)
    for arm in scenario.arms:
        doses = {dose.time for dose in arm.regimen.doses}
        if len(doses) > 3:  # arms on demand have no timetable after induction
            assert all(visit in doses for visit in scenario.visits[:-1]), arm.name


def test_scheduled_arm_is_dosed_as_labelled():
    arm = Scenario.load("scheduled-vs-episodic").arms[0]
    assert [dose.time / 7 for dose in arm.regimen.doses] == [0, 2, 6, 14, 22, 30, 38, 46]
    assert {str(dose.amount) for dose in arm.regimen.doses} == {"5 mg/kg"}


def test_adalimumab_arms_are_dosed_as_named():
    by_name = {arm.name: arm for arm in Scenario.load("adalimumab-regimens").arms}
    for name, (interval, amount) in {
        "40 mg every 2 weeks": (14, 40),
        "40 mg weekly": (7, 40),
        "80 mg every 2 weeks": (14, 80),
    }.items():
        doses = by_name[name].regimen.doses
        assert [(dose.time, dose.amount.value) for dose in doses[:3]] == [(0, 160), (14, 80), (28, amount)]
        assert {b.time - a.time for a, b in pairwise(doses[2:])} == {interval}
        assert by_name[name].cotherapy == ()
        assert by_name[f"{name}, thiopurine"].regimen == by_name[name].regimen
        assert by_name[f"{name}, thiopurine"].cotherapy == (Cotherapy(drug="thiopurine"),)


def test_premedicated_arms_differ_in_premedication_alone():
    arms = {arm.name: arm for arm in Scenario.load("steroid-premedication").arms}
    for name in ("scheduled", "episodic"):
        plain, with_steroid = arms[name], arms[f"{name} with hydrocortisone"]
        assert with_steroid.regimen == plain.regimen.premedicated() != plain.regimen
        assert with_steroid.policy == plain.policy


def test_late_thiopurine_starts_at_week_30():
    arms = {arm.name: arm for arm in Scenario.load("combination-therapy").arms}
    assert arms["thiopurine added late"].cotherapy == (Cotherapy(drug="thiopurine", start=210.0),)
    assert arms["methotrexate"].cotherapy[0].until == math.inf


# --- what is refused


def test_the_plain_scenario_is_right():
    scenario = Scenario.parse(INFLIXIMAB, name="plain")
    assert scenario.name == "plain"
    assert scenario.assays.drug_sensitive == "sponsor-bridging"
    assert scenario.assays.drug_tolerant == "idkmonitor"
    assert scenario.arms[0].policy == Fixed()
    assert scenario.visits == (0.0, 98.0, 378.0)


def test_all_faults_of_a_file_come_at_once_with_their_lines():
    text = INFLIXIMAB
    for old, new in (
        ('cohort = "adult-crohn"', 'cohort = "adult-chron"'),  # line 6
        ('window = "taxit"', 'window = "target-ada-maint-clinical"'),  # line 7
        ("visits_weeks = [0, 14, 54]", "visits_weeks = [0, 14, 14, 60]"),  # line 9
        ('review_every = "2 weeks"', 'review_evry = "2 weeks"'),  # line 10
        ('name = "one"', 'name = "one"\npolicy = "fxed"'),  # line 17
        ('dose = "5 mg/kg"\nweeks', 'dose = "5 ug/mL"\nweeks'),  # line 20
        ('every = "8 weeks"', 'every = "8 wk"'),  # line 25
    ):
        text = edited(old, new, text)
    told = faults(text)
    expected = [
        "my.toml:1: review_every: missing; ",
        "my.toml:6: cohort: unknown cohort 'adult-chron'; did you mean 'adult-crohn'?",
        "my.toml:7: window: window 'target-ada-maint-clinical' is for adalimumab, not infliximab; ",
        "my.toml:9: visits_weeks: visit at week 14 after week 14; ",
        "my.toml:9: visits_weeks: visit at week 60, but the scenario ends at week 54; ",
        "my.toml:10: review_evry: unknown key; did you mean 'review_every'?",
        "my.toml:17: arm.0.policy: unknown policy 'fxed'; did you mean 'fixed'?",
        "my.toml:20: arm.0.dosing.0.dose: '5 ug/mL': that is a concentration; ",
        "my.toml:25: arm.0.dosing.1.every: '8 wk': unknown unit 'wk'; did you mean 'weeks'?",
    ]
    assert len(told) == len(expected), told
    for got, start in zip(told, expected, strict=True):
        assert got.startswith(start)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('drug = "infliximab"\n', 'drug = "inflximab"\n', r"my\.toml:3: drug: unknown drug .*'infliximab'"),
        ('drug = "infliximab"\n', 'drug = "adalimumab"\n', r"my\.toml:4: model: .* is for infliximab"),
        ("fasanmade-2011", "fasanmad-2011", r"my\.toml:4: model: .*'infliximab-fasanmade-2011'"),
        ('y = "infliximab"', 'y = "adalimumab"', r"my\.toml:5: immunogenicity: 'adalimumab' is for"),
        ('"taxit"', '"taxitt"', r"my\.toml:7: window: unknown window 'taxitt'; did you mean 'taxit'"),
        ('"54 weeks"\nvisits', '"0 weeks"\nvisits', r"my\.toml:8: duration: '0 weeks' is no time"),
        ('"54 weeks"\nvisits', "54\nvisits", r"my\.toml:8: duration: 54 has no unit"),
        ("[0, 14, 54]", "[0, nan]", r"my\.toml:9: visits_weeks\.1: "),
        ("[0, 14, 54]", "[0, -2]", r"my\.toml:9: visits_weeks\.1: "),
        ('"2 weeks"', '"60 weeks"', r"my\.toml:10: review_every: the first review is after"),
        ("infliximab-elisa", "adalimumab-elisa", r"my\.toml:13: assays\.drug: .* for adalimumab"),
        (
            '-elisa"',
            '-elisa"\ndrug_tolerant = "older-elisa"',
            r"my\.toml:14: assays\.drug_tolerant: .*sensitive",
        ),
        ('name = "one"', 'name = "7"', r"my\.toml:16: arm\.0\.name: '7' cannot name an arm"),
        ('"5 mg/kg"', '"-5 mg/kg"', r"my\.toml:19: arm\.0\.dosing\.0\.dose: .*negative"),
        ('"5 mg/kg"', '"0 mg/kg"', r"my\.toml:19: arm\.0\.dosing\.0\.dose: .*nothing"),
        ('"5 mg/kg"', '"nan mg/kg"', r"my\.toml:19: arm\.0\.dosing\.0\.dose: 'nan mg/kg'"),
        ('"5 mg/kg"', "nan", r"my\.toml:19: arm\.0\.dosing\.0\.dose: nan has no unit"),
        ("[0, 2, 6]", "[0, 6, 2]", r"my\.toml:20: arm\.0\.dosing\.0\.weeks: week 2 after week 6"),
        ("[0, 2, 6]", "[]", r"my\.toml:20: arm\.0\.dosing\.0\.weeks: "),
        ("weeks = [0, 2, 6]", 'route = "sc"\nweeks = [0]', r"my\.toml:20: .*\.route: 'sc' in model"),
        ('"8 weeks"', '"0 weeks"', r"my\.toml:24: arm\.0\.dosing\.1\.every: '0 weeks' is no time"),
        ('every = "8 weeks"\n', "", r"my\.toml:22: arm\.0\.dosing\.1: neither 'weeks' nor 'every'"),
        ('until = "54 weeks"', "", r"my\.toml:22: arm\.0\.dosing\.1: 'every' without 'until'"),
        ('until = "54 weeks"', 'until = "9 weeks"', r"my\.toml:25: arm\.0\.dosing\.1\.until: no dose fits"),
        ('until = "54', 'start = "60 weeks"\nuntil = "54', r"my\.toml:26: .*until: .*not after the start"),
        (
            'until = "54',
            'start = "3 weeks"\nuntil = "54',
            r"my\.toml:22: arm\.0\.dosing\.1.*: two doses .* out of order",
        ),
    ],
)
def test_one_fault(old, new, said):
    import re

    told = faults(edited(old, new))
    assert any(re.search(said, one) for one in told), told


@pytest.mark.parametrize(
    ("added", "said"),
    [
        ('[[arm]]\nname = "one"\n[[arm.dosing]]\ndose = "5 mg/kg"\nweeks = [0]', "arm.1.name: a second arm"),
        ('[arm.adherence]\nmissed = 0.7\nlate = 0.5\nlate_by = "2 weeks"', "make more than 1"),
        ("[arm.adherence]\nlate = 0.5", "'late' without 'late_by'"),
        ("[arm.adherence]\nmissed = 1.5", "arm.0.adherence.missed: got 1.5"),
        ('[[arm.cotherapy]]\ndrug = "azathioprin"', "expected 'thiopurine' or 'methotrexate'"),
        (
            '[[arm.cotherapy]]\ndrug = "thiopurine"\nfrom = "9 weeks"\nuntil = "8 weeks"',
            "'until' must be after",
        ),
        ('[[arm.cotherapy]]\ndrug = "thiopurine"\nfrm = "9 weeks"', "did you mean 'from'"),
        ('[arm.policy]\nname = "escalate-on-loss"', "needs 'action'"),
        ('[arm.policy]\nname = "fixed"\naction = 1', "has no parameter 'action'"),
        ('[arm.policy]\nname = "escalate-on-loss"\naction = "double-doze"', "did you mean 'double-dose'"),
        ('[arm.policy]\nname = "target-window"\ntarget = "7-4 ug/mL"', "low end at or above its high end"),
        ("[arm.policy]\nname = 3", "one of: drug-holiday, episodic"),
        ("[run]\npatients = 0", "run.patients: got 0"),
    ],
)
def test_one_fault_in_what_may_be_added(added, said):
    told = faults(f"{INFLIXIMAB}\n{added}\n")
    assert len(told) == 1, told
    assert said in told[0]


def test_broken_toml_names_its_line():
    assert faults('title = "t"\nquestion = \n')[0].startswith("my.toml:2: not TOML: ")


def test_a_fault_inside_a_cohort_file_is_told_where_the_scenario_names_it(tmp_path):
    (tmp_path / "my.csv").write_text("weight\nseventy\n", encoding="utf-8")
    path = tmp_path / "s.toml"
    path.write_text(edited('"adult-crohn"', '"my.csv"'), encoding="utf-8")
    with pytest.raises(InputError, match=r"s\.toml:6: cohort: .*my\.csv:2: weight: row 1: 'seventy' is not"):
        Scenario.load(path)


def adalimumab() -> str:
    return Scenario.load("adalimumab-regimens").text


def test_a_dose_per_kg_is_refused_where_doses_are_fixed():
    told = faults(edited('dose = "40 mg"', 'dose = "5 mg/kg"', adalimumab()))
    assert len(told) == 1
    assert "arm.0.dosing.2.dose: '5 mg/kg' is a dose per kg of body weight" in told[0]
    assert "write it in mg" in told[0]


def test_subcutaneous_doses_have_no_infusion_no_premedication_and_policies_in_mg():
    policy = 'name = "{}"\npremedication = "hydrocortisone"\npolicy = {{ name = "episodic", dose = "5 mg/kg" }}'
    text = edited('name = "40 mg every 2 weeks"\npolicy = "fixed"', policy.format("x"), adalimumab())
    told = faults(edited("weeks = [0]", 'weeks = [0]\ninfusion = "2 hours"', text))
    assert len(told) == 3
    assert any("arm.0.premedication: IV premedication before a subcutaneous dose" in one for one in told)
    assert any("arm.0.policy.dose: '5 mg/kg' is a dose per kg" in one for one in told)
    assert any("arm.0.dosing.0.infusion: a subcutaneous dose is not infused" in one for one in told)


def test_five_milligrams_in_all_are_allowed_but_questioned():
    with pytest.warns(PkWarning, match=r"arm 'one': an infusion of 5 mg in all; did you mean 5 mg/kg\?"):
        Scenario.parse(INFLIXIMAB.replace("5 mg/kg", "5 mg"))


def test_unknown_scenario_offers_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'taxit'"):
        Scenario.load("taxi")


# --- settings


def test_settings_reach_arms_by_name_and_by_index():
    scenario = Scenario.load("dose-escalation")
    changed = scenario.with_settings(
        [
            "arm.dose doubled.policy.max_dose=7.5 mg/kg",
            "arm.0.dosing.1.every=6 weeks",
            "arm.interval halved.adherence.missed=0.15",
            "arm.0.cotherapy.0.drug=methotrexate",
        ]
    )
    assert changed.arms[1].policy == EscalateOnLoss(action="double-dose", max_dose="7.5 mg/kg")
    assert changed.arms[0].regimen.doses[4].time - changed.arms[0].regimen.doses[3].time == 42
    assert changed.arms[2].adherence == Adherence(missed=0.15)
    assert changed.arms[0].cotherapy == (Cotherapy(drug="methotrexate"),)
    assert scenario == Scenario.load("dose-escalation")
    assert Scenario.parse(changed.text) == changed


def test_settings_take_toml_values_and_plain_text():
    scenario = Scenario.load("taxit")
    changed = scenario.with_settings(['title="a = b"', "visits_weeks=[0, 14]", "run.seed=7"], window="taxit-published")
    assert changed.title == "a = b"
    assert changed.visits == (0.0, 98.0)
    assert changed.window == "taxit-published"
    assert changed.run.seed == 7
    assert scenario.with_settings(["duration=60 weeks"]).duration == 420.0


def test_a_policy_given_by_name_takes_parameters():
    changed = Scenario.load("scheduled-vs-episodic").with_settings(["arm.episodic.policy.earliest=10 weeks"])
    assert changed.arms[1].policy.earliest == "10 weeks"


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("window", "'window' is not KEY=VALUE"),
        ("=3", "is not KEY=VALUE"),
        ("window=", "is not KEY=VALUE"),
        ("windw=taxit", "--set windw=taxit: windw: unknown key; did you mean 'window'"),
        ("arm.fixxed.name=x", "unknown arm 'fixxed'; did you mean 'fixed'"),
        ("arm.5.name=x", "has 2 entries, numbered from 0; there is no 5"),
        ("arm.0.dosing.x.dose=5 mg", "'x' is no entry of 'arm.0.dosing'"),
        ("title.x=3", "holds no keys"),
        ("arm.0.dosing.0.dose=5", "--set arm.0.dosing.0.dose=5: arm.0.dosing.0.dose: 5 has no unit"),
        (
            "arm.fixed.dosing.1.every=8 wk",
            "--set arm.fixed.dosing.1.every=8 wk: arm.0.dosing.1.every: '8 wk'",
        ),
        ("drug=adalimumab", "taxit with --set drug=adalimumab: model: "),
    ],
)
def test_a_wrong_setting_is_named(setting, said):
    with pytest.raises(InputError) as caught:
        Scenario.load("taxit").with_settings([setting])
    assert said in str(caught.value)


# --- files of the user's


def test_paths_start_at_the_scenario_and_stay_out_of_its_text(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "my.csv").write_text("weight,albumin,hla_dqa1_05\n70,41,0\n", encoding="utf-8")
    path = tmp_path / "mine.toml"
    path.write_text(edited('"adult-crohn"', '"sub/my.csv"'), encoding="utf-8")
    scenario = Scenario.load(path)
    assert scenario.files == {"cohort": (tmp_path / "sub" / "my.csv").resolve()}
    assert Path(scenario.cohort).is_absolute()
    assert 'cohort = "my.csv"' in scenario.text
    assert str(tmp_path) not in scenario.text
    assert scenario.with_settings(["duration=60 weeks"]).cohort == scenario.cohort


def test_a_protocol_keeps_run_and_versions_out_of_the_scenario_text():
    text = f'{INFLIXIMAB}\n[run]\npatients = 50\nseed = 9\nkeep = "trajectories"\n\n[versions]\nnumpy = "0"\n'
    scenario = Scenario.parse(text)
    assert (scenario.run.patients, scenario.run.seed, scenario.run.keep) == (50, 9, "trajectories")
    assert scenario.versions == {"numpy": "0"}
    assert scenario.text == Scenario.parse(INFLIXIMAB).text


# --- the writer

scalars = st.text(max_size=12) | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.floats(allow_nan=False)
keys = st.text(min_size=1, max_size=6)
values = st.recursive(
    scalars | st.lists(scalars, max_size=3),
    lambda inner: (
        st.dictionaries(keys, inner, max_size=3)
        | st.lists(st.dictionaries(keys, inner, max_size=3), max_size=3)
        | st.lists(inner, max_size=2)
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(keys, values, max_size=4))
def test_what_is_written_is_read_back(document):
    text = toml_text(document)
    assert tomllib.loads(text) == document
    assert toml_text(tomllib.loads(text)) == text
