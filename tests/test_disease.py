"""The course of response in an arm: what is lost, what comes back, when, and by what."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from clinic_trial import SEED, N, Script, everybody, go, trial

from pkmodel.draws import Draws, Stream
from pkmodel.errors import InputError
from pkmodel.kernels import layout as at
from pkmodel.response import restored
from scenarios.policies import make
from scenarios.setting import Setting


def test_response_comes_back_after_a_change_and_only_for_lack_of_drug():
    script = make("escalate-on-loss", {"action": "halve-interval"})
    run, visits, _ = go(policy=script, n=600, p_placebo=0.0)
    disease = run.disease
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
    fixed, _, _ = go(n=600, p_placebo=0.0)
    stayed = sum(rows.size for rows, _ in fixed.disease.regained)
    assert stayed < 0.25 * back.sum()
    assert np.array_equal(fixed.disease.first_loss, disease.first_loss)


REGAIN, REVIEW, END = 84.0, 14.0, 78 * 7.0


def mechanistic(policy, p_placebo=0.5, n=200):
    """An arm in which every loss is mechanistic, so that response comes back by itself or not at all.

    Returns the disease and, for each patient, the days on which losses were found and those on which it was back.
    """
    found = [[] for _ in range(n)]
    lost_before = np.zeros(n, np.int64)

    def watch(run, _, day):
        for row in np.flatnonzero(run.disease.n_losses > lost_before):
            found[row].append(day)
        lost_before[:] = run.disease.n_losses

    run, _, _ = go(policy=policy, n=n, watch=watch, p_placebo=p_placebo, lambda_pk=0.0, lambda_mech=0.02)
    back = [[day for rows, day in run.disease.regained if row in rows] for row in range(n)]
    return run, found, back


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
    script = Script({210.0: lambda visit: {"dose": 3.0 * visit.dose}})
    lost_on = np.full(600, np.inf)

    def watch(run, _, day):
        lost_on[(run.disease.n_losses == 1) & np.isinf(lost_on)] = day

    run, _, _ = go(policy=script, n=600, watch=watch, p_placebo=0.0, lambda_mech=0.0, lambda_pk=0.05)
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
    policy = make("switch-on-loss", {"to": "within-class"})
    run, _, _ = go(policy=policy, n=300, scenario=scenario, p_placebo=1.0)
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
    go(policy=script, scenario=scenario, watch=watch)
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
