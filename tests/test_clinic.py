"""What clinics do to policies, one thing at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest
from clinic_trial import SEED, N, Script, everybody, go, trial

import scenarios as sc
from pkmodel.draws import Draws, Stream, moment
from pkmodel.errors import InputError
from pkmodel.kernels import layout as at
from scenarios.arm import ArmRun
from scenarios.attendance import propensities
from scenarios.cohorts import Cohort
from scenarios.scenario_parts import Adherence, Clinic
from scenarios.setting import Setting


@dataclass(frozen=True)
class Looks:
    """Wants levels, changes nothing."""

    needs_levels: ClassVar[bool] = True

    def __call__(self, visit):
        return visit.as_planned()


# --- samples


def test_a_result_is_in_hand_after_its_turnaround():
    _, at_once, _ = go(policy=Looks())
    _, late, _ = go(Clinic(turnaround=7.0), Looks())
    assert (at_once[98.0].sampled_day == 98.0).all()
    assert at_once[98.0].new_result.all()
    # with two weeks between visits, a week's turnaround shows on the next of them
    assert (late[98.0].sampled_day == 42.0).all()
    assert not late[98.0].new_result.any()
    assert late[112.0].new_result.all()
    assert (late[112.0].sampled_day == 98.0).all()
    assert np.array_equal(late[112.0].level, at_once[98.0].level, equal_nan=True)
    assert np.array_equal(late[112.0].at_dose, at_once[98.0].at_dose)
    assert not late[126.0].new_result.any()


def test_two_results_under_way_arrive_in_order():
    _, late, _ = go(Clinic(turnaround=70.0), Looks())
    assert np.nanmax(late[112.0].sampled_day) == 42.0
    assert (late[154.0].sampled_day == 42.0).all()
    assert (late[168.0].sampled_day == 98.0).all()


def test_a_sample_drawn_early_is_higher_and_changes_nothing_else():
    plain, on_time, _ = go(policy=Looks())
    run, early, _ = go(Clinic(early_by=6), Looks())
    assert np.array_equal(np.array(plain.free), np.array(run.free))
    day = 98.0
    uniform = Draws(SEED).uniform(Stream.SAMPLING, run.patients.ids, 1, first=moment(day))[:, 0]
    lead = np.floor(7 * uniform)
    assert set(lead) == set(range(7))
    assert np.array_equal(early[day].sampled_day, day - lead)
    assert early[day].at_dose.all()
    before = lead > 0
    level = np.nan_to_num(early[day].level)
    assert np.median(level[before]) > np.median(np.nan_to_num(on_time[day].level)[before])
    same = ~before
    assert np.array_equal(early[day].level[same], on_time[day].level[same], equal_nan=True)


def test_an_early_sample_shows_the_truth_of_its_day():
    scenario = trial("fixed")
    setting = Setting.of(scenario, SEED, 1)
    exact = replace(
        setting.laboratory, drug=replace(setting.laboratory.drug, proportional=0.0, additive=0.0, lloq=1e-9)
    )
    setting = replace(setting, laboratory=exact, days=tuple(sorted({*setting.days, 95.0})))
    levels = {}
    arm = replace(scenario.arms[0], adherence=None, clinic=Clinic(early_by=0), policy=Looks())
    patients = Cohort.load("adult-crohn").sample(N, seed=SEED)
    ArmRun(setting, arm, patients).carry_through(watch=lambda run, _, day: levels.update({day: run.state.free_drug()}))
    seen = {}

    class Watched(Looks):
        def __call__(self, visit):
            seen[visit.day] = visit
            return visit.as_planned()

    setting = replace(setting, days=tuple(day for day in setting.days if day != 95.0))
    ArmRun(setting, replace(arm, clinic=Clinic(early_by=6), policy=Watched()), patients).carry_through()
    mine = seen[98.0].sampled_day == 95.0
    assert mine.sum() > 5
    # a stop restarts the grid of the hazard integral, so this is close, not equal
    assert np.allclose(seen[98.0].level[mine], levels[95.0][mine], rtol=1e-6, atol=1e-9)


def test_who_misses_an_appointment_is_not_sampled():
    _, visits, ledger = go(policy=Looks(), adherence=Adherence(missed=0.5))
    missed = {(row["patient"], row["day"]) for row in ledger.rows() if "dose-missed" in row["decision"]}
    assert len(missed) > 100
    for patient, day in missed:
        assert visits[day].sampled_day[patient] != day
    assert not any(row["dose_mg"] for row in ledger.rows() if (row["patient"], row["day"]) in missed)


def test_assays_change_on_a_day():
    text = trial("fixed").text.replace('immunogenicity = "infliximab"\ncohort', 'immunogenicity = "infliximab"\ncohort')
    text = text.replace('[[arm]]', '[[assay_change]]\nfrom = "40 weeks"\ndrug = "infliximab-elisa"\n'
                        'drug_sensitive = "older-elisa"\n\n[[arm]]', 1)  # fmt: skip
    changed = sc.run(sc.Scenario.parse(text), patients=400, seed=SEED)
    plain = sc.run(trial("fixed"), patients=400, seed=SEED)
    older = sc.run(trial("fixed").with_settings(["assays.drug_sensitive=older-elisa"]), patients=400, seed=SEED)
    before = plain.visit.values < 40
    assert np.array_equal(changed.ada_drug_sensitive[..., before], plain.ada_drug_sensitive[..., before])
    assert np.array_equal(changed.ada_drug_sensitive[..., ~before], older.ada_drug_sensitive[..., ~before])
    assert not np.array_equal(older.ada_drug_sensitive, plain.ada_drug_sensitive)
    assert np.array_equal(changed.trough, plain.trough)


# --- doses


@pytest.mark.parametrize(("rounding", "function"), [("up", np.ceil), ("nearest", np.round)])
def test_doses_come_in_vials(rounding, function):
    plain, _, _ = go()
    run, _, ledger = go(Clinic(vial=100.0, rounding=rounding))
    weight = run.patients.covariates["weight"]
    expected = 100.0 * function(5.0 * weight / 100.0)
    for row in ledger.rows():
        if row["dose_mg"]:
            assert row["dose_mg"] == expected[row["patient"]]
    # rounding changes what is given, not the timetable
    assert np.array_equal(run.plan.counts, plain.plan.counts)


def test_rounding_up_stays_below_the_cap_but_never_gives_nothing():
    from pkmodel.units import dose

    run, _, ledger = go(Clinic(vial=100.0, max_dose=dose("5 mg/kg")))
    weight = run.patients.covariates["weight"]
    for row in ledger.rows():
        assert 0.0 < row["dose_mg"] <= 5.0 * weight[row["patient"]] or row["dose_mg"] == 0.0
    run, _, _ = go(Clinic(vial=1000.0, max_dose=dose("4 mg/kg")))
    assert np.allclose(run.plan.total[:, 0] / run.plan.counts[:, 0], 4.0 * weight)


def test_a_cap_leaves_the_timetable():
    from pkmodel.units import dose

    run, _, ledger = go(Clinic(max_dose=dose("4 mg/kg")))
    days = sorted({row["day"] for row in ledger.rows() if row["dose_mg"]})
    assert days[:5] == [0.0, 14.0, 42.0, 98.0, 154.0]
    assert np.allclose(run.plan.total[:, 0], run.plan.counts[:, 0] * 4.0 * run.patients.covariates["weight"])


def test_new_intervals_are_on_steps_and_within_limits():
    script = Script(
        {154.0: lambda visit: {"interval": 0.3 * visit.interval}, 210.0: lambda visit: {"interval": 9 * visit.interval}}
    )
    run, visits, _ = go(Clinic(interval_step=14.0, min_interval=28.0, max_interval=70.0), script)
    assert (visits[168.0].interval == 28.0).all()  # 16.8 d: one step, then the minimum
    assert (run.plan.interval == 70.0).all()


def test_treatment_stops_after_symptoms_for_long():
    run, _, ledger = go(Clinic(stop_after=140.0))
    stopped = [row for row in ledger.rows() if row["decision"] == "stop"]
    assert len(stopped) > 10
    for row in stopped:
        later = [one for one in ledger.rows(patient=row["patient"]) if one["day"] > row["day"]]
        assert not any(one["dose_mg"] for one in later)
        assert row["reason"] == "symptoms for too long"
    assert run.plan.stopped.sum() == len(stopped)


@pytest.mark.parametrize("again", [True, False])
def test_a_restart_begins_induction_where_the_clinic_says_so(again):
    script = Script({
        210.0: lambda visit: {"pause": everybody(True)(visit), "give": everybody(False)(visit)},
        350.0: lambda visit: {"restart": everybody(True)(visit)},
    })  # fmt: skip
    _, _, ledger = go(Clinic(reinduction=again), script, n=3)
    days = [row["day"] for row in ledger.rows(patient=0) if row["dose_mg"]]
    after = [350.0, 364.0, 392.0, 448.0, 504.0] if again else [350.0, 406.0, 462.0, 518.0]
    assert days == [0.0, 14.0, 42.0, 98.0, 154.0, *after]


def test_a_restart_is_capped_like_every_dose():
    from pkmodel.units import dose

    script = Script({
        210.0: lambda visit: {"pause": everybody(True)(visit), "give": everybody(False)(visit)},
        350.0: lambda visit: {"restart": everybody(True)(visit)},
    })  # fmt: skip
    run, _, ledger = go(Clinic(reinduction=True, max_dose=dose("3 mg/kg")), script, n=5)
    weight = run.patients.covariates["weight"]
    given = {row["patient"]: row["dose_mg"] for row in ledger.rows() if row["day"] == 350.0}
    assert given == {patient: pytest.approx(3.0 * weight[patient]) for patient in range(5)}


def test_vials_and_cap_hold_for_the_first_dose_of_a_drug_that_is_switched_to():
    from pkmodel.units import dose

    def first(drug, back=False, **rules):
        script = {154.0: lambda visit: {"switch_to": everybody(drug, np.int8)(visit)}}
        if back:
            script[210.0] = lambda visit: {"switch_to": everybody(2, np.int8)(visit)}
        _, _, ledger = go(Clinic(**rules), Script(script), n=5)
        return {row["dose_mg"] for row in ledger.rows() if row["day"] == (210.0 if back else 154.0)}

    assert first(2, vial=200.0) == {400.0}  # vedolizumab 300 mg: infused
    assert first(2, max_dose=dose("200 mg")) == {200.0}
    assert first(1, vial=100.0, max_dose=dose("100 mg")) == {160.0}  # adalimumab: injected
    assert first(1, back=True, vial=200.0) == {400.0}  # from an injected drug to an infused one


def test_a_dose_put_off_beyond_the_end_of_the_plan_is_missed():
    adherence = Adherence(late=0.5, late_by=63.0)
    run, _, ledger = go(adherence=adherence)
    assert run.plan.end.max() == 546.0
    late = [row["day"] for row in ledger.rows() if "dose-late" in row["decision"]]
    missed = [row["day"] for row in ledger.rows() if "dose-missed" in row["decision"]]
    assert late
    assert max(late) + 63.0 < 546.0
    assert missed
    assert min(missed) + 63.0 >= 546.0


def test_who_has_left_keeps_the_plan():
    from scenarios.plan import Instructions, Plan

    plan = Plan([trial("fixed").arms[0].regimen], np.array([60.0, 80.0]), 2)
    nobody, none = np.zeros(2, bool), np.zeros(2, np.int8)
    orders = Instructions(
        give=~nobody, amount=plan.dose, dose=2.0 * plan.dose, interval=0.5 * plan.interval, switch_to=none - 1,
        begin_again=nobody, resume=nobody, immunomodulator=none, pause=nobody, stop=nobody,
    )  # fmt: skip
    plan.carry_out(orders.only(np.array([True, False]), plan), 0.0)
    assert plan.changes.tolist() == [1, 0]
    assert plan.interval.tolist() == [28.0, 56.0]
    assert plan.counts[:, 0].tolist() == [1, 0]


# --- drugs


def test_there_and_back_again():
    """From infliximab to adalimumab and back: the first drug's antibody and its memory are found again."""
    to = {154.0: 1, 294.0: 0}
    script = Script({day: (lambda visit, k=k: {"switch_to": everybody(k, np.int8)(visit)}) for day, k in to.items()})
    run, visits, ledger = go(policy=script)
    rows = [row for row in ledger.rows(patient=0) if row["dose_mg"]]
    by_drug = {name: [row["day"] for row in rows if row["drug"] == name] for name in run.names}
    assert by_drug["infliximab"] == [0.0, 14.0, 42.0, 98.0, 294.0, 308.0, 336.0, 392.0, 448.0, 504.0]
    assert by_drug["adalimumab"] == [154.0, 168.0, *np.arange(182.0, 294.0, 14.0)]
    assert [row["dose_mg"] for row in rows if row["drug"] == "adalimumab"][:3] == [160.0, 80.0, 40.0]
    assert (visits[168.0].within_class == -1).all()
    assert (visits[154.0].within_class == 1).all()
    fixed, _, _ = go()
    # antibody against the first drug is the same up to the switch, and none of it binds the second
    assert np.array_equal(np.array(fixed.free)[:11], np.array(run.free)[:11])
    early = run.therapies[0].state.values[:, at.ONSET_TIME] < 154.0
    assert early.any()
    assert (run.therapies[0].state.values[early, at.MEMORY] != 1.0).any()
    assert np.isnan(visits[154.0].level).sum() < N
    assert (visits[168.0].drug == 1).all()


