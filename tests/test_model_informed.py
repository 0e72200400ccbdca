"""Model-informed dosing: its estimate against the careful one, its choice against trying everything, its oracle."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

import scenarios as sc
from pkmodel import estimation as est
from pkmodel import library, units
from pkmodel.errors import InputError
from pkmodel.estimation.design import Plan, compile_plans
from pkmodel.kernels import estimate as kernel
from pkmodel.kernels import layout as at
from pkmodel.kernels.prediction import predict
from pkmodel.nonmem.steady import steady_amounts
from pkmodel.record import DoseRecord, Level, PatientRecord
from scenarios import believing
from scenarios.arm import ArmRun
from scenarios.cohorts import Cohort
from scenarios.ledger import Ledger
from scenarios.policies import make
from scenarios.setting import Setting
from scenarios.whatif.steady import steady_slopes

N, SEED = 24, 11
MODEL = "infliximab-fasanmade-2011"
ARM = """
[[arm]]
name = "{name}"
policy = {{ name = "model-informed", target = "3-7 ug/mL", {policy} }}
[arm.clinic]
{clinic}
[[arm.dosing]]
dose = "5 mg/kg"
weeks = [0, 2, 6]
[[arm.dosing]]
dose = "5 mg/kg"
every = "8 weeks"
until = "62 weeks"
"""
TRIAL = """
title = "t"
question = "q"
drug = "infliximab"
model = "infliximab-fasanmade-2011"
immunogenicity = "{layer}"
cohort = "adult-crohn"
window = "taxit-published"
duration = "62 weeks"
visits_weeks = [0, 2, 6, 14, 22, 30, 38, 46, 54, 62]
review_every = "2 weeks"
[assays]
drug = "infliximab-elisa"
"""


def scenario(*policies, layer="infliximab", clinic='turnaround = "7 days"'):
    arms = "".join(
        ARM.format(name=f"arm {number}", policy=policy, clinic=clinic) for number, policy in enumerate(policies)
    )
    return sc.Scenario.parse(TRIAL.format(layer=layer) + arms)


class Watched:
    """Takes down what the policy was shown and what it ordered."""

    def __init__(self, policy):
        self.policy, self.seen = policy, []
        self.needs_levels, self.needs_chart = policy.needs_levels, policy.needs_chart
        self.oracle = policy.oracle

    def __call__(self, visit):
        orders = self.policy(visit)
        self.seen.append((visit, orders))
        return orders


def watched(trial, n=N, model=None):
    setting = Setting.of(trial, SEED, 1)
    if model is not None:
        setting = replace(setting, model=model)
    watch = Watched(trial.arms[0].policy)
    run = ArmRun(setting, replace(trial.arms[0], policy=watch), Cohort.load("adult-crohn").sample(n, seed=SEED))
    run.carry_through(True)
    return run, watch


@pytest.fixture(scope="module")
def closed_loop():
    return watched(scenario('knowledge = "right"'))


def record(chart, row):
    """What a clinic would write down of one patient, for the careful estimate."""
    given, taken = np.isfinite(chart.dose_days[row]), np.isfinite(chart.level_days[row])
    first = chart.dose_days[row, 0]
    return PatientRecord(
        id=str(row),
        doses=tuple(
            DoseRecord(day=day, milligrams=mg, duration=chart.infusion)
            for day, mg in zip(chart.dose_days[row, given].tolist(), chart.milligrams[row, given].tolist(), strict=True)
        ),
        levels=tuple(
            Level(day=day, value=None if math.isnan(y) else y, lloq=chart.lloq, trough=True)
            for day, y in zip(chart.level_days[row, taken].tolist(), chart.levels[row, taken].tolist(), strict=True)
            if day > first
        ),
        covariates={name: float(chart.covariates[name][row]) for name in ("weight", "albumin")}
        | {"immunomodulator": 0.0},
    )


def test_the_estimate_of_every_visit_is_the_careful_one_started_cold(closed_loop):
    """1e-6 in S: -2 ln of levels and random effects."""
    model = library.load(MODEL)
    compared, below = 0, 0
    for visit, orders in closed_loop[1].seen:
        if orders.notes is None:
            continue
        rows = np.flatnonzero(orders.reason > 0)[:24]
        records = [record(visit.chart, row) for row in rows]
        b = compile_plans(model, [Plan.of(one) for one in records])
        cold = est.fit_many(model, records, starts=1)
        for number, row in enumerate(rows):
            d = int(b.z_offsets[number + 1] - b.z_offsets[number])
            work = np.empty(len(records[number].levels)), np.empty(b.eta_columns.size), np.empty(at.N_THETA)
            warm = kernel.objective(b, number, orders.notes[0][row, :d].copy(), *work)
            assert warm == pytest.approx(cold.objective[number], rel=0, abs=1e-6)
            compared += 1
            below += any(level.value is None for level in records[number].levels)
    assert compared > 60
    assert below > 5  # levels below the limit were among them


def test_the_chart_is_what_was_given_and_measured(closed_loop):
    run, watch = closed_loop
    last = run.charts.open()
    np.testing.assert_allclose(np.nansum(last.milligrams, axis=1), run.plan.total[:, 0], rtol=1e-14)
    assert np.array_equal(np.isfinite(last.dose_days).sum(axis=1), run.plan.counts[:, 0])
    for visit, _ in watch.seen:
        assert visit.truth is None
        assert (np.nan_to_num(visit.chart.level_days, nan=-math.inf) <= visit.day - 7.0).all()  # the turnaround
        assert (np.nan_to_num(visit.chart.dose_days, nan=-1.0) < visit.day).all()
        newest = np.where(np.isfinite(visit.chart.level_days), visit.chart.level_days, -1.0).max(axis=1, initial=-1.0)
        assert np.array_equal(newest, np.nan_to_num(visit.sampled_day, nan=-1.0))


def trough(theta, tau, duration):
    """Steady trough of 1 mg by superposition of a hundred past doses, one after another (Gibaldi and Perrier)."""
    k10, k12, k21 = theta[at.CL] / theta[at.V1], theta[at.Q] / theta[at.V1], theta[at.Q] / theta[at.V2]
    roots = np.roots([1.0, k10 + k12 + k21, k10 * k21])
    total = 0.0
    for s in -roots:
        other = -roots[0] - roots[1] - s
        weight = (s - k21) / (s - other)
        for past in range(1, 101):
            after = past * tau - duration
            total += weight / theta[at.V1] / duration * (1 - math.exp(-s * duration)) / s * math.exp(-s * after)
    return total


def brute_force(policy, theta, kg, duration, high):
    """Every dose and interval tried on every draw: the cheapest that is often enough in the window."""
    best, likeliest = None, None
    for text in policy.intervals:
        tau = units.time_d(text)
        unit = [trough(one, tau, duration) for one in theta]
        for vials in range(1, 11):
            mg = 100.0 * vials
            if mg > 10.0 * kg * (1 + 1e-9):
                continue
            share = sum(3.0 <= mg * one <= high for one in unit) / len(unit)
            cost = round(mg * 365.25 / tau, 3)
            if share >= policy.probability and (best is None or (cost, -share) < best[:2]):
                best = (cost, -share, mg, tau)
            if likeliest is None or (-share, cost) < likeliest[:2]:
                likeliest = (-share, cost, mg, tau)
    return best is not None, (best or likeliest)[2:]


# probabilities at which some patients have a regimen that is good enough and some have none
@pytest.mark.parametrize(("target", "high", "probability"), [("3-7 ug/mL", 7.0, 0.6), (">= 3 ug/mL", math.inf, 0.99)])
def test_the_choice_is_that_of_trying_everything(closed_loop, target, high, probability):
    _, watch = closed_loop
    policy = replace(watch.policy, target=target, probability=probability)
    visit = [visit for visit, orders in watch.seen if orders.notes is not None][3]
    orders = policy(visit)
    rows = np.concatenate([np.flatnonzero(orders.reason == kind)[:3] for kind in (1, 2)])
    assert set(orders.reason[rows]) == {1, 2}
    chart = visit.chart.take(rows)
    covariates = {**chart.covariates, "immunomodulator": np.zeros(rows.size)}
    believed = believing.believe((MODEL,), covariates, chart, "infliximab")
    [(weight, theta)] = believed.parts
    assert (weight == 1.0).all()
    for number, row in enumerate(rows):
        met, (mg, tau) = brute_force(policy, theta[number], visit.weight[row], chart.infusion, high)
        assert (orders.dose[row], orders.interval[row], orders.reason[row] == 1) == (mg, tau, met)


def test_draws_are_those_of_the_covariance(closed_loop):
    """Mirror images: the mean of ln CL is exactly the MAP's, its variance that of MAP and coming occasion."""
    visit, _ = closed_loop[1].seen[-2]
    model = library.load(MODEL)
    chart = visit.chart.take(np.arange(6))
    typical = model.typical_parameters({**chart.covariates, "immunomodulator": np.zeros(6)}, 6)
    found = believing.estimate_charts(model, typical, chart, None)
    logs = np.log(believing.draw_parameters(model, typical, found)[:, :, at.CL])
    column = model.eta_parameters.index("CL")
    chol = np.linalg.cholesky(model.omega)
    eta = found.z[:, :3] @ chol.T
    assert logs.mean(axis=1) == pytest.approx(np.log(typical[:, at.CL]) + eta[:, column], abs=1e-12)
    posterior = np.einsum("ij,njk,lk->nil", chol, found.covariance[:, :3, :3], chol)[:, column, column]
    normals = believing._normals(4)
    assert logs.var(axis=1) == pytest.approx(posterior + model.iov["CL"], rel=0.5)  # 64 draws
    np.testing.assert_allclose(np.cov(normals.T), np.eye(4), atol=0.5)


