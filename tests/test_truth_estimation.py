"""Estimates against other programs' outputs, read from the shared folder of reference data (skipped without it)."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from reference_models import H, lower, simple, thomson, with_omega

from pkmodel import estimation as est
from pkmodel.diagnostics import cwres
from pkmodel.estimation.design import Plan, compile_plans
from pkmodel.estimation.mapfit import predicted
from pkmodel.record import CovariateCourse, DoseRecord, Level, PatientRecord

TRUTH = Path(__file__).parents[2] / "shared" / "truth"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not TRUTH.is_dir(), reason="no reference data beside the repository"),
]


def reference(name):
    return json.loads((TRUTH / "reference_values.json").read_text())[name]


def levels(pairs, scale=1.0):
    return tuple(Level(day=t * scale, value=float(y)) for t, y in pairs)


def infusion(hour, mg, hours):
    return DoseRecord(day=hour * H, milligrams=float(mg), duration=hours * H)


def rounded(value, printed):
    """Whether ``value`` is ``printed`` to the last digit."""
    digits = len(str(printed).split(".")[1]) if "." in str(printed) else 0
    return abs(value - printed) <= 0.5 * 10.0**-digits + 1e-12


def at_eta(model, record, eta):
    """Beliefs of somebody who knows the etas."""
    estimate = est.fit(model, record)
    z = np.linalg.solve(np.linalg.cholesky(model.omega), np.asarray(eta, float))
    return est.Beliefs(parts=((estimate, z[None, :]),), methods=("known",), effective=(1.0,), shapes=(0.0,))


def test_sequential_forecasts_of_psn_proseval():
    """80 forecasts after 0 to n levels, time-varying covariates (NOCB), against NONMEM through PsN: 1e-4."""
    data = pd.read_csv(TRUTH / "mipdeval_proseval" / "nm_vanco.csv")
    told = pd.read_csv(TRUTH / "mipdeval_proseval" / "psn_proseval_vanco_thomson.csv")
    assert (data.CL_HEMO == 0).all()
    model = thomson()
    compared = 0
    for patient, rows in data.groupby("ID"):
        days = np.unique(rows.TIME) * H
        records = rows.drop_duplicates("TIME")
        doses = tuple(infusion(row.TIME, row.AMT, row.AMT / row.RATE) for row in rows[rows.EVID == 1].itertuples())
        observed = rows[rows.EVID == 0]
        course = {
            name: CovariateCourse(days=tuple(days), values=tuple(records[column]), rule="nocb")
            for name, column in (("weight", "WT"), ("crcl", "CRCL"))
        }
        for used, forecasts in told[patient == told.ID].groupby("OBS"):
            known = levels(zip(observed.TIME[:used], observed.DV[:used], strict=True), H)
            record = PatientRecord(id=str(patient), doses=doses, levels=known, over_time=course)
            estimate = est.fit(model, record)
            b = compile_plans(model, [Plan.of(record).with_future((), days.tolist())])
            ours = predicted(b, np.stack([np.zeros(4), estimate.z]))
            for which, column in enumerate(("PRED", "IPRED")):
                np.testing.assert_allclose(ours[which][1:], forecasts[column].to_numpy()[1:], rtol=1e-4)
            compared += len(forecasts) - 1
    assert compared == len(told) - told.groupby(["ID", "OBS"]).ngroups


def test_individual_parameters_and_residuals_of_nonmem():
    """CL and V of 100 subjects (NONMEM 7.2, printed to five digits from rounded population parameters): 2e-3."""
    data = pd.read_csv(TRUTH / "pkpdmap_nonmem" / "run1_nonmem.csv")
    # the data are in ug/L: S1 = V/1000
    model = simple(CL=7.67 / H, V1=97.7, proportional=0.0, additive=math.sqrt(1.73e4) / 1000)
    model = with_omega(model, ["CL", "V1"], lower([0.0406, 0.0623, 0.117], 2))
    records = []
    for patient, rows in data.groupby("ID"):
        doses = tuple(DoseRecord(day=row.TIME * H, milligrams=row.AMT, duration=0.0)
                      for row in rows[rows.EVID == 1].itertuples())  # fmt: skip
        observed = rows[rows.EVID == 0]
        known = levels(zip(observed.TIME, observed.DV / 1000, strict=True), H)
        records.append(PatientRecord(id=str(patient), doses=doses, levels=known))
    found = est.fit_many(model, records)
    told = data.groupby("ID").first()
    np.testing.assert_allclose(7.67 * np.exp(found.eta[:, 0]), told.CL, rtol=2e-3)
    np.testing.assert_allclose(97.7 * np.exp(found.eta[:, 1]), told.V, rtol=2e-3)
    # of residuals up to 3: the population parameters are printed to three digits
    ours = np.concatenate([cwres(model, one) for one in records])
    np.testing.assert_allclose(ours, data[data.EVID == 0].CWRES, atol=0.01)
    one = est.fit(model, records[0])
    np.testing.assert_allclose(1000 * one.predictions, data[(data.ID == 1) & (data.EVID == 0)].IPRED, rtol=2e-3)


def test_monolix_tobramycin():
    """Monolix parametrises by rates, ke and V with etas, k12 and k21 without: CL, Q and V2 then share V's eta."""
    told = reference("posologyr_map")["tobramycin_monolix"]
    ke = 0.21 * (80 / 67.8) ** 0.89 * (65 / 66.4) ** -1.09
    v = 19.8 * (65 / 66.4) ** 0.8
    a, b = told["omega2"]
    # singular (two etas for four parameters); 1e-10 of private variance makes it factorisable
    omega = np.full((4, 4), b) + np.diag([a, 0.0, 0.0, 0.0]) + 1e-10 * np.eye(4)
    model = simple(CL=ke * v / H, V1=v, Q=told["k12"] * v / H, V2=told["k12"] * v / told["k21"],
                   proportional=told["prop_sd"])  # fmt: skip
    model = with_omega(model, ["CL", "V1", "Q", "V2"], omega)
    record = PatientRecord(id="1", doses=(infusion(0, told["dose"], told["t_inf"]),), levels=levels(told["obs"], H))
    found = est.fit(model, record).parameters
    assert rounded(found["CL"] * H / found["V1"], told["map"]["ke"])
    assert rounded(found["V1"], told["map"]["V"])
    assert found["V1"] == pytest.approx(told["ours"]["V"], abs=5e-5)