def test_results_of_the_first_drug_are_gone_after_a_switch():
    script = Script({154.0: lambda visit: {"switch_to": everybody(1, np.int8)(visit)}})
    _, visits, _ = go(Clinic(turnaround=21.0), script)
    assert np.isfinite(visits[154.0].sampled_day).all()
    # the sample of the day of the switch would have come in by now; it was of the first drug
    for day in (168.0, 182.0):
        assert not np.isfinite(visits[day].sampled_day).any()
        assert (visits[day].antibody_tolerant == -1).all()
    assert (visits[196.0].sampled_day == 168.0).all()


@pytest.mark.parametrize("stop", [158.0, 300.0])
def test_an_immunomodulator_that_is_stopped_wears_off(stop):
    """Also when it is stopped while its strength still rises: the steps of the rise are taken back."""
    start = 140.0
    script = Script({
        start: lambda visit: {"immunomodulator": everybody(1, np.int8)(visit)},
        stop: lambda visit: {"immunomodulator": everybody(-1, np.int8)(visit)},
    })  # fmt: skip
    strength, taken = {}, {}

    def watch(run, _, day):
        strength[day] = run.state.values[:, at.COTHERAPY].copy()
        taken[day] = run.comedication.taken(day)

    # steps are weekly: a stop off their beat would leave a step of the rise between two of the fall
    scenario = trial("fixed").with_settings(["review_every=2 days"])
    arm = replace(scenario.arms[0], adherence=None, policy=script)
    patients = Cohort.load("adult-crohn").sample(N, seed=SEED)
    ArmRun(Setting.of(scenario, SEED, 1), arm, patients).carry_through(watch=watch)
    assert (strength[start] == 0.0).all()
    assert (strength[start + 14.0] > 0.0).all()
    assert taken[start].all()
    assert not taken[stop].any()
    falling = [day for day in strength if day > stop]
    for earlier, later in pairwise(falling):
        assert (strength[later] <= strength[earlier]).all()
    assert (strength[stop + 86.0] == 0.0).all()