def test_the_truth_meets_the_target_as_the_steady_state_foretells():
    """A model without occasions, no antibodies: nothing is uncertain. Troughs go to what superposition foretells, and
    lie in the window wherever any dose of the grid would put them there."""
    text = scenario('knowledge = "truth", intervals = ["8 weeks"]', layer="none", clinic="").text
    trial = sc.Scenario.parse(text.replace(MODEL, "infliximab-fasanmade-2009"))
    run, watch = watched(trial)
    assert all(visit.truth is not None for visit, _ in watch.seen)
    unit = np.array([trough(one, 56.0, 2 / 24) for one in run.state.theta])
    doses = 100.0 * np.arange(1, 11)
    inside = (np.outer(unit, doses) >= 3.0) & (np.outer(unit, doses) <= 7.0)
    inside &= doses <= 10.0 * run.weight[:, None] * (1 + 1e-9)
    reachable = inside.any(axis=1)
    assert 5 < reachable.sum() < N
    for visit, orders in watch.seen:
        if orders.reason is not None:
            assert np.array_equal(orders.reason == 1, reachable & visit.due)
    last = np.array(run.free)[-1]
    cheapest = doses[inside.argmax(axis=1)]
    assert np.array_equal(run.plan.dose[reachable], cheapest[reachable])
    # what is left after six doses of 8 weeks of what was there before, by each patient's slower exponential: induction
    # and 5 mg/kg where 100 mg are enough later, so at most ten times the steady trough
    over = ((at.CL, at.V1), (at.Q, at.V1), (at.Q, at.V2))
    k10, k12, k21 = (run.state.theta[:, a] / run.state.theta[:, v] for a, v in over)
    total = k10 + k12 + k21
    slow = 0.5 * (total - np.sqrt(total**2 - 4.0 * k10 * k21))
    left = np.exp(-slow * 6 * 56.0)
    assert left.max() < 2e-3
    foretold = unit * run.plan.dose
    assert (np.abs(last / foretold - 1.0) < 10.0 * left + 1e-9).all()
    assert ((last >= 3.0) & (last <= 7.0))[reachable].all()


