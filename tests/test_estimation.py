"""Estimates of single patients: optima, uncertainty, words of caution."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

import pkmodel as pk
from pkmodel import estimation as est
from pkmodel.errors import InputError, PkWarning
from pkmodel.estimation.design import Plan, compile_plans
from pkmodel.estimation.mapfit import fit_compiled
from pkmodel.kernels import estimate as kernel
from pkmodel.record import CovariateCourse, DoseRecord, Level, PatientRecord
from pkmodel.variability import ResidualError
from validation import measured_patients

WEEKLY = tuple(DoseRecord(day=7.0 * week, milligrams=350.0) for week in (0, 2, 6, 14))
MODEL = pk.load("infliximab-fasanmade-2011")


def record(*levels, doses=WEEKLY, **parts):
    return PatientRecord(**{"id": "P1", "doses": doses, "levels": levels,
                            "covariates": {"weight": 70.0, "albumin": 41.0}, **parts})  # fmt: skip


def trough(day, value, lloq=None):
    return Level(day=day, value=value, lloq=lloq, trough=True)


def best_of_scipy(b, patient, starts=4, seed=1):
    """The lowest objective that BFGS finds from the prior mode and from random points."""
    first, last = b.z_offsets[patient : patient + 2]
    d, levels = int(last - first), int(b.level_offsets[patient + 1] - b.level_offsets[patient])
    work = np.empty(levels), np.empty(b.eta_columns.size), np.empty(7)
    rng = np.random.default_rng(seed)
    points = [np.zeros(d), *(1.5 * rng.standard_normal((starts - 1, d)))]
    with np.errstate(invalid="ignore"):
        return min(minimize(lambda z: kernel.objective(b, patient, z, *work), p, method="BFGS").fun for p in points)


def simulated(name, count, weeks=(6, 14, 22, 30), lloq=0.3):
    model = pk.load(name)
    study = measured_patients.Study(weeks=weeks, lloq=lloq)
    plans = [Plan.of(one.record) for one in measured_patients.patients(study, count, model=model)]
    return model, compile_plans(model, plans)


@pytest.mark.parametrize("name", ["infliximab-fasanmade-2011", "infliximab-wojciechowski-2017"])
def test_scipy_finds_nothing_better(name):
    model, b = simulated(name, 40)
    found = fit_compiled(model, b).objective
    best = np.array([best_of_scipy(b, patient) for patient in range(40)])
    assert (found <= best + 1e-6).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["infliximab-fasanmade-2011", "infliximab-wojciechowski-2017"])
def test_scipy_finds_nothing_better_in_ten_thousand(name):
    """The issue's figure: within 1e-6 of the best for 99.9 %. Wojciechowski 2017 has two minima in 3 % of patients and
    a third in 0.3 %; BFGS is given as many starting points as ours."""
    model, b = simulated(name, 10_000)
    found = fit_compiled(model, b).objective
    best = np.array([best_of_scipy(b, patient, starts=7) for patient in range(10_000)])
    assert (found > best + 1e-6).sum() <= 10


@pytest.mark.slow
def test_speed():
    """Ten thousand first visits with four levels in 5 s on one core; a visit that starts from the last, 0.1 ms.

    The later visit has two more levels and starts from what was known before them. Processor time of this process, so
    that company on the machine does not count. Without between-occasion effects: each occasion adds a random effect.
    """
    model = pk.load("infliximab-wojciechowski-2017")
    study = measured_patients.Study(weeks=(6, 14, 22, 30))
    records = [one.record for one in measured_patients.patients(study, 10_000, model=model)]
    est.fit_many(model, records[:2], threads=1)
    begin = time.process_time()
    est.fit_many(model, records, threads=1)
    first = time.process_time() - begin
    earlier = est.fit_many(model, [one.until(7.0 * 22) for one in records], threads=1)
    b = compile_plans(model, [Plan.of(one) for one in records])
    begin = time.process_time()
    fit_compiled(model, b, starts=1, warm=earlier.z, threads=1)
    later = (time.process_time() - begin) / len(records)
    print(f"10,000 first visits {first:.2f} s, records compiled; a later visit {1e3 * later:.3f} ms")
    assert first < 5.0
    assert later < 1e-4


def test_laplace_is_exact_where_all_is_linear():
    """One eta so small that the level is linear in it: the normal posterior of a textbook."""
    sd = 1e-4
    model = pk.PopulationModel.simple(CL=0.3, V1=3.0, omega={"V1": sd}, residual=ResidualError(additive=2.0))
    one = est.fit(model, record(Level(day=1.0, value=100.0), covariates={}))
    f = one.predictions[0]
    # d ln f / d eta of V1 after a short infusion: about -1 + CL t/V1; by differences of the model itself
    h = 1e-6
    ends = [est.fit(model.with_values(V1=3.0 * math.exp(s * h)), record(Level(day=1.0, value=100.0), covariates={}))
            for s in (1, -1)]  # fmt: skip
    slope = (ends[0].predictions[0] - ends[1].predictions[0]) / (2 * h)
    precision = 1.0 / sd**2 + slope**2 / 4.0
    assert one.eta_covariance[0, 0] == pytest.approx(1.0 / precision, rel=1e-4)
    assert one.eta[0] == pytest.approx(slope * (100.0 - (f - slope * one.eta[0])) / 4.0 / precision, rel=1e-3)


def test_marginal_likelihood_by_quadrature():
    """ln p(levels) of one eta against a sum over a fine grid; with precise levels the posterior is nearly normal, and
    Laplace's approximation good to 1 %."""
    model = pk.PopulationModel.simple(CL=0.3, V1=3.0, omega={"CL": 0.3}, residual=ResidualError(proportional=0.05))
    one = record(Level(day=20.0, value=40.0), Level(day=100.0, value=20.0), covariates={})
    b = compile_plans(model, [Plan.of(one)])
    work = np.empty(2), np.empty(1), np.empty(7)
    z = np.linspace(-6, 6, 4001)
    s = np.array([kernel.objective(b, 0, np.array([x]), *work) for x in z])
    # z'z in S and the prior's constant make the standard normal density; each level brings its own ln 2 pi
    density = np.exp(-0.5 * s) / (2 * math.pi) ** 1.5
    assert est.fit(model, one).log_marginal == pytest.approx(math.log(np.trapezoid(density, z)), abs=0.01)


