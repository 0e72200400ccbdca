"""The same patients on another drug: what goes on and what begins anew."""

from __future__ import annotations

import math
from dataclasses import replace

import naive
import numpy as np
import pytest

import pkmodel as pk
from pkmodel.cotherapy import strength_events
from pkmodel.doses import dose_events, regimen_events
from pkmodel.draws import Stream
from pkmodel.kernels import layout as at
from pkmodel.switching import eta_index

N = 400
DRAWS = pk.Draws(5)


@pytest.fixture(scope="module")
def patients():
    rng = np.random.default_rng(2)
    columns = {"weight": rng.uniform(50, 100, N), "albumin": rng.uniform(32, 46, N), "asian": np.zeros(N)}
    columns |= {"crohns_disease": np.ones(N), "hla_dqa1_05": (rng.random(N) < 0.4).astype(float)}
    return pk.Patients.from_arrays(columns)


@pytest.fixture(scope="module")
def on_infliximab(patients):
    """Half a year on infliximab, responders at risk, some of them with a loss."""
    model, layer = pk.load("infliximab-fasanmade-2011"), pk.Immunogenicity.load("infliximab")
    response = pk.Response.load("infliximab").with_values(lambda_pk=0.05)
    state = pk.start(model, patients, DRAWS, immunogenicity=layer, response=response)
    regimen = pk.Regimen.induction("5 mg/kg").then(pk.Regimen.every("8 weeks", dose="5 mg/kg", until="26 weeks"))
    therapy = strength_events("thiopurine", np.arange(N), patients.ids, DRAWS, layer, start=100.0, until=170.0)
    events = [regimen_events(regimen, model, patients, DRAWS, state.theta, layer), therapy]
    state = pk.advance(state, pk.Events.merge(events), until=98.0)
    responds = response.responds(state.values[:, at.EFFECT], patients.ids, DRAWS)
    patience = DRAWS.exponential(Stream.LOSS, patients.ids)[:, 0]
    state.values[:, at.LOSS_TARGET] = np.where(responds, state.values[:, at.LOSS_HAZARD] + patience, math.inf)
    return pk.advance(state, until=175.0)


@pytest.fixture(scope="module")
def on_adalimumab(on_infliximab, patients):
    return pk.switch(
        on_infliximab, patients, DRAWS, to=pk.load("adalimumab-ternant-2015"),
        immunogenicity=pk.Immunogenicity.load("adalimumab"), response=pk.Response.load("adalimumab"),
    )  # fmt: skip


def test_neither_drug_nor_antibody_comes_along(on_infliximab, on_adalimumab):
    assert on_adalimumab.time == 175.0
    assert (on_infliximab.antibody_total() > 0).any()
    nothing = [
        at.A_DEPOT,
        at.A_CENTRAL,
        at.A_PERIPHERAL,
        at.A_ANTIBODY,
        at.PRODUCTION,
        at.DRIVE,
        at.ONSET_HAZARD,
        at.RATE,
    ]
    assert (on_adalimumab.values[:, nothing] == 0).all()
    assert np.isinf(on_adalimumab.values[:, at.ONSET_TIME]).all()
    assert (on_adalimumab.values[:, at.MEMORY] == 1).all()


def test_the_old_drug_goes_on_as_if_nothing_had_happened(on_infliximab, patients):
    before = on_infliximab.values.copy()
    after = pk.advance(on_infliximab, until=250.0)
    new = pk.switch(on_infliximab, patients, DRAWS, to=pk.load("vedolizumab-okamoto-2021"))
    pk.advance(new, until=200.0)
    assert np.array_equal(on_infliximab.values, before)
    assert np.array_equal(pk.advance(on_infliximab, until=250.0).values, after.values)


def test_who_returns_meets_the_antibodies_and_their_memory(on_infliximab):
    """Back on infliximab after a year: whoever was positive remembers, nobody else does."""
    positive = np.isfinite(on_infliximab.values[:, at.ONSET_TIME])
    washed = pk.advance(on_infliximab, until=540.0)
    positive |= np.isfinite(washed.values[:, at.ONSET_TIME])
    again = dose_events(np.arange(N), 540.0, np.full(N, 350.0), route="iv", duration=2 / 24, theta=washed.theta)
    state = pk.advance(washed, again, until=541.0)
    remembers = state.values[:, at.MEMORY] < 1.0
    assert remembers.sum() > 20
    assert not (remembers & ~positive).any()