def test_antibody_in_the_truth_is_clearance():
    """The rate put into CL is that of the fall of the level: 1-compartment, from 100 to 3 mg/L, by small steps."""
    run, _ = watched(scenario('knowledge = "truth"'), n=200)
    from scenarios.truth import true_parameters

    state = run.state
    found, capacity = true_parameters(state), state.antibody_total()
    assert np.array_equal(found[capacity == 0.0], state.theta[capacity == 0.0])
    assert np.array_equal(np.delete(found, at.CL, axis=1), np.delete(state.theta, at.CL, axis=1))
    rows = np.flatnonzero(capacity > 1.0)[:3]
    assert rows.size == 3
    for row in rows:
        k = state.theta[row, at.CL] / state.theta[row, at.V1]
        a = (k + state.immune[at.K_EXTRA]) * capacity[row]
        level, days = 100.0, 0.0
        while level > 3.0:
            level -= (k * level + a * level / (state.immune[at.KSS] + level)) * 1e-3
            days += 1e-3
        assert found[row, at.CL] == pytest.approx(state.theta[row, at.V1] * math.log(100.0 / 3.0) / days, rel=1e-3)


def test_only_an_oracle_is_given_the_truth_and_every_result_says_so():
    trial = scenario('knowledge = "truth"', 'knowledge = "right"')
    result = sc.run(trial, patients=20, seed=1)
    assert json.loads(result.attrs["oracles"]) == ["arm 0"]
    said = "Oracle: 'arm 0' was given the patients' true parameters"
    assert said in str(sc.score(result))
    assert said in str(sc.compare(result, "in_window"))
    assert "oracles" not in sc.run(replace(trial, arms=trial.arms[1:]), patients=20, seed=1).attrs
    ledger = Ledger()
    sc.run(trial, patients=20, seed=1, ledger=ledger)
    said = {row["arm"]: row["reason"] for row in ledger.rows() if "target" in row["reason"]}
    assert said["arm 0"].startswith("by the truth")
    assert said["arm 1"].startswith("by estimate")


