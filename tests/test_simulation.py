"""``pk.simulate``: what it refuses, and a clearance that changes beside covariates that do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from naive_linear import linear_profile

import pkmodel as pk
from pkmodel.covariates import CovariateEffect
from pkmodel.patients import TimeCourse

THETA = {"CL": 0.3, "V1": 3.0, "Q": 0.2, "V2": 1.5, "KA": 0.0, "F": 1.0, "LAG": 0.0}


def test_every_dose_is_asked_for_its_weight():
    model = pk.PopulationModel.simple(CL=0.3, V1=3.0)
    regimen = pk.Regimen.induction(["300 mg", "5 mg/kg"], weeks=(0, 8))
    with pytest.raises(pk.InputError, match="5 mg/kg needs body weights"):
        pk.simulate(model, pk.Patients.typical(2), regimen, [30.0, 70.0])
    with pytest.raises(pk.InputError, match="5 mg/kg needs body weights"):
        pk.simulate(model, pk.Patients.typical(2), regimen, [30.0])  # the same answer, however far one looks


@pytest.mark.parametrize("rule", ["locf", "nocb"])
def test_a_clearance_change_outlasts_covariate_changes_and_undoes_none(rule):
    """Each patient against matrix exponentials; rounding is that of ``test_kernels_linear``."""
    effect = CovariateEffect(parameter="CL", covariate="albumin", form="power", coefficient=-1.0, reference=40.0)
    model = replace(pk.PopulationModel.simple(CL=0.3, V1=3.0, Q=0.2, V2=1.5), effects=(effect,))
    moments, factors = np.array([60.0, 150.0, 100.0, np.inf, 0.0, 10.0]), np.array([3.0, 0.5, 2.0, 9.0, 2.0, 4.0])
    at, albumin = np.array([0.0, 40.0, 100.0, 130.0]), np.array([[40.0, 35.0, 30.0, 45.0]] * moments.size)
    albumin += np.arange(moments.size)[:, None]
    patients = pk.Patients(
        ids=np.arange(moments.size), over_time={"albumin": TimeCourse(times=at, values=albumin, rule=rule)}
    )
    days = np.arange(7.0, 210.0, 7.0) + 0.5
    change = pk.ClearanceChange(time=moments, factor=factors)
    regimen = pk.Regimen.induction("300 mg", weeks=(0, 2, 6, 14, 22), infusion="bolus")
    ours = pk.simulate(model, patients, regimen, days, clearance_change=change).concentration.values
    for row, (moment, factor) in enumerate(zip(moments, factors, strict=True)):

        def clearance(day, row=row, moment=moment, factor=factor):
            record = np.sum(at <= day) - (rule == "locf")
            return 0.3 * 40.0 / albumin[row, min(record, at.size - 1)] * (factor if day >= moment else 1.0)

        turns = sorted({*at[1:], *([moment] if np.isfinite(moment) else [])})
        events = [(day, "parameters", {"CL": clearance(day)}) for day in turns]
        events += [(dose.time, "bolus", 300.0) for dose in regimen.doses]
        expected = linear_profile(THETA | {"CL": clearance(0.0)}, events, days)["C"]
        np.testing.assert_allclose(ours[row], expected, rtol=1e-10)


def test_a_carrier_is_0_or_1():
    assert len(pk.Patients.typical(2, hla_dqa1_05=1)) == 2
    with pytest.raises(pk.InputError, match=r"hla_dqa1_05.*first: patient 0, 7.* is 0 or 1"):
        pk.Patients.typical(2, hla_dqa1_05=7)
    with pytest.raises(pk.InputError, match=r"hla_dqa1_05.* is 0 or 1"):
        pk.Patients(
            ids=np.arange(1),
            over_time={"hla_dqa1_05": TimeCourse(times=np.array([0.0]), values=np.array([[0.5]]))},
        )