def test_orders_that_change_nothing_are_no_decisions():
    script = Script({day: (lambda visit: {"immunomodulator": everybody(1, np.int8)(visit)}) for day in (140.0, 154.0)})
    _, visits, ledger = go(policy=script, n=4)
    added = [row["day"] for row in ledger.rows() if "add-immunomodulator" in row["decision"]]
    assert added == [140.0] * 4
    assert visits[154.0].immunomodulator.all()
    assert not visits[140.0].immunomodulator.any()


# --- patients


def test_propensities_have_the_stated_mean_and_clustering():
    ids = np.arange(40_000)
    adherence = Adherence(missed=0.2, late=0.09, late_by=7.0, clustering=0.4)
    chance = 0.29 * propensities(adherence, ids, Draws(1))
    # four standard errors of the mean of 40,000; the variance of a beta is m (1 - m) times the clustering
    variance = 0.29 * 0.71 * 0.4
    assert abs(chance.mean() - 0.29) < 4 * np.sqrt(variance / ids.size)
    assert abs(chance.var() / variance - 1.0) < 0.05
    assert (propensities(replace(adherence, clustering=0.0), ids, Draws(1)) == 1.0).all()


def test_clustered_patients_miss_as_much_but_differ_more():
    even, _, _ = go(adherence=Adherence(missed=0.29), n=2000)
    few, _, _ = go(adherence=Adherence(missed=0.29, clustering=0.5), n=2000)
    assert abs(even.plan.count.mean() - few.plan.count.mean()) < 0.3
    assert few.plan.count.var() > 2.0 * even.plan.count.var()