def test_no_levels_is_the_population_and_says_so():
    nothing = est.fit(MODEL, record())
    assert nothing.objective == 0.0
    assert nothing.shrinkage == pytest.approx(dict.fromkeys(("CL", "V1", "V2"), 1.0))
    assert "no levels" in nothing.warnings[0]
    typical = MODEL.typical_parameters({"weight": np.array([70.0]), "albumin": np.array([41.0])}, 1)[0]
    assert nothing.parameters["CL"] == pytest.approx(typical[0])


def test_levels_that_contradict_the_model():
    absurd = est.fit(MODEL, record(trough(98.0, 80.0)))
    assert absurd.check["prior"] < 0.01
    assert any("contradict" in words for words in absurd.warnings)
    plain = est.fit(MODEL, record(trough(98.0, 1.5)))
    assert plain.check["prior"] > 0.1
    assert not any("contradict" in words for words in plain.warnings)


def test_levels_that_contradict_each_other():
    """Two levels of the same day that no curve can pass."""
    model = replace(MODEL, residual=ResidualError(proportional=0.05))
    torn = est.fit(model, record(Level(day=30.0, value=30.0), Level(day=30.01, value=3.0)))
    assert torn.check["posterior"] < 0.01
    assert any("something changed between them" in words for words in torn.warnings)


def test_prior_check_is_uniform_under_the_model():
    """P values of simulated patients (KS at n = 300: 0.09); chi-square exactly only if all were linear."""
    study = measured_patients.Study(weeks=(6, 14), lloq=1e-9)
    p = [est.fit(MODEL, one.record).check["prior"] for one in measured_patients.patients(study, 300, model=MODEL)]
    grid = np.sort(p)
    assert np.abs(grid - (np.arange(300) + 0.5) / 300).max() < 0.12


def test_an_answer_that_is_only_the_prior():
    """A level below a high limit says hardly anything."""
    vague = est.fit(MODEL, record(trough(98.0, None, lloq=60.0)))
    assert min(vague.shrinkage.values()) > 0.99
    assert any("the answer is the prior" in words for words in vague.warnings)


def test_two_modes_get_a_word():
    model, b = simulated("infliximab-wojciechowski-2017", 400)
    study = measured_patients.Study(weeks=(6, 14, 22, 30))
    found = fit_compiled(model, b)
    spread = np.ptp(found.start_objectives, axis=0)
    candidates = np.flatnonzero((spread > 0.01) & (spread < 1.9))
    assert candidates.size > 0
    records = [one.record for one in measured_patients.patients(study, 400, model=model)]
    one = est.fit(model, records[int(candidates[0])])
    assert len(one.modes) > 1
    assert any("two answers" in words for words in one.warnings)