def test_threads_and_chunks_do_not_matter(monkeypatch):
    trial = scenario('knowledge = "right"', f'knowledge = ["{MODEL}", "infliximab-fasanmade-2009"]')
    whole = sc.run(trial, patients=150, seed=3)
    serial = sc.run(trial, patients=150, seed=3, threads=1)
    monkeypatch.setattr("scenarios.running.CHUNK", 67)
    parts = sc.run(trial, patients=150, seed=3)
    assert whole.equals(serial)
    assert whole.equals(parts)


def test_a_drug_under_the_skin_and_a_policy_that_begins_later():
    """Adalimumab pens: doses of the shipped grid, an estimate by walks instead of slopes."""
    trial = sc.Scenario.load("adalimumab-regimens")
    inner = {"name": "model-informed", "target": "5-10 ug/mL", "intervals": ["2 weeks", "4 weeks"]}
    policy = make("phased", {"first": {"name": "fixed"}, "then": inner, "at": "12 weeks"})
    assert policy.needs_chart
    arm = replace(trial.arms[0], policy=policy)
    ledger = Ledger()
    sc.run(replace(trial, arms=(replace(arm, name="by model"),)), patients=40, seed=1, ledger=ledger)
    changed = [row for row in ledger.rows(arm="by model") if "by estimate" in row["reason"]]
    assert min(row["day"] for row in changed) >= 84.0
    assert {row["dose_mg"] % 40.0 for row in changed} == {0.0}
    assert len({row["dose_mg"] for row in changed}) > 1


def test_steady_troughs_of_injections_are_those_of_matrix_exponentials():
    """One and two compartments, absorption slower, faster and nearly as fast as elimination, with and without lag."""
    theta = np.zeros((1, 6, at.N_THETA))
    theta[0, :, at.CL], theta[0, :, at.V1], theta[0, :, at.V2] = 0.3, 3.0, 2.0
    theta[0, :, at.Q] = [0.0, 0.5, 0.5, 0.0, 0.0, 0.5]
    theta[0, :, at.KA] = [0.05, 0.05, 0.3, 0.1, 0.1 * (1 + 1e-9), 0.3]
    theta[0, :, at.F], theta[0, :, at.LAG] = 0.7, [0.0, 0.0, 0.0, 0.0, 0.0, 1.5]
    one = np.ones(6)
    for interval in (7.0, 14.0):
        amounts = steady_amounts(theta[0], one, interval * one, 0.0 * one, one > 0)
        found = steady_slopes(theta, np.array([interval]), 0.0, "sc")[0, 0]
        np.testing.assert_allclose(found, amounts[:, 1] / 3.0, rtol=3e-6)