# --- slips of a policy


@pytest.mark.parametrize(
    ("slip", "said"),
    [
        ({"amount": np.full(N, np.nan)}, "amount: orders of Script on day 0: a dose is negative or not a number"),
        ({"dose": np.full(N, -1.0)}, "dose: orders of Script on day 0: a dose is negative"),
        ({"interval": np.zeros(N)}, "interval is not positive"),
        ({"give": np.ones(3, bool)}, r"give: .* shape \(3,\), expected \(120,\)"),
        ({"switch_to": np.full(N, 3, np.int8)}, "switch_to: .* there are drugs 0 to 2"),
        ({"switch_to": np.zeros(N, np.int8)}, "a switch to the drug the patient is on"),
        ({"immunomodulator": np.full(N, 2, np.int8)}, "immunomodulator: "),
        ({"reason": np.full(N, 1)}, "there are reasons 0 to 0"),
    ],
)
def test_a_policy_s_slip_is_refused(slip, said):
    scenario = trial("fixed")
    arm = replace(scenario.arms[0], policy=Script({0.0: lambda _: slip}))
    patients = Cohort.load("adult-crohn").sample(N, seed=SEED)
    with pytest.raises(InputError, match=said):
        ArmRun(Setting.of(scenario, SEED, 1), arm, patients).carry_through()