def test_susceptibility_is_the_patient_s_and_the_onset_the_drug_s(on_infliximab, on_adalimumab, patients):
    """Threshold times frailty and HLA is a unit exponential of the drug's own; the parameters of frailty agree here."""
    normal = DRAWS.normal(Stream.IMMUNE, patients.ids, 2, first=1)
    exponentials = []
    for state, drug in ((on_infliximab, "infliximab"), (on_adalimumab, "adalimumab")):
        layer = pk.Immunogenicity.load(drug)
        hla = np.where(patients.covariates["hla_dqa1_05"] > 0.5, layer.hla_factor, 1.0)
        exponentials.append(state.subject[:, at.ONSET_THRESHOLD] * np.exp(layer.frailty_sd * normal[:, 0]) * hla)
        production = layer.R_max_median * np.exp(layer.R_max_sd * normal[:, 1])
        np.testing.assert_allclose(state.subject[:, at.R_MAX], production, rtol=1e-14)
    for found in exponentials:  # mean of a unit exponential, four standard errors
        assert found.mean() == pytest.approx(1.0, abs=4 / math.sqrt(N))
    assert abs(np.corrcoef(np.log(exponentials))[0, 1]) < 4 / math.sqrt(N)


def test_random_effects_are_the_drug_s_own(on_infliximab, on_adalimumab, patients):
    model = pk.load("adalimumab-ternant-2015")
    typical = model.typical_parameters(patients.covariates, N)
    etas = np.log(on_adalimumab.theta[:, :2] / typical[:, :2])
    etas[:, 0] -= math.log(pk.Immunogenicity.load("adalimumab").clearance_scale)
    assert etas.std(axis=0) == pytest.approx([0.65, 0.48], rel=4 / math.sqrt(2 * N))
    first = pk.load("infliximab-fasanmade-2011")
    others = np.log(on_infliximab.theta[:, :2] / first.typical_parameters(patients.covariates, N)[:, :2])
    correlation = np.corrcoef(np.hstack([etas, others]).T)[:2, 2:]
    assert np.abs(correlation).max() < 4 / math.sqrt(N)
    indices = [eta_index(drug) for drug in ("infliximab", "adalimumab", "vedolizumab", "ustekinumab", "golimumab")]
    assert min(abs(a - b) for a in indices for b in (0, *indices) if a != b) >= 16


def test_neither_day_nor_company_changes_who_a_patient_is(on_infliximab, on_adalimumab, patients):
    model = pk.load("adalimumab-ternant-2015")
    earlier = pk.start(pk.load("infliximab-fasanmade-2011"), patients, DRAWS)
    layer = pk.Immunogenicity.load("adalimumab")
    response = pk.Response.load("adalimumab")
    other_day = pk.switch(earlier, patients, DRAWS, to=model, immunogenicity=layer, response=response)
    assert np.array_equal(other_day.theta, on_adalimumab.theta)
    assert np.array_equal(other_day.subject, on_adalimumab.subject)
    few = patients.take(slice(7, 20))
    alone = pk.start(pk.load("infliximab-fasanmade-2011"), few, DRAWS)
    alone = pk.switch(alone, few, DRAWS, to=model, immunogenicity=layer, response=response)
    assert np.array_equal(alone.theta, on_adalimumab.theta[7:20])


def test_effect_response_and_patience_go_on(on_infliximab, on_adalimumab):
    old, new = on_infliximab.values, on_adalimumab.values
    assert np.array_equal(new[:, at.EFFECT], old[:, at.EFFECT])
    # who needs more than others of one drug needs more of the next
    need = [state.subject[:, at.LOG_EC50] for state in (on_infliximab, on_adalimumab)]
    np.testing.assert_allclose(need[1] - need[0], (need[1] - need[0])[0], rtol=1e-12)
    lost = np.isfinite(old[:, at.LOSS_TIME])
    responding = np.isfinite(old[:, at.LOSS_TARGET]) & ~lost
    assert lost.sum() > 20
    assert responding.sum() > 20
    left = old[:, at.LOSS_TARGET] - old[:, at.LOSS_HAZARD]
    assert np.array_equal((new[:, at.LOSS_TARGET] - new[:, at.LOSS_HAZARD])[responding], left[responding])
    assert np.isinf(new[~responding, at.LOSS_TARGET]).all()
    assert np.isinf(new[:, at.LOSS_TIME]).all()
    above = new[:, at.EFFECT] >= on_adalimumab.response[at.E_RELAPSE]
    assert np.isinf(new[above, at.BELOW_SINCE]).all()
    assert (new[~above, at.BELOW_SINCE] == 175.0).all()


