"""What every policy owes: shapes, no tampering, no order of patients, no peeping, a ledger that replays."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import ClassVar

import numpy as np
import pytest
from clinic_trial import CLINIC, PARAMETERS, trial

import scenarios as sc
from pkmodel.kernels import layout as at
from scenarios import policies
from scenarios.arm import ArmRun
from scenarios.chart import Chart
from scenarios.cohorts import Cohort
from scenarios.decisions import VOCABULARY
from scenarios.ledger import COLUMNS, Ledger, read_csv
from scenarios.ledger_replay import replay
from scenarios.setting import Setting
from scenarios.visit import Orders, Visit

N, SEED = 160, 5

NAMES = policies.names()


class Recorder:
    """Takes down what the policy inside was shown and what it ordered."""

    def __init__(self, policy):
        self.policy, self.shown, self.ordered = policy, [], []
        self.needs_levels = policy.needs_levels
        self.levels_at_symptoms = getattr(policy, "levels_at_symptoms", None)
        self.primary_nonresponse = getattr(policy, "primary_nonresponse", True)
        self.immunomodulator = getattr(policy, "immunomodulator", "thiopurine")
        self.needs_chart, self.oracle = getattr(policy, "needs_chart", False), getattr(policy, "oracle", False)

    def __call__(self, visit):
        orders = self.policy(visit)
        self.shown.append(visit)
        self.ordered.append(orders)
        return orders


def go(name, clinic=CLINIC, patients=None, ledger=None, watch=None):
    scenario = trial(name, clinic)
    setting = Setting.of(scenario, SEED, 1)
    patients = Cohort.load("adult-crohn").sample(N, seed=SEED) if patients is None else patients
    recorder = Recorder(scenario.arms[0].policy)
    arm = replace(scenario.arms[0], policy=recorder)
    pages = None if ledger is None else ledger.pages(name)
    run = ArmRun(setting, arm, patients).carry_through(True, watch, pages)
    return run, recorder


@pytest.fixture(scope="module")
def runs():
    return {name: go(name) for name in NAMES}


def arrays(thing):
    """Arrays of a visit or of orders by name, those of the chart and the notes too; the first axis is the patient."""
    found = {}
    for f in fields(thing):
        value = getattr(thing, f.name)
        if isinstance(value, np.ndarray):
            found[f.name] = value
        elif isinstance(value, Chart):
            found |= {f"chart.{name}": one for name, one in arrays(value).items()}
        elif f.name == "covariates":
            found |= {f"covariate {name}": one for name, one in value.items()}
        elif f.name == "notes" and value is not None:
            found |= {f"note {number}": one for number, one in enumerate(value)}
    return found


def permuted(visit, order):
    own = {f.name: v[order] for f in fields(visit) if isinstance(v := getattr(visit, f.name), np.ndarray)}
    return replace(visit, **own, chart=None if visit.chart is None else visit.chart.take(order))


def test_a_policy_file_holds_one_policy_of_its_name():
    assert sorted({*PARAMETERS, "fixed", "proportional", "stepwise"}) == NAMES
    for name in NAMES:
        assert policies.policy_class(name).__module__.endswith(name.replace("-", "_"))


@pytest.mark.parametrize("name", NAMES)
def test_shapes_and_numbers(runs, name):
    for visit, orders in zip(runs[name][1].shown, runs[name][1].ordered, strict=True):
        for key, values in {**arrays(visit), **arrays(orders)}.items():
            assert values.shape[0] == N, key
            assert values.ndim == 1 or key.startswith(("chart.", "note ")), key
        assert orders.give.dtype == bool
        for values in (orders.amount, orders.dose):
            assert np.isfinite(values).all()
            assert (values >= 0.0).all()
        assert (orders.interval > 0.0).all()
        assert not np.isnan(orders.interval).any()
        if orders.reason is not None:
            assert (orders.reason >= 0).all()
            assert (orders.reason < len(orders.reasons)).all()
        if orders.switch_to is not None:
            assert (orders.switch_to < len(visit.drugs)).all()
            assert not (orders.switch_to == visit.drug).any()


@pytest.mark.parametrize("name", NAMES)
def test_inputs_are_not_changed_and_the_answer_is_the_same_again(runs, name):
    recorder = runs[name][1]
    for visit, orders in zip(recorder.shown, recorder.ordered, strict=True):
        before = {key: values.copy() for key, values in arrays(visit).items()}
        again = recorder.policy(visit)
        for key, values in arrays(visit).items():
            assert np.array_equal(before[key], values, equal_nan=values.dtype.kind == "f")
        for key, values in arrays(again).items():
            assert np.array_equal(values, arrays(orders)[key]), key


@pytest.mark.parametrize("name", NAMES)
def test_a_permuted_cohort_gives_permuted_orders(runs, name):
    order = np.random.default_rng(1).permutation(N)
    recorder = runs[name][1]
    for visit, orders in zip(recorder.shown, recorder.ordered, strict=True):
        mixed = permuted(visit, order)
        for key, values in arrays(recorder.policy(mixed)).items():
            assert np.array_equal(values, arrays(orders)[key][order]), key


@pytest.mark.parametrize("name", NAMES)
def test_a_permuted_cohort_gives_a_permuted_trial(runs, name):
    order = np.random.default_rng(2).permutation(N)
    mixed, _ = go(name, patients=runs[name][0].patients.take(order))
    for one, other in zip(runs[name][0].therapies, mixed.therapies, strict=True):
        assert np.array_equal(one.state.values[order], other.state.values, equal_nan=True)
    assert np.array_equal(np.array(runs[name][0].free)[:, order], np.array(mixed.free))
    assert np.array_equal(runs[name][0].plan.total[order], mixed.plan.total)


class Blindfolded:
    """While the policy inside thinks, every state, parameter and true concentration of its arm is NaN."""

    def __init__(self, policy):
        self.policy, self.run = policy, None
        self.needs_levels = policy.needs_levels
        self.levels_at_symptoms = getattr(policy, "levels_at_symptoms", None)
        self.primary_nonresponse = getattr(policy, "primary_nonresponse", True)
        self.immunomodulator = getattr(policy, "immunomodulator", "thiopurine")
        self.needs_chart = getattr(policy, "needs_chart", False)  # but not the oracle's door

    def __call__(self, visit):
        hidden = [getattr(one.state, name) for one in self.run.therapies for name in ("values", "theta", "subject")]
        disease = self.run.disease
        hidden += [disease.first_loss, disease.judge_on, disease.began, *disease.lags]
        kept = [array.copy() for array in hidden]
        for array in hidden:
            array[:] = np.nan
        orders = self.policy(visit)
        for array, before in zip(hidden, kept, strict=True):
            array[:] = before
        return orders


@pytest.mark.parametrize("name", NAMES)
def test_hidden_truth_changes_no_decision(runs, name):
    plain = runs[name][0]
    blind = Blindfolded(runs[name][1].policy)
    run = ArmRun(plain.setting, replace(plain.arm, policy=blind), plain.patients)
    blind.run = run
    run.carry_through(True)
    for one, other in zip(plain.therapies, run.therapies, strict=True):
        assert np.array_equal(one.state.values, other.state.values, equal_nan=True)
    assert np.array_equal(np.array(plain.free), np.array(run.free))
    assert np.array_equal(plain.plan.total, run.plan.total)
    assert np.array_equal(plain.plan.changes, run.plan.changes)


def test_a_visit_holds_no_truth(runs):
    """No array of a visit shares memory with a state or a plan, and none equals a hidden column."""
    for name in NAMES:
        run, recorder = runs[name]
        assert all(visit.truth is None for visit in recorder.shown)
        last = arrays(recorder.shown[-1])
        hidden = [therapy.state.values for therapy in run.therapies] + [
            therapy.state.theta for therapy in run.therapies
        ]
        hidden += [value for value in vars(run.plan).values() if isinstance(value, np.ndarray)]
        for key, values in last.items():
            assert not any(np.shares_memory(values, other) for other in hidden), key
        charts = run.charts and [run.charts.doses.days, run.charts.doses.values, run.charts.results.values]
        for key, values in last.items():
            assert not any(np.shares_memory(values, other) for other in charts or ()), key
        for key in ("level", "titre"):
            truth = [run.therapies[0].state.values[:, column] for column in range(at.N_STATE)]
            assert not any(np.array_equal(last[key], column) for column in truth)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("clinic", ["", CLINIC])
def test_the_ledger_replays_bit_for_bit(name, clinic, tmp_path):
    ledger = Ledger()
    antibody = []
    run, _ = go(
        name,
        clinic,
        ledger=ledger,
        watch=lambda run, *_: antibody.append([one.state.antibody_total() for one in run.therapies]),
    )
    ledger.write_csv(tmp_path / "ledger.csv")
    rows = read_csv(tmp_path / "ledger.csv")
    assert rows == ledger.rows()
    again = replay(rows, run.setting, run.arm, run.patients)
    assert np.array_equal(again.free_drug[0], np.array(run.free))
    assert np.array_equal(again.antibody, np.swapaxes(np.array(antibody), 0, 1))
    ours = [column for column in range(at.N_STATE) if column not in (at.LOSS_TIME, at.LOSS_TARGET)]
    for one, other in zip(run.therapies, again.states, strict=True):
        assert np.array_equal(one.state.values[:, ours], other.values[:, ours], equal_nan=True)


def test_something_happens_in_these_trials(runs):
    """Every word of the vocabulary occurs, or these tests prove little."""
    said = set()
    for name in NAMES:
        ledger = Ledger()
        go(name, ledger=ledger)
        rows = ledger.rows()
        assert tuple(rows[0]) == COLUMNS
        said |= {word for row in rows for word in row["decision"].split("+")}
        for row in rows:
            assert "{" not in row["reason"]
            assert row["reason"] != "the policy gives no reason", row
    expected = {*VOCABULARY, "continue"} - {"stop", "dose-withheld"}
    assert said == expected, said ^ expected


class NoOp:
    """As planned, in a policy of its own."""

    needs_levels: ClassVar[bool] = True

    def __call__(self, visit: Visit) -> Orders:
        return visit.as_planned()


def test_a_policy_that_orders_nothing_equals_the_open_loop():
    scenario = trial("fixed")
    arm = replace(scenario.arms[0], adherence=None)
    setting = Setting.of(scenario, SEED, 1)
    patients = Cohort.load("adult-crohn").sample(N, seed=SEED)
    fixed = ArmRun(setting, arm, patients).carry_through(True)
    noop = ArmRun(setting, replace(arm, policy=NoOp()), patients).carry_through(True)
    assert np.array_equal(fixed.state.values, noop.state.values, equal_nan=True)
    assert np.array_equal(np.array(fixed.free), np.array(noop.free))


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"fixed"}))
def test_arms_agree_until_they_part(name):
    """Up to a patient's first decision of the policy, the arm is the fixed one to the last bit."""
    plain = trial("fixed")
    ledger = Ledger()
    both = replace(plain, arms=(plain.arms[0], replace(trial(name).arms[0], name="other")))
    result = sc.run(both, patients=N, seed=SEED, keep="trajectories", ledger=ledger)
    first = np.full(N, np.inf)
    for row in ledger.rows(arm="other"):
        if row["decision"] not in ("continue", "dose-missed", "dose-late"):
            first[row["patient"]] = min(first[row["patient"]], row["day"])
    assert np.isfinite(first).any()
    before = result.time.values[None, :] <= first[:, None]
    fixed, other = (result.concentration.sel(arm=one).values for one in ("fixed", "other"))
    assert np.array_equal(fixed[before], other[before])
    assert not np.array_equal(fixed, other)