# --- what a file may say

PLACES = {
    "turnaround": ('turnaround = "7 days"', 'turnaround = "7"', "arm.0.clinic.turnaround: "),
    "early_by": ('early_by = "3 days"', 'early_by = "60 hours"', "write whole days"),
    "vial": ('vial = "100 mg"', 'vial = "5 mg/kg"', "arm.0.clinic.vial: '5 mg/kg' is an amount per kg"),
    "rounding": ('vial = "100 mg"', 'rounding = "up"', "'rounding' without 'vial'"),
    "cap": ('max_dose = "10 mg/kg"', 'max_dose = "10 weeks"', "arm.0.clinic.max_dose: "),
    "limits": ("reinduction = true", 'min_interval = "8 weeks"\nmax_interval = "4 weeks"', "exchange the limits"),
    "clustering": ("clustering = 0.2", "clustering = 1.0", "arm.0.adherence.clustering: "),
    "drug": ('drug = "adalimumab"\nmodel', 'drug = "infliximab"\nmodel', "alternative.0.model: "),
    "model": ("adalimumab-berends-2018", "adalimumab-berends", "did you mean 'adalimumab-berends-2018'"),
    "file": ('"adalimumab-berends-2018"', '"mine.toml"', "a protocol keeps no copy"),
    "layer": ('immunogenicity = "adalimumab"', 'immunogenicity = "infliximab"', "alternative.0.immunogenicity: "),
    "assay": ('"adalimumab-elisa"', '"infliximab-elisa"', "alternative.0.assays.drug: "),
    "route": ('dose = "160 mg"', 'dose = "2 mg/kg"', "alternative.0.dosing.0.dose: "),
    "regain": ('regain_after = "12 weeks"', 'regain_after = "0 weeks"', "regain_after: '0 weeks' is no time"),
}


@pytest.mark.parametrize("place", PLACES)
def test_what_a_file_may_not_say(place):
    from clinic_trial import ARM, CLINIC, TRIAL

    text = TRIAL + ARM.format(name="fixed", policy='name = "fixed"', clinic=CLINIC)
    old, new, said = PLACES[place]
    assert old in text
    with pytest.raises(InputError) as caught:
        sc.Scenario.parse(text.replace(old, new, 1), file="my.toml")
    assert said in str(caught.value)
    assert str(caught.value).startswith("my.toml:")


def test_a_drug_can_be_declared_once():
    from clinic_trial import ARM, TRIAL

    text = TRIAL + ARM.format(name="fixed", policy='name = "fixed"', clinic="")
    text += text[text.index("[[arm.alternative]]") :]
    with pytest.raises(InputError, match=r"alternative\.2\.drug: adalimumab is there already"):
        sc.Scenario.parse(text)


def test_settings_reach_clinic_and_alternatives():
    changed = trial("fixed").with_settings(
        ["arm.fixed.clinic.turnaround=3 days", "arm.fixed.alternative.0.dosing.0.dose=80 mg"]
    )
    assert changed.arms[0].clinic.turnaround == 3.0
    assert changed.arms[0].alternatives[0].regimen.doses[0].amount.value == 80.0


def test_assays_that_change_keep_their_lloq(monkeypatch):
    from clinic_trial import ARM, TRIAL

    from pkmodel import assay

    load = assay.load_drug_assay

    def sharper(name, drug=None):
        found = load("infliximab-elisa" if name == "sharp" else name, drug)
        return replace(found, lloq=0.1) if name == "sharp" else found

    monkeypatch.setattr(assay, "load_drug_assay", sharper)
    text = TRIAL + '[[assay_change]]\nfrom = "40 weeks"\ndrug = "{drug}"\n'
    text += ARM.format(name="fixed", policy='name = "fixed"', clinic="").replace("{", "{{").replace("}", "}}")
    assert sc.Scenario.parse(text.format(drug="infliximab-elisa"))
    with pytest.raises(InputError, match=r"assay_change\.0\.drug: 'sharp' has an LLOQ of 0\.1 ug/mL, .* one of 0\.3"):
        sc.Scenario.parse(text.format(drug="sharp"))


def test_versions_are_told_once():
    import json

    from scenarios.versions import versions

    result = sc.run(trial("fixed"), patients=5, seed=SEED)
    assert json.loads(result.attrs["versions"]) == versions()
    assert versions().keys() >= {"pkmodel", "python", "numpy", "numba", "pandas", "h5py"}
