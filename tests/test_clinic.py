"""What clinics do to policies, one thing at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest
from clinic_trial import trial

import scenarios as sc
from pkmodel.draws import Draws, Stream, moment
from pkmodel.errors import InputError
from pkmodel.kernels import layout as at
from pkmodel.response import restored
from scenarios.arm import ArmRun
from scenarios.attendance import propensities
from scenarios.cohorts import Cohort
from scenarios.ledger import Ledger
from scenarios.policies import make
from scenarios.scenario_parts import Adherence, Clinic
from scenarios.setting import Setting

N, SEED = 120, 7


@dataclass(frozen=True)
class Script:
    """Does what it is told on given days, to everybody."""

    orders: dict
    needs_levels: ClassVar[bool] = True

    def __call__(self, visit):
        return replace(visit.as_planned(), **self.orders.get(visit.day, lambda _: {})(visit))


def everybody(value, dtype=bool):
    return lambda visit: np.full(visit.due.size, value, dtype)


def go(clinic=None, policy=None, adherence=None, days=None, n=N):
    scenario = trial("fixed")
    arm = replace(scenario.arms[0], adherence=adherence, clinic=clinic or Clinic())
    arm = arm if policy is None else replace(arm, policy=policy)
    ledger, shown = Ledger(), []
    patients = Cohort.load("adult-crohn").sample(n, seed=SEED)

    class Watched:
        needs_levels = arm.policy.needs_levels
        levels_at_symptoms = getattr(arm.policy, "levels_at_symptoms", None)

        def __call__(self, visit):
            shown.append(visit)
            return arm.policy(visit)

    run = ArmRun(Setting.of(scenario, SEED, 1), replace(arm, policy=Watched()), patients)
    run.carry_through(True, pages=ledger.pages("arm"))
    return run, {visit.day: visit for visit in shown}, ledger


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


# --- response


def course(policy="fixed", p_placebo=0.0, n=600):
    """The disease of an arm, and its visits, where response comes back by itself with probability ``p_placebo``."""
    scenario, visits = trial("fixed"), {}
    setting = Setting.of(scenario, SEED, 1)
    setting = replace(setting, response=setting.response.with_values(p_placebo=p_placebo))
    chosen = make(policy, {} if policy == "fixed" else {"action": "halve-interval"})

    class Watched:
        needs_levels = True

        def __call__(self, visit):
            visits[visit.day] = visit
            return chosen(visit)

    arm = replace(scenario.arms[0], adherence=None, policy=Watched())
    run = ArmRun(setting, arm, Cohort.load("adult-crohn").sample(n, seed=SEED))
    run.carry_through(True)
    return run.disease, visits


def test_response_comes_back_after_a_change_and_only_for_lack_of_drug():
    disease, visits = course("escalate-on-loss")
    lost = np.isfinite(disease.first_loss)
    back = np.zeros(600, bool)
    for rows, day in disease.regained:
        back[rows] = True
        if day not in visits:  # the last day has no visit
            continue
        before, after = visits[day - 14.0], visits[day]
        assert before.lost_response[rows].all()
        assert not after.lost_response[rows].any()
        # judged twelve weeks after the change, on the first decision day then
        assert (after.days_since_change[rows] >= 84.0).all()
        assert (after.days_since_change[rows] < 84.0 + 14.0).all()
    assert 20 < back.sum() < lost.sum()
    assert not (back & ~lost).any()
    cause = {}
    for rows, _, flags in disease.losses:
        for row, lacked in zip(rows, flags, strict=True):
            cause.setdefault(row, lacked)
    assert all(cause[row] for row in np.flatnonzero(back))
    # who carries on is judged too, but little is restored by that: what differs between cycles, and antibodies that go
    fixed, _ = course()
    stayed = sum(rows.size for rows, _ in fixed.regained)
    assert stayed < 0.25 * back.sum()
    assert np.array_equal(fixed.first_loss, disease.first_loss)


REGAIN, REVIEW, END = 84.0, 14.0, 78 * 7.0


def mechanistic(policy, p_placebo=0.5, n=200):
    """An arm in which every loss is mechanistic, so that response comes back by itself or not at all.

    Returns the disease and, for each patient, the days on which losses were found and those on which it was back.
    """
    scenario = trial("fixed")
    setting = Setting.of(scenario, SEED, 1)
    values = {"p_placebo": p_placebo, "lambda_pk": 0.0, "lambda_mech": 0.02}
    setting = replace(setting, response=setting.response.with_values(**values))
    run = ArmRun(setting, replace(scenario.arms[0], adherence=None, policy=policy), cohort(n))
    found = [[] for _ in range(n)]
    lost_before = np.zeros(n, np.int64)

    def watch(run, _, day):
        for row in np.flatnonzero(run.disease.n_losses > lost_before):
            found[row].append(day)
        lost_before[:] = run.disease.n_losses

    run.carry_through(True, watch=watch)
    back = [[day for rows, day in run.disease.regained if row in rows] for row in range(n)]
    return run, found, back


def cohort(n):
    return Cohort.load("adult-crohn").sample(n, seed=SEED)


ALWAYS = {14.0 * k: (lambda visit: {"dose": 1.01 * visit.dose}) for k in range(1, 39)}


@pytest.mark.parametrize(
    "policy",
    [make("fixed", {}), make("escalate-on-loss", {"action": "halve-interval"}), Script(ALWAYS)],
    ids=["carry on", "one change", "a change every two weeks"],
)
def test_disease_calms_down_by_itself_once_for_each_loss_and_whatever_is_done(policy):
    """Patient by patient and loss by loss, by the numbers drawn: twelve weeks after each loss, or never."""
    run, found, back = mechanistic(policy)
    response, ids = run.setting.response, np.arange(200)
    again = 0
    for row in np.flatnonzero(run.disease.responder):  # the others may respond to more drug, and do
        expected = []
        for number, day in enumerate(found[row]):
            calm = response.subsides(np.full(200, number), ids, Draws(SEED))[row]
            due = min(one for one in (*run.setting.days, np.inf) if one >= day + REGAIN)
            if calm and due <= END:
                expected.append(due)
            elif not calm:
                assert number == len(found[row]) - 1  # who stays ill loses nothing more
        assert back[row] == expected
        again += len(expected) > 1
    assert again > 10


def test_a_change_while_a_judgement_is_due_is_judged_itself_too():
    """The dose trebled on day 210: who lost response in the twelve weeks before is judged for the loss and for that."""
    scenario = trial("fixed")
    setting = Setting.of(scenario, SEED, 1)
    setting = replace(setting, response=setting.response.with_values(p_placebo=0.0, lambda_mech=0.0, lambda_pk=0.05))
    script = Script({210.0: lambda visit: {"dose": 3.0 * visit.dose}})
    run = ArmRun(setting, replace(scenario.arms[0], adherence=None, policy=script), cohort(600))
    lost_on = np.full(600, np.inf)

    def watch(run, _, day):
        lost_on[(run.disease.n_losses == 1) & np.isinf(lost_on)] = day

    run.carry_through(True, watch=watch)
    days = {row: day for rows, day in reversed(run.disease.regained) for row in rows}
    waiting = [row for row in days if 126.0 < lost_on[row] < 210.0]
    assert {days[row] for row in waiting} <= {294.0, *(lost_on[row] + REGAIN for row in waiting)}
    assert sum(days[row] == 294.0 for row in waiting) >= 5
    assert sum(days[row] < 294.0 for row in waiting) >= 5


def test_after_a_switch_within_the_class_it_is_seen_when_the_new_drug_is_judged():
    """Every loss passes by itself; the others have had theirs seen before."""
    run, found, back = mechanistic(make("switch-on-loss", {"to": "within-class"}), p_placebo=1.0)
    assessment = run.therapies[1].drug.response.assessment_day
    moved = [row for row in range(200) if run.plan.drug[row] == 1 and back[row]]
    assert len(moved) > 50
    for row in moved:
        assert back[row][0] - found[row][0] >= assessment
        assert back[row][0] - found[row][0] <= assessment + 8 * 7.0 + REVIEW  # switched at the next dose at the latest


def test_without_regain_after_nothing_passes_by_itself():
    scenario = replace(trial("fixed"), regain_after=None)
    setting = Setting.of(scenario, SEED, 1)
    setting = replace(setting, response=setting.response.with_values(p_placebo=1.0))
    arm = replace(scenario.arms[0], adherence=None, policy=make("switch-on-loss", {"to": "within-class"}))
    run = ArmRun(setting, arm, cohort(300)).carry_through()
    assert np.isfinite(run.disease.first_loss).sum() > 30
    assert not run.disease.calms.any()
    lacked = {}
    for rows, _, flags in run.disease.losses:
        for row, flag in zip(rows, flags, strict=True):
            lacked.setdefault(row, flag)
    back = {row for rows, _ in run.disease.regained for row in rows}
    assert all(lacked[row] for row in back & set(lacked))


def test_each_loss_has_a_chance_of_its_own():
    response = Setting.of(trial("fixed"), SEED, 1).response.with_values(p_placebo=0.4)
    ids, draws = np.arange(4000), Draws(3)
    first, second = (response.subsides(np.full(4000, number), ids, draws) for number in (0, 1))
    mixed = response.subsides(np.arange(4000) % 2, ids, draws)
    assert np.array_equal(mixed, np.where(np.arange(4000) % 2 == 0, first, second))
    for one in (first, second):
        assert one.mean() == pytest.approx(0.4, abs=4 * np.sqrt(0.24 / 4000))
    assert (first & second).mean() == pytest.approx(0.16, abs=4 * np.sqrt(0.1344 / 4000))


def test_missing_effect_is_that_of_the_last_eight_weeks_under_the_drug_of_each_time():
    """Against a sum over the effect seen every day; after a switch under the other drug's."""
    script = Script({140.0: lambda visit: {"switch_to": everybody(1, np.int8)(visit)}})
    effects, told = [], {}

    def watch(run, _, day):
        number = run.plan.drug if day != 140.0 else np.zeros(N, np.int8)  # orders of today count from today on
        all_drugs = np.stack([therapy.state.values[:, at.EFFECT] for therapy in run.therapies])
        effects.append((day, all_drugs[number, np.arange(N)]))
        if day > 0.0:
            told[day] = run.disease.lack.mean().copy()

    scenario = trial("fixed").with_settings(["review_every=1 day"])
    arm = replace(scenario.arms[0], adherence=None, policy=script)
    patients = Cohort.load("adult-crohn").sample(N, seed=SEED)
    ArmRun(Setting.of(scenario, SEED, 1), arm, patients).carry_through(watch=watch)
    days = np.array([day for day, _ in effects])
    lack = 1.0 - np.stack([effect for _, effect in effects], axis=1)
    for day in (98.0, 140.0, 168.0, 210.0):
        within = (days >= day - 56.0) & (days <= day)
        expected = np.trapezoid(lack[:, within], days[within], axis=1) / 56.0
        # the rule of trapezoids at steps of a day, against an effect that changes within two weeks
        np.testing.assert_allclose(told[day], expected, atol=2e-3)


