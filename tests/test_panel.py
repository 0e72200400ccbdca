"""The quick road of trials against the careful one."""

from __future__ import annotations

import numpy as np
import pytest

import pkmodel as pk
from pkmodel import estimation as est
from pkmodel.errors import InputError
from pkmodel.estimation.design import Plan, compile_plans
from pkmodel.estimation.panel import Given, follow, foresee
from pkmodel.kernels import estimate as kernel
from pkmodel.record import DoseRecord, Level, PatientRecord

N = 70
DAYS = 7.0 * np.array([0.0, 2.0, 6.0, 14.0, 22.0])


def panel(name, route=None):
    """Patients with a dose at each of DAYS, a level just before each but the first, some below 0.3 mg/L."""
    model = pk.load(name)
    rng = np.random.default_rng(3)
    weight = rng.uniform(50.0, 90.0, N)
    covariates = {key: value for key, value in (("weight", weight), ("albumin", np.full(N, 40.0)))}
    typical = model.typical_parameters(covariates, N)
    given = Given(
        days=np.tile(DAYS, (N, 1)), milligrams=np.outer(5.0 * weight, np.ones(5)), duration=2 / 24, route=route
    )
    days = np.tile(DAYS[1:], (N, 1))
    true = foresee(model, typical, given, days, rng.standard_normal((N, 1, len(model.eta_parameters))))[:, 0]
    levels = true + model.residual.sd(true) * rng.standard_normal(true.shape)
    levels[levels < 0.3] = np.nan
    return model, covariates, typical, given, days, levels


def as_records(covariates, given, days, levels):
    for row in range(N):
        yield PatientRecord(
            id=str(row),
            doses=tuple(
                DoseRecord(day=day, milligrams=mg, duration=given.duration, route=given.route)
                for day, mg in zip(given.days[row].tolist(), given.milligrams[row].tolist(), strict=True)
            ),
            levels=tuple(
                Level(day=day, value=None if np.isnan(y) else y, lloq=0.3, trough=True)
                for day, y in zip(days[row].tolist(), levels[row].tolist(), strict=True)
            ),
            covariates={name: float(values[row]) for name, values in covariates.items()},
        )


def objectives(model, records, z):
    b = compile_plans(model, [Plan.of(record) for record in records])
    work = np.empty(4), np.empty(b.eta_columns.size), np.empty(7)
    return np.array([kernel.objective(b, row, z[row], *work) for row in range(N)])


def test_panel_is_fit_many():
    model, covariates, typical, given, days, levels = panel("infliximab-fasanmade-2011")
    quick = follow(model, typical, given, days, levels, 0.3)
    records = list(as_records(covariates, given, days, levels))
    careful = est.fit_many(model, records)
    assert quick.z.shape == (N, 3 + 4)
    np.testing.assert_allclose(objectives(model, records, quick.z), careful.objective, rtol=0, atol=1e-6)
    np.testing.assert_allclose(quick.z, np.array(careful.z), atol=0.03)
    # Fisher information against the exact Hessian: their mean is equal, single patients differ
    ratio = np.array([np.diag(c) for c in careful.covariance]) / np.einsum("naa->na", quick.covariance)
    assert np.median(ratio) == pytest.approx(1.0, abs=0.1)


def test_subcutaneous_panel():
    model, covariates, typical, given, days, levels = panel("infliximab-hanzel-2021", route="sc")
    quick = follow(model, typical, given, days, levels, 0.3)
    records = list(as_records(covariates, given, days, levels))
    careful = est.fit_many(model, records, starts=1)
    np.testing.assert_allclose(objectives(model, records, quick.z), careful.objective, rtol=0, atol=1e-6)


def test_warm_starts_and_padding():
    """A patient with fewer doses and levels, NaN where there are none, is the patient alone."""
    model, _, typical, given, days, levels = panel("infliximab-wojciechowski-2017")
    days, levels = days.copy(), levels.copy()
    fewer_days, fewer_mg = given.days.copy(), given.milligrams.copy()
    days[0, 2:], levels[0, 2:], fewer_days[0, 3:], fewer_mg[0, 3:] = np.nan, np.nan, np.nan, np.nan
    padded = Given(days=fewer_days, milligrams=fewer_mg, duration=given.duration)
    together = follow(model, typical, padded, days, levels, 0.3)
    alone = follow(
        model, typical[:1], Given(days=fewer_days[:1, :3], milligrams=fewer_mg[:1, :3], duration=given.duration),
        days[:1, :2], levels[:1, :2], 0.3,
    )  # fmt: skip
    assert np.array_equal(together.z[0], alone.z[0])
    again = follow(model, typical, padded, days, levels, 0.3, warm=together.z)
    assert np.abs(again.z - together.z).max() < 0.02


def test_threads_do_not_matter():
    model, _, typical, given, days, levels = panel("infliximab-fasanmade-2011")
    one, two = (follow(model, typical, given, days, levels, 0.3, threads=n) for n in (1, None))
    assert np.array_equal(one.z, two.z)
    assert np.array_equal(one.covariance, two.covariance)
    few = one.z[:, None, :]
    one, two = (foresee(model, typical, given, days, few, threads=n) for n in (1, None))
    assert np.array_equal(one, two)


def test_doses_begin_on_day_zero():
    model, _, typical, given, days, levels = panel("infliximab-fasanmade-2011")
    late = Given(days=given.days + 1.0, milligrams=given.milligrams, duration=0.1)
    with pytest.raises(InputError, match="begins on day 0"):
        follow(model, typical, late, days, levels, 0.3)