def test_the_right_model_by_name_is_the_right_model():
    trial = scenario('knowledge = "right"', f'knowledge = "{MODEL}"', 'knowledge = "infliximab-fasanmade-2009"')
    result = sc.run(trial, patients=40, seed=2)
    same = sc.compare(result, "drug_per_year", against="arm 0").frame.set_index("arm")
    assert same.loc["arm 1", "difference"] == 0.0
    assert same.loc["arm 2", "difference"] != 0.0


def laplace(model, one):
    """ln of the marginal likelihood by the careful MAP and Fisher information from differences of its predictions."""
    found = est.fit(model, one, starts=1)
    b = compile_plans(model, [Plan.of(one)])

    def levels(z):
        out = np.empty((1, len(one.levels)))
        predict(b, 0, z[None, :], out)
        return out[0]

    h, unit = 1e-4, np.eye(found.z.size)
    slopes = np.stack([(levels(found.z + h * e) - levels(found.z - h * e)) / (2 * h) for e in unit], axis=1)
    sd = model.residual.sd(levels(found.z))
    rise = (model.residual.sd(levels(found.z) + h) ** 2 - model.residual.sd(levels(found.z) - h) ** 2) / (2 * h)
    information = np.eye(found.z.size) + slopes.T @ ((1 / sd**2 + rise**2 / (2 * sd**4))[:, None] * slopes)
    return -0.5 * found.objective - 0.5 * np.linalg.slogdet(information)[1]


def test_an_average_weighs_models_by_their_marginal_likelihood(closed_loop):
    visit, _ = closed_loop[1].seen[-2]
    measured = np.isfinite(visit.chart.levels[:, 1:]) | ~np.isfinite(visit.chart.level_days[:, 1:])
    chart = visit.chart.take(np.flatnonzero(measured.all(axis=1))[:6])
    names = (MODEL, "infliximab-fasanmade-2009")
    covariates = {**chart.covariates, "immunomodulator": np.zeros(6)}
    believed = believing.believe(names, covariates, replace(chart, notes=()), "infliximab")
    for row in range(6):
        one = record(chart, row)
        one = replace(one, covariates={**one.covariates, "female": float(chart.covariates["female"][row])})
        right, wrong = (laplace(library.load(name), one) for name in names)
        assert believed.parts[0][0][row] == pytest.approx(1.0 / (1.0 + math.exp(wrong - right)), abs=1e-4)
    assert sum(weight for weight, _ in believed.parts) == pytest.approx(np.ones(6))


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"knowledge": "infliximab-fasanmade-201"}, "did you mean"),
        ({"knowledge": "righ"}, "did you mean .right."),
        ({"knowledge": [MODEL]}, "name two or more models"),
        ({"knowledge": ["truth", MODEL]}, "name two or more models"),
        ({"probability": 1.5}, "between 0 and 1"),
        ({"target": "7-3 ug/mL"}, "low end"),
        ({"doses": []}, "name at least one"),
    ],
)
def test_what_is_refused(parameters, said):
    with pytest.raises(InputError, match=said):
        make("model-informed", {"target": "3-7 ug/mL", **parameters})


def test_a_model_of_another_drug_is_refused_with_the_scenario():
    with pytest.raises(InputError, match=r"adalimumab-ternant-2015.* is for adalimumab"):
        scenario('knowledge = "adalimumab-ternant-2015"')


@pytest.mark.slow
def test_knowing_more_is_better():
    """Share of visits in the window: truth before right model before wrong one, paired, all of it beyond chance."""
    result = sc.run(sc.Scenario.load("model-informed-dosing"), patients=1000, seed=4)
    to_truth = sc.compare(result, "time_in_window", against="by truth").frame.set_index("arm")
    assert to_truth.loc["by the right model", "high"] < 0.0
    to_right = sc.compare(result, "time_in_window", against="by the right model").frame.set_index("arm")
    assert to_right.loc["by a wrong model", "high"] < 0.0
    assert to_right.loc["unchanged", "high"] < 0.0