def test_vancomycin_of_goti():
    """Residual standard deviations that add."""
    told = reference("posologyr_map")["vancomycin_goti"]
    model = simple(CL=4.5 * (34 / 120) ** 0.8 / H, V1=58.4 * 62 / 70, V2=38.4, Q=6.5 / H, proportional=0.227,
                   additive=3.4, correlation=1.0)  # fmt: skip
    model = with_omega(model, ["CL", "V1", "V2"], np.diag(told["omega2"]))
    doses = tuple(infusion(*dose) for dose in told["doses"])
    found = est.fit(model, PatientRecord(id="1", doses=doses, levels=levels(told["obs"], H))).parameters
    assert rounded(found["CL"] * H, told["map"]["CL"])
    assert rounded(found["V1"], told["map"]["Vc"])
    assert rounded(found["V2"], told["map"]["Vp"])


def test_amikacin_with_full_omega():
    told = reference("posologyr_map")["amikacin_burdet_fullomega"]
    model = simple(CL=4.3 * (50 / 82) ** 0.7 / H, V1=15.9 * (62 / 78) ** 0.9, V2=21.4, Q=12.1 / H, proportional=0.1,
                   additive=0.2)  # fmt: skip
    model = with_omega(model, ["CL", "V1", "V2", "Q"], lower(told["omega_lower"], 4))
    record = PatientRecord(id="1", doses=(infusion(*told["dose"]),), levels=levels(told["obs"], H))
    found = est.fit(model, record).parameters
    for name, theirs, scale in (("CL", "CL", H), ("V1", "Vc", 1), ("V2", "Vp", 1), ("Q", "Q", H)):
        assert rounded(found[name] * scale, told["map"][theirs]), name


def test_piperacillin_with_occasions():
    """CL by occasion. Its lag only shifts the start of a continuous infusion: the doses are shifted instead."""
    told = reference("posologyr_map")["piperacillin_iov"]
    model = simple(CL=17.1 * 92 / 70 / H, V1=7.2, V2=17.8, Q=52 / H, proportional=0.253, additive=3.2,
                   correlation=1.0)  # fmt: skip
    names = ["CL", "V1", "V2", "Q"]
    model = with_omega(model, names, np.diag([told["omega2"][name] for name in names]), iov=told["iov_var"])
    record = PatientRecord(
        id="1",
        doses=tuple(infusion(8 * k + told["lag"], 4000, 8) for k in range(15)),
        levels=levels(told["obs"], H),
        occasions=tuple(hour * H for hour in told["occ_changes_at"]),
    )
    found = est.fit(model, record)
    cl = 17.1 * 92 / 70 * np.exp(found.eta[0] + found.kappa[:, 0])
    for ours, theirs in zip(cl, told["map_CL_by_occ"], strict=True):
        assert rounded(ours, theirs), (cl, told["map_CL_by_occ"])