def test_co_therapy_goes_on_to_its_planned_end(on_infliximab, on_adalimumab):
    assert (on_infliximab.values[:, at.COTHERAPY] > 0).mean() > 0.5
    assert np.array_equal(on_adalimumab.values[:, at.COTHERAPY], on_infliximab.values[:, at.COTHERAPY])
    later = [pk.advance(state, until=300.0).values[:, at.COTHERAPY] for state in (on_infliximab, on_adalimumab)]
    assert np.array_equal(*later)
    assert (later[0] == 0).all()


@pytest.mark.parametrize("name", ["infliximab-fasanmade-2011", "vedolizumab-okamoto-2021"])
def test_a_switch_is_a_start_on_another_day(name, patients):
    """Without differences between days: 64 d later, so that differences of times are exact, the same levels."""
    model = replace(pk.load(name), iov={})
    regimen = pk.Regimen.induction("300 mg")
    first = pk.start(model, patients, DRAWS, first_eta=eta_index(model.drug))
    other = pk.advance(pk.start(pk.load("infliximab-hanzel-2021"), patients, DRAWS), until=64.0)
    second = pk.switch(other, patients, DRAWS, to=model)
    events = regimen_events(regimen, model, patients, DRAWS, first.theta, None)
    days = np.array([1.0, 14.0, 42.0, 98.0])
    here, there = np.empty((N, 4, 4)), np.empty((N, 4, 4))
    pk.advance(first, events, until=98.0, times=days, into=here)
    pk.advance(second, replace(events, time=events.time + 64.0), until=162.0, times=days + 64.0, into=there)
    np.testing.assert_allclose(there, here, rtol=1e-8 if second.integrated else 1e-11)


def test_a_switched_patient_equals_the_twin(on_infliximab, on_adalimumab):
    """The twin begins at 0 without any effect, so that is taken for the kernel, too."""
    layer, response = pk.Immunogenicity.load("adalimumab"), pk.Response.load("adalimumab")
    row = int(np.argmin(on_adalimumab.subject[:, at.ONSET_THRESHOLD]))
    # co-therapy has ended by then in the twin's patient: take the kernel's pending steps away
    one = replace(on_adalimumab, values=on_adalimumab.values.copy(), pending=pk.Events.none())
    one.values[row, [at.EFFECT, at.COTHERAPY]] = 0.0
    doses = [(14.0 * k, 40.0) for k in range(8)]
    rows = np.array([row])
    events = [
        dose_events(rows, 175.0 + day, np.array([mg]), route="sc", duration=0.0, theta=one.theta[rows])
        for day, mg in doses
    ]
    days = np.arange(7.0, 113.0, 7.0)
    out = np.empty((N, days.size, 4))
    last = pk.advance(one, pk.Events.merge(events), until=175.0 + 112.0, times=175.0 + days, into=out)
    theta = dict(zip(("CL", "V1", "Q", "V2", "KA", "F", "LAG"), one.theta[row], strict=True))
    who = {"onset_threshold": one.subject[row, 0], "R_max": one.subject[row, 1], "k_u": one.subject[row, 2]}
    names = (
        "h0",
        "C_ag",
        "C_tol",
        "gamma",
        "tau_rise",
        "tau_R",
        "k_extra",
        "Kss",
        "imm_onset",
        "imm_production",
        "memory_factor",
    )
    immune = {name: getattr(layer, name) for name in names}
    immune |= {"k_ada": math.log(2) / layer.antibody_half_life, "imm_clearance": 1.0}
    immune |= {"priming_half_life": layer.priming_half_life}
    answer = {
        "g": response.hill,
        "EC50": math.exp(one.subject[row, at.LOG_EC50]),
        "C_relapse": response.C_relapse,
        "t_e": response.t_e,
    }
    answer |= {"lambda_mech": response.lambda_mech, "lambda_pk": response.lambda_pk}
    twin = naive.simulate_patient(
        theta=theta, immune=immune, subject=who, response=answer, events=[(day, "depot", mg) for day, mg in doses],
        until=112.0, times=list(days),
    )  # fmt: skip
    assert last.values[row, at.ONSET_TIME] - 175.0 == pytest.approx(twin["onset_time"], abs=1e-3)
    # tolerance of the antibody kernel's own tests
    np.testing.assert_allclose(out[row, :, 0], twin["C"], rtol=2e-5, atol=2e-6)


def test_other_patients_are_refused(on_infliximab, patients):
    with pytest.raises(pk.InputError, match="399 patients, but the state holds 400"):
        pk.switch(on_infliximab, patients.take(slice(1, N)), DRAWS, to=pk.load("adalimumab-ternant-2015"))
