"""Antibody risk and onset of single patients, against the simulator."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import pkmodel as pk
from pkmodel import estimation as est
from pkmodel.covariates import CovariateEffect
from pkmodel.errors import InputError
from pkmodel.estimation.design import Plan
from pkmodel.estimation.engine import begin
from pkmodel.kernels import layout
from pkmodel.record import AntibodyReading, CovariateCourse, DoseRecord, Level, PatientRecord

MODEL = pk.load("infliximab-fasanmade-2011")
LAYER = pk.Immunogenicity.load("infliximab")
ASSAY = pk.load_antibody_assay("anti-lambda")
DOSES = tuple(DoseRecord(day=7.0 * week, milligrams=350.0) for week in (0, 2, 6))
LATER = tuple(DoseRecord(day=7.0 * week, milligrams=350.0) for week in (14, 22, 30, 38, 46))
SAMPLES = np.array([42.0, 98.0, 154.0, 210.0, 266.0])


def record(*, doses=DOSES, **parts):
    return PatientRecord(id="P1", doses=doses, **{"covariates": {"weight": 70.0, "albumin": 41.0}, **parts})


def simulated(count, until, *, samples=None):
    """Many such patients of the layer with their own onset: state at ``until``, and outputs at ``samples``.

    The layer's corrections of clearance are left out: an estimate takes the published typical value and variability.
    """
    layer = LAYER.with_values(clearance_scale=1.0, eta_CL_scale=1.0)
    patients = pk.Patients(
        ids=np.arange(count), covariates={"weight": np.full(count, 70.0), "albumin": np.full(count, 41.0)}
    )  # fmt: skip
    from pkmodel.simulation import regimen_events

    regimen = pk.Regimen.induction("350 mg", weeks=(0, 2, 6, 14, 22, 30, 38, 46))
    state = pk.start(MODEL, patients, pk.Draws(5), immunogenicity=layer)
    events = regimen_events(regimen, MODEL, patients, pk.Draws(5), state.theta, layer)
    into = None if samples is None else np.empty((count, samples.size, 4))
    end = pk.advance(state, events, until=until, times=samples, into=into)
    return end, into


def test_risk_is_the_share_of_the_simulator():
    """From day 98 to 378 among those without antibody at day 98; 3,000 patients, 4 standard errors."""
    onset = simulated(3000, 378.0)[0].values[:, layout.ONSET_TIME]
    free = onset > 98.0
    share = np.mean(onset[free] < 378.0)
    risk = est.antibody_risk(est.fit(MODEL, record()), LAYER, 378.0, doses=LATER, since=98.0, draws=1000)
    assert risk == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) * (1 / free.sum() + 1 / 1000)))


def test_risk_follows_what_drives_it():
    one = est.fit(MODEL, record())
    base = est.antibody_risk(one, LAYER, 378.0, doses=LATER)
    carrier = est.fit(MODEL, record(covariates={"weight": 70.0, "albumin": 41.0, "hla_dqa1_05": 1.0}))
    assert est.antibody_risk(carrier, LAYER, 378.0, doses=LATER) > base
    treated = est.fit(MODEL, record(covariates={"weight": 70.0, "albumin": 41.0, "immunomodulator": 1.0}))
    assert est.antibody_risk(treated, LAYER, 378.0, doses=LATER) < base
    assert est.antibody_risk(one, LAYER, 200.0, doses=LATER) < base
    safe = LAYER.with_values(h0=0.0)
    assert est.antibody_risk(one, safe, 378.0, doses=LATER) == pytest.approx(0.0, abs=1e-12)


def with_onset(day):
    """Levels and titres of a typical patient whose antibodies appear on ``day``, without any error."""
    from dataclasses import replace

    from pkmodel.estimation.design import Plan
    from pkmodel.estimation.engine import begin

    plan = Plan.of(record(doses=(*DOSES, *LATER)))
    state, events = begin(MODEL, plan, np.zeros((1, 3)), LAYER)
    out = np.empty((1, SAMPLES.size, 4))
    state = pk.advance(state, events, until=day, times=SAMPLES, into=out)
    values = state.values.copy()
    values[:, layout.ONSET_TIME], values[:, layout.DRIVE] = day, 1.0
    pk.advance(replace(state, values=values), until=300.0, times=SAMPLES, into=out)
    return out[0]


def as_record(out):
    levels = tuple(
        Level(day=day, value=c if c >= 0.3 else None, lloq=0.3, trough=True)
        for day, c in zip(SAMPLES.tolist(), out[:, 0].tolist(), strict=True)
    )
    readings = tuple(
        AntibodyReading(day=day, positive=s >= ASSAY.cutoff, titre=s if s >= ASSAY.cutoff else None)
        for day, s in zip(SAMPLES.tolist(), out[:, 2].tolist(), strict=True)
    )
    return record(doses=(*DOSES, *LATER), levels=levels, antibody=readings)


def test_onset_is_found():
    found = est.fit_onset(MODEL, as_record(with_onset(130.0)), LAYER, ASSAY, step=28.0)
    assert found.never < 1e-3
    middles = 0.5 * (found.days[1:] + found.days[:-1])
    assert found.probability[np.abs(middles - 130.0) < 42.0].sum() > 0.9
    assert found.production == pytest.approx(LAYER.R_max_median, rel=0.5)


def test_no_onset_is_found_where_there_is_none():
    clean = with_onset(280.0)
    found = est.fit_onset(MODEL, as_record(clean), LAYER, ASSAY, step=28.0)
    assert found.never > 0.8
    assert found.probability.sum() + found.never == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({}, "nothing to learn"),
        ({"levels": (Level(day=20.0, value=9.0),), "covariates": {"ada_positive": 1.0}}, "replaces"),
    ],
)
def test_what_is_refused(parts, said):
    with pytest.raises(InputError, match=said):
        est.fit_onset(MODEL, record(**parts), LAYER, ASSAY)


def test_layers_and_assays_of_other_drugs_are_refused():
    one = record(levels=(Level(day=20.0, value=9.0),))
    with pytest.raises(InputError, match="adalimumab"):
        est.antibody_risk(est.fit(MODEL, one), pk.Immunogenicity.load("adalimumab"), 378.0)
    other = pk.AntibodyAssay(
        name="other", drugs=("adalimumab",), kind="drug-tolerant", cutoff=1.0, drug_limit=1.0, proportional=0.1
    )  # fmt: skip
    with pytest.raises(InputError, match="take one for infliximab"):
        est.fit_onset(MODEL, one, LAYER, other)


@pytest.mark.slow
def test_onset_is_calibrated():
    """Of 40 simulated patients, whether there are antibodies by the last sample: Brier score well below that of the
    base rate; and where there are, the true stretch is among the most probable 90 % in at least 75 % (binomial 1 %)."""
    state, out = simulated(40, 270.0, samples=SAMPLES)
    rng = np.random.default_rng(2)
    onset = state.values[:, layout.ONSET_TIME]
    residual = MODEL.residual
    scores, inside = [], []
    for row in range(40):
        noisy = out[row].copy()
        noisy[:, 0] += residual.sd(noisy[:, 0]) * rng.standard_normal(SAMPLES.size)
        noisy[:, 2] *= np.exp(0.5 * rng.standard_normal(SAMPLES.size))
        found = est.fit_onset(MODEL, as_record(noisy), LAYER, ASSAY, step=28.0)
        has = onset[row] < SAMPLES[-1]
        scores.append((1.0 - found.never - has) ** 2)
        if has:
            order = np.argsort(-found.probability)
            kept = order[: 1 + np.searchsorted(np.cumsum(found.probability[order]) / (1 - found.never), 0.9)]
            cell = int(np.searchsorted(found.days, onset[row])) - 1
            inside.append(cell in kept)
    base = np.mean(onset < SAMPLES[-1])
    print(f"Brier {np.mean(scores):.3f} against {base * (1 - base):.3f}; true stretch inside {np.mean(inside):.0%}")
    assert np.mean(scores) < 0.5 * base * (1 - base)
    assert np.mean(inside) >= 0.75


def test_a_dose_waits_for_the_lag_of_its_own_day():
    effect = CovariateEffect(parameter="LAG", covariate="weight", form="power", coefficient=1.0, reference=70.0)
    model = pk.PopulationModel.simple(CL=0.3, V1=3.0, KA=0.3, LAG=1.0, routes=("sc",))
    model = replace(model, drug=LAYER.drug, effects=(effect,))
    course = CovariateCourse(days=(0.0, 20.0), values=(70.0, 140.0), rule="locf")
    doses = tuple(DoseRecord(day=day, milligrams=40.0) for day in (0.0, 14.0, 28.0))
    plan = Plan.of(PatientRecord(id="P1", doses=doses, over_time={"weight": course}))
    _, events = begin(model, plan, np.zeros((1, 0)), LAYER)
    assert events.of_kind(layout.DEPOT).time.tolist() == [1.0, 15.0, 30.0]