def test_nothing_is_restored_by_a_change_that_restores_nothing():
    before = np.array([0.5, 0.5, 0.5, 0.2, 0.0])
    after = np.array([0.5, 0.8, 0.1, 0.0, 0.0])
    np.testing.assert_allclose(restored(before, after), [0.0, 0.0, 0.8, 1.0, 1.0])


def test_the_interval_is_shortened_step_by_step():
    policy = make("escalate-on-loss", {"action": "shorten-interval", "then": "switch-within-class"})
    run, visits, _ = go(policy=policy, n=600)
    days = sorted(visits)
    intervals = np.stack([visits[day].interval for day in days], axis=1)
    here = np.stack([visits[day].drug == 0 for day in days], axis=1)
    assert set(np.unique(intervals[here & np.stack([visits[day].in_maintenance for day in days], axis=1)])) == {
        28.0, 42.0, 56.0,
    }  # fmt: skip
    fewer = 0
    for earlier, later in pairwise(days):
        step = visits[earlier].interval - visits[later].interval
        changed = (visits[earlier].drug == 0) & (visits[later].drug == 0) & (step > 0.0)
        fewer += changed.sum()
        assert (step[changed] == 14.0).all()
        assert visits[earlier].lost_response[changed].all()
        assert (visits[earlier].days_since_change[changed] >= 84.0).all()
    assert fewer > 50
    # the other drug only for those whose interval cannot become shorter
    for earlier, later in pairwise(days):
        left = (visits[earlier].drug == 0) & (visits[later].drug == 1)
        assert (visits[earlier].interval[left] == 28.0).all()
    assert (run.plan.drug == 1).any()