def test_warm_start_is_the_same_answer():
    early, late = record(trough(98.0, 1.5)), record(trough(98.0, 1.5), Level(day=120.0, value=9.0))
    known = est.fit(MODEL, early)
    warm, cold = est.fit(MODEL, late, starts=1, warm=known.z), est.fit(MODEL, late)
    np.testing.assert_allclose(warm.z, cold.z, atol=1e-5)


def test_linear_covariates_follow_the_line():
    """Albumin on a straight line against a hundred steps of its own."""
    line = CovariateCourse(days=(0.0, 98.0), values=(30.0, 50.0), rule="linear")
    fine = np.linspace(0.0, 98.0, 393)
    steps = CovariateCourse(
        days=tuple(fine[:-1]), values=tuple(30.0 + 20.0 * (fine[:-1] + 0.125) / 98.0), rule="locf"
    )  # fmt: skip
    one, other = (
        est.fit(MODEL, record(trough(98.0, 1.5), over_time={"albumin": course})).predictions for course in (line, steps)
    )
    np.testing.assert_allclose(one, other, rtol=2e-5)


def test_antibody_status_that_flips():
    """An observed status moves clearance from its day on (published factor 1.292)."""
    flips = CovariateCourse(days=(0.0, 42.0), values=(0.0, 1.0), rule="locf")
    one = est.fit(MODEL, record(trough(98.0, 1.5), over_time={"ada_positive": flips}))
    never = est.fit(MODEL, record(trough(98.0, 1.5)))
    assert one.eta[0] < never.eta[0]
    assert one.parameters["CL"] / never.parameters["CL"] > 1.1


@pytest.mark.parametrize(
    ("model", "parts", "said"),
    [
        (MODEL, {"covariates": {"albumin": 41.0}}, "weight"),
        (MODEL, {"covariates": {"weight": 70.0, "albumin": 4.1}}, "albumin"),
        (replace(MODEL, residual=ResidualError()), {}, "no residual error"),
        (pk.PopulationModel.simple(CL=1.0, V1=1.0, residual=ResidualError(additive=1.0)), {}, "no variability"),
        (MODEL, {"doses": (DoseRecord(day=0.0, milligrams=1.0, route="sc"),)}, "route 'sc'"),
    ],
)
def test_what_is_refused(model, parts, said):
    with pytest.raises(InputError, match=said):
        est.fit(model, record(trough(98.0, 1.5), **parts))


def test_average_weighs_models_by_their_marginal_likelihood():
    models = [MODEL, pk.load("infliximab-wojciechowski-2017")]
    found = est.average(models, record(trough(98.0, 1.5)))
    logs = [one.log_marginal for one in found.estimates]
    assert found.weights[0] / found.weights[1] == pytest.approx(math.exp(logs[0] - logs[1]))
    assert sum(found.weights) == pytest.approx(1.0)
    assert any("would use" in words for words in found.warnings)
    alike = est.average([MODEL, replace(MODEL, name="its-twin")], record(trough(98.0, 1.5)))
    assert alike.weights == pytest.approx((0.5, 0.5))


@pytest.mark.parametrize(
    ("models", "said"),
    [
        ([MODEL], "two or more"),
        ([MODEL, MODEL], "two or more"),
        ([MODEL, pk.load("adalimumab-ternant-2015")], "one drug"),
        (
            [MODEL, replace(MODEL, name="in-g-per-dL", reference={"weight": 65.0}, effects=tuple(
                replace(effect, reference=4.1) if effect.covariate == "albumin" else effect for effect in MODEL.effects
            ))],
            "not the same unit",
        ),
    ],
)  # fmt: skip
def test_averages_that_are_refused(models, said):
    with pytest.raises(InputError, match=said):
        est.average(models, record(trough(98.0, 1.5)))


def test_residual_correlation_is_checked():
    with pytest.raises(InputError, match="correlation"):
        ResidualError(correlation=1.5)
    assert ResidualError(proportional=0.2, additive=1.0, correlation=1.0).sd(np.array([5.0]))[0] == pytest.approx(2.0)


def test_defaults_of_covariates_are_said_aloud():
    effects = tuple(replace(one, default=40.0) if one.covariate == "albumin" else one for one in MODEL.effects)
    with pytest.warns(PkWarning, match="is taken at"):
        est.fit(replace(MODEL, effects=effects), record(trough(98.0, 1.5), covariates={"weight": 70.0}))