@pytest.mark.parametrize("blq", [True, False])
def test_m3_of_mapbayr(blq):
    told = reference("mapbayr_M3")
    model = simple(CL=0.2 / H, V1=2.0, Q=0.1 / H, V2=0.5, proportional=math.sqrt(0.1), additive=math.sqrt(0.5))
    model = with_omega(model, ["CL", "V1"], np.diag(told["omega2"]))
    hour = told["fourth_obs"]["time"]
    last = Level(day=hour * H, value=None, lloq=1.0) if blq else Level(day=hour * H, value=1.0)
    dose = infusion(0, told["dose"]["amt"], told["dose"]["amt"] / told["dose"]["rate"])
    found = est.fit(model, PatientRecord(id="1", doses=(dose,), levels=(*levels(told["obs"], H), last)))
    np.testing.assert_allclose(
        found.eta, told["fourth_obs"]["BLQ_LLOQ1_eta" if blq else "DV1_not_BLQ_eta"], atol=told["tol_abs"]
    )


def test_area_under_the_curve():
    told = reference("pkpdsim_auc_analytic")
    p, regimen = told["params"], told["regimen"]
    model = simple(CL=p["CL"] / H, V1=p["V"], Q=p["Q"] / H, V2=p["V2"], proportional=0.1)
    model = with_omega(model, ["CL"], [[0.01]])
    doses = tuple(infusion(regimen["interval"] * k, regimen["amt"], regimen["t_inf"]) for k in range(10))
    known = at_eta(model, PatientRecord(id="1", doses=doses), [0.0])
    found = [float(est.auc(known, 24 * k * H, 24 * (k + 1) * H)[0]) / H for k in range(10)]
    np.testing.assert_allclose(found, told["auc24_per_interval"], atol=told["tol_abs"])


def test_doses_and_intervals_of_posologyr():
    """Doses for a target scale, the model being linear; times and intervals are rounded up to 0.1 h there."""
    from scipy.optimize import brentq

    told = reference("posologyr_dose_optimisation")
    single, multiple, ours = told["single"], told["multiple_q24h_11_doses"], told["ours"]
    model = simple(CL=4.5 * (65 / 120) ** 0.8 / H, V1=58.4, V2=38.4, Q=6.5 / H, proportional=0.1)
    model = with_omega(model, ["CL", "V1", "V2"], np.diag([0.1, 0.1, 0.1]))
    eta = [0.10796221, 0.04643863, 0.06859768]

    def given(doses):
        return at_eta(model, PatientRecord(id="1", doses=tuple(doses)), eta)

    def level(known, hour):
        return float(est.forecast(known, (), [hour * H]).true[0, 0])

    once = given([infusion(0, 1000, 2)])
    dose = 400 * 1000 / (float(est.auc(once, 0.0, 1.0)[0]) / H)
    assert dose == pytest.approx(single["dose_for_AUC0_24_400"], rel=1e-6)
    dose = 11.04931 * 1000 / level(once, 24)
    assert dose == pytest.approx(single["dose_for_C24_11.04931"], rel=1e-6)
    time = float(est.days_until_below(given([infusion(0, 1500, 2)]), 10.0, horizon=1.0)[0]) / H
    assert time == pytest.approx(ours["time"], abs=1e-4)
    assert math.ceil(time * 10) / 10 == single["first_time_C_below_10_after_1500mg_grid0.1"]
    daily = given(infusion(24 * k, 1000, 2) for k in range(11))
    dose = 400 * 1000 / (float(est.auc(daily, 9.0, 10.0)[0]) / H)
    assert dose == pytest.approx(multiple["dose_for_AUC216_240_400"], rel=1e-6)
    continuous = given(infusion(24 * k, 1000, 24) for k in range(11))
    dose = 400 / 24 * 1000 / level(continuous, 237.6)
    assert dose == pytest.approx(multiple["dose_for_C237.6_400/24_with_24h_infusion"], rel=1e-6)

    def trough(hours):
        return level(given(infusion(hours * k, 2000, 2) for k in range(11)), hours * 11 - 1e-9) - 10.0

    interval = brentq(trough, 20, 60, xtol=1e-6)
    assert interval == pytest.approx(ours["interval"], abs=1e-4)
    assert math.ceil(interval * 10) / 10 == multiple["interval_for_trough10_dose2000_11doses_grid0.1"]