@pytest.mark.parametrize("key", ["step", "min_interval"])
def test_a_step_is_refused_where_nothing_is_done_step_by_step(key):
    with pytest.raises(InputError, match=rf"{key}: action 'double-dose' does not use it.*leave it out"):
        make("escalate-on-loss", {"action": "double-dose", key: "2 weeks"})


@pytest.mark.parametrize("key", ["step", "min_interval"])
def test_a_step_of_nothing_is_refused(key):
    with pytest.raises(InputError, match=rf"{key}: '0 weeks' is no interval.*give a positive time"):
        make("escalate-on-loss", {"action": "shorten-interval", key: "0 weeks"})


def test_a_responder_who_changes_the_drug_keeps_the_patience_that_is_left():
    script = Script({154.0: lambda visit: {"switch_to": everybody(1, np.int8)(visit)}})
    run, _, _ = go(policy=script)
    first, second = (therapy.state.values for therapy in run.therapies[:2])
    responding = run.disease.responder & run.disease.responding & ~np.isfinite(run.disease.first_loss)
    assert responding.sum() > 50
    assert np.isinf(first[:, at.LOSS_TARGET]).all()
    patience = Draws(SEED).exponential(Stream.LOSS, np.arange(N))[:, 0]
    left = second[responding, at.LOSS_TARGET] - second[responding, at.LOSS_HAZARD]
    assert np.all((left > 0.0) & (left < patience[responding]))


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
