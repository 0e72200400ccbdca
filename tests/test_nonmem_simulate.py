"""Simulating tables: against a naive twin, against pk.simulate, and there and back through a file."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path

import naive_table
import numpy as np
import pytest

import pkmodel as pk
from pkmodel import nonmem
from pkmodel.errors import PkWarning
from pkmodel.nonmem.table import Table

# A matrix exponential is good to rounding of its largest entry, and 400 of them follow each other in a steady state.
# 2**-40 d behind a dose (nonmem.episodes.AFTER) is 1e-12 of a level that changes by itself within a day.
TWIN = 2e-10


def model(kind: str) -> pk.PopulationModel:
    if kind == "iv":
        return pk.PopulationModel.simple(CL=0.4, V1=3.3, Q=0.2, V2=1.3, omega={"CL": 0.3, "V1": 0.2})
    if kind == "sc":
        return pk.PopulationModel.simple(
            CL=0.35, V1=5.0, KA=0.3, F=0.7, LAG=0.3, omega={"CL": 0.3, "KA": 0.2}, routes=("sc",)
        )
    return pk.PopulationModel.simple(
        CL=0.35, V1=4.0, Q=0.5, V2=2.0, KA=0.4, F=0.8, omega={"CL": 0.3}, routes=("sc", "iv")
    )


def records(kind: str, seed: int, count: int) -> list[dict]:
    """A patient's life with every kind of record."""
    rng = np.random.default_rng(seed)
    found, t = [], 0.0
    for k in range(count):
        route = "sc" if kind == "sc" or (kind == "both" and rng.random() < 0.5) else "iv"
        evid = 1 if k == 0 else int(rng.choice([0, 0, 0, 0, 1, 1, 2, 3, 4]))
        one = {"time": t, "evid": evid, "amt": 0.0, "dur": 0.0, "route": route, "addl": 0, "ii": 0.0, "ss": 0}
        if evid in (1, 4):
            one["amt"] = float(rng.uniform(50, 500))
            one["dur"] = float(rng.choice([0.0, 1 / 12, 2.5])) if route == "iv" else 0.0
            one["ss"] = int(rng.choice([0, 0, 0, 1, 2]))
            if one["ss"] or rng.random() < 0.5:
                one["addl"], one["ii"] = int(rng.integers(0 if one["ss"] else 1, 4)), float(rng.uniform(4, 20))
        found.append(one)
        t += float(rng.choice([0.0, rng.uniform(0.1, 15)])) if evid != 0 and one["dur"] else float(rng.uniform(0.1, 15))
    found.append({**found[0], "time": t, "evid": 0, "amt": 0.0, "dur": 0.0, "addl": 0, "ii": 0.0, "ss": 0})
    return found


def table(patients: list[list[dict]], covariates: dict[str, list] | None = None, structure=None) -> Table:
    rows = [(number, one) for number, life in enumerate(patients) for one in life]
    column = {
        key: np.array([one[key] for _, one in rows]) for key in ("time", "evid", "amt", "dur", "addl", "ii", "ss")
    }
    central = 2 if structure and "sc" in structure.routes else 1
    compartment = np.array([1 if one["route"] == "sc" else central for _, one in rows])
    n = len(rows)
    return Table(
        file="twin",
        line=np.arange(2, n + 2),
        patient=np.array([number + 3 for number, _ in rows]),
        time=column["time"].astype(float),
        amount=column["amt"].astype(float),
        duration=column["dur"].astype(float),
        event=column["evid"].astype(np.int64),
        compartment=np.where(column["evid"] == 0, central, compartment),
        additional=column["addl"].astype(np.int64),
        interval=column["ii"].astype(float),
        steady=column["ss"].astype(np.int64),
        level=np.full(n, np.nan),
        lloq=np.full(n, np.nan),
        below=np.zeros(n, bool),
        used=np.zeros(n, bool),
        covariates={name: np.asarray(values, float) for name, values in (covariates or {}).items()},
    )


def individual(drug: pk.PopulationModel, ids: np.ndarray, seed: int) -> list[dict[str, float]]:
    draws = pk.Draws(seed)
    z = draws.normal(pk.Stream.ETA, ids, len(drug.eta_parameters))
    theta = drug.individual_parameters({}, drug.etas(z))
    names = ("CL", "V1", "Q", "V2", "KA", "F", "LAG")
    return [dict(zip(names, row, strict=True)) for row in theta]


@pytest.mark.parametrize("kind", ["iv", "sc", "both"])
def test_every_kind_of_record_against_the_twin(kind):
    drug = model(kind)
    lives = [records(kind, seed=100 + k, count=25) for k in range(8)]
    data = table(lives, structure=drug.structure)
    got = nonmem.simulate_table(drug, data, seed=4).concentration.values
    thetas = individual(drug, data.ids, 4)
    wanted = np.concatenate(
        [naive_table.levels(life, lambda _, t=theta: t) for life, theta in zip(lives, thetas, strict=True)]
    )
    assert got.size == wanted.size > 60
    np.testing.assert_allclose(got, wanted, rtol=TWIN, atol=TWIN * wanted.max())
    kinds = {(one["evid"], one["ss"]) for life in lives for one in life}
    assert {(3, 0), (4, 0), (1, 1), (1, 2)} <= kinds  # all of them did occur


def test_occasions_go_with_the_day_of_the_dose():
    drug = dataclasses.replace(model("iv"), iov={"CL": 0.09})
    lives = [records("iv", seed=200 + k, count=20) for k in range(8)]
    data = table(lives, structure=drug.structure)
    got = nonmem.simulate_table(drug, data, seed=9).concentration.values
    wanted = []
    for life, theta, who in zip(lives, individual(drug, data.ids, 9), data.ids, strict=True):

        def factor(day, who=who):
            z = pk.Draws(9).normal(pk.Stream.OCCASION, np.array([who]), 1, first=round(day * 1440))
            return float(np.exp(0.3 * z[0, 0]))

        wanted += naive_table.levels(life, lambda _, t=theta: t, factor)
    np.testing.assert_allclose(got, wanted, rtol=TWIN, atol=TWIN * max(wanted))


WEIGHTS = (50.0, 70.0, 90.0, 60.0)
DAYS = (0.0, 20.0, 41.5, 60.0)


def weight_model() -> pk.PopulationModel:
    from pkmodel.covariates import CovariateEffect

    effect = CovariateEffect(parameter="CL", covariate="weight", form="power", coefficient=1.0, reference=70.0)
    volume = dataclasses.replace(effect, parameter="V1")
    return dataclasses.replace(pk.PopulationModel.simple(CL=0.4, V1=3.3), effects=(effect, volume))


def weight_table() -> tuple[Table, list[dict]]:
    life = []
    weights = []
    for day, weight in zip(DAYS, WEIGHTS, strict=True):
        life.append({"time": day, "evid": 1, "amt": 300.0, "dur": 0.1, "route": "iv", "addl": 0, "ii": 0.0, "ss": 0})
        weights.append(weight)
    life.append({**life[-1], "time": 70.0, "evid": 0, "amt": 0.0, "dur": 0.0})
    weights.append(WEIGHTS[-1])
    return table([life], {"weight": weights}), life


@pytest.mark.parametrize("rule", ["nocb", "locf"])
def test_covariate_rules_against_the_twin(rule):
    data, life = weight_table()

    def theta(day):
        k = np.searchsorted(DAYS, day, side="right")
        weight = WEIGHTS[min(k if rule == "nocb" else k - 1, 3)]
        return {"CL": 0.4 * weight / 70, "V1": 3.3 * weight / 70, "Q": 0.0, "V2": 1.0, "KA": 0.0, "F": 1.0, "LAG": 0.0}

    wanted = naive_table.levels(life, theta, changes=DAYS)
    got = nonmem.simulate_table(weight_model(), data, rules={"weight": rule}, etas=np.zeros((1, 0)))
    np.testing.assert_allclose(got.concentration.values, wanted, rtol=TWIN)


def test_a_straight_line_is_finer_than_a_day():
    data, life = weight_table()

    def theta(day):
        weight = np.interp(day, DAYS, WEIGHTS)
        return {"CL": 0.4 * weight / 70, "V1": 3.3 * weight / 70, "Q": 0.0, "V2": 1.0, "KA": 0.0, "F": 1.0, "LAG": 0.0}

    wanted = naive_table.levels(life, theta, changes=np.arange(0, 70, 0.05))
    got = nonmem.simulate_table(weight_model(), data, rules={"weight": "linear"}, etas=np.zeros((1, 0)))
    # steps of a day at mid-day values: second order, (1 d)^2 of curvature (CL/V1 is constant here: only the volume
    # at the last sample and during the infusions matters)
    np.testing.assert_allclose(got.concentration.values, wanted, rtol=2e-3)


def people(n: int, *names: str) -> pk.Patients:
    rng = np.random.default_rng(3)
    values = {"weight": rng.uniform(50, 100, n), "albumin": rng.uniform(32, 46, n), "crp": rng.uniform(1, 40, n),
              "female": rng.integers(0, 2, n).astype(float)}  # fmt: skip
    return pk.Patients.from_arrays({name: values[name] for name in names}, first=5)


def infliximab() -> pk.Regimen:
    return pk.Regimen.induction("5 mg/kg").then(pk.Regimen.every("8 weeks", dose="5 mg/kg", until="40 weeks"))


@pytest.mark.parametrize(
    ("name", "exact"),
    [("infliximab-fasanmade-2011", True), ("infliximab-hanzel-2021", False), ("adalimumab-ternant-2015", False)],
)
def test_a_simulation_written_read_and_simulated_again(name, exact, tmp_path):
    drug = pk.load(name)
    patients = people(150, "weight", "albumin", "crp")  # more than one chunk
    regimen = infliximab() if drug.drug == "infliximab" else pk.Regimen.every("2 weeks", dose="40 mg", until="20 weeks")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PkWarning)
        ds = pk.simulate(drug, patients, regimen, times=[3.0, 14.0, 42.0, 70.5, 98.0], seed=7)
        written = nonmem.table_of_simulation(ds, drug, patients, regimen)
        nonmem.write_table(written, tmp_path / "a.csv")
        read = nonmem.read_table(tmp_path / "a.csv", time_unit="d", model=drug)
        nonmem.write_table(read, tmp_path / "b.csv")
        again = nonmem.simulate_table(drug, read, seed=7).concentration.values
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    wanted = ds.concentration.values.ravel()
    assert np.array_equal(read.level[read.used], wanted)
    if exact:  # the general engine both times
        assert np.array_equal(again, wanted)
    else:  # pk.simulate takes the shared kernel, whose durations are rounded to 2**-40 d
        np.testing.assert_allclose(again, wanted, rtol=1e-11)


def test_an_antibody_layer_is_simulated_as_by_simulate():
    drug = pk.load("infliximab-fasanmade-2011")
    layer = pk.Immunogenicity.load("infliximab").with_values(h0=0.2)
    patients = people(60, "weight", "albumin")
    ds = pk.simulate(drug, patients, infliximab(), times=[14.0, 98.0, 210.0], seed=7, immunogenicity=layer)
    data = nonmem.table_of_simulation(ds, drug, patients, infliximab())
    got = nonmem.simulate_table(drug, data, seed=7, immunogenicity=layer).concentration.values
    assert np.array_equal(got, ds.concentration.values.ravel())
    steady = dataclasses.replace(
        data, steady=np.where(data.event == 1, 1, 0), interval=np.where(data.event == 1, 7.0, 0)
    )
    with pytest.raises(pk.InputError, match="steady states have no meaning"):
        nonmem.simulate_table(drug, steady, immunogenicity=layer)


def test_covariates_over_time_are_those_of_simulate():
    drug = pk.load("infliximab-fasanmade-2011")
    for rule in ("locf", "nocb"):
        patients = people(5, "weight")
        course = pk.TimeCourse(
            times=np.array([0.0, 50.0, 120.0]),
            values=np.array([[40.0, 30.0, 45.0]] * 5) + np.arange(5)[:, None],
            rule=rule,
        )
        patients = dataclasses.replace(patients, over_time={"albumin": course})
        ds = pk.simulate(drug, patients, infliximab(), times=[14.0, 98.0, 210.0], seed=7)
        data = nonmem.table_of_simulation(ds, drug, patients, infliximab())
        got = nonmem.simulate_table(drug, data, seed=7, rules={"albumin": rule, "weight": rule}).concentration.values
        np.testing.assert_allclose(got, ds.concentration.values.ravel(), rtol=1e-13)


def test_a_patient_alone_or_in_company(tmp_path):
    drug = model("both")
    lives = [records("both", seed=300 + k, count=20) for k in range(10)]
    data = table(lives, structure=drug.structure)
    whole = nonmem.simulate_table(drug, data, seed=4)
    for who in (4, 11):
        mine = nonmem.simulate_table(drug, data.where(data.patient == who), seed=4).concentration.values
        assert np.array_equal(mine, whole.concentration.values[whole.patient.values == who])


def test_no_steady_state_without_a_closed_form():
    drug = dataclasses.replace(model("iv"))
    three = pk.load("vedolizumab-okamoto-2021") if "vedolizumab-okamoto-2021" in pk.models() else None
    if three is None:
        pytest.skip("no saturable model here")
    data = table([records("iv", 1, 5)], structure=drug.structure)
    data = dataclasses.replace(data, steady=np.where(data.event == 1, 1, 0), interval=np.where(data.event == 1, 7.0, 0))
    with pytest.raises(pk.InputError, match="no steady state is computed"):
        nonmem.simulate_table(three, data)


@pytest.mark.parametrize("rule", ["nocb", "locf"])
@pytest.mark.parametrize("parameter", ["F", "LAG"])
def test_a_dose_is_absorbed_by_the_covariates_of_its_own_record(rule, parameter):
    from naive_linear import bateman

    from pkmodel.covariates import CovariateEffect

    lag = 0.5 if parameter == "LAG" else 0.0
    effect = CovariateEffect(parameter=parameter, covariate="weight", form="power", coefficient=-1.0, reference=70.0)
    drug = pk.PopulationModel.simple(CL=0.35, V1=5.0, KA=0.3, F=0.6, LAG=lag, routes=("sc",))
    drug = dataclasses.replace(drug, effects=(effect,))
    data, life = weight_table()
    data = dataclasses.replace(data, duration=np.zeros(len(life)), compartment=np.where(data.event == 0, 2, 1))
    wanted = 0.0
    for day, weight in zip(DAYS, WEIGHTS, strict=True):
        share = 0.6 * (70 / weight if parameter == "F" else 1.0)
        wait = lag * 70 / weight
        wanted += bateman(0.3, 0.35, 5.0, 300.0 * share, np.array([70.0 - day - wait]))[0]
    got = nonmem.simulate_table(drug, data, rules={"weight": rule}, etas=np.zeros((1, 0))).concentration.values[0]
    assert got == pytest.approx(wanted, rel=1e-11)


TRUTH = Path(__file__).parent.parent.parent / "shared" / "truth"


@pytest.mark.slow
@pytest.mark.skipif(not TRUTH.exists(), reason="reference data of other projects are not here")
def test_predictions_of_nonmem_with_covariates_that_change():
    """PRED of NONMEM/PsN (InsightRX/mipdeval, MIT) for Thomson 2009 vancomycin, next observation carried backward.

    Hours stand for days here.  CL = 2.99 (1 + .0154 (16.66667 CRCL - 66)) + CL_HEMO is put into one linear covariate.
    """
    import pandas as pd

    from pkmodel.covariates import CovariateEffect

    raw = pd.read_csv(TRUTH / "mipdeval_proseval" / "nm_vanco.csv")
    printed = pd.read_csv(TRUTH / "mipdeval_proseval" / "psn_proseval_vanco_thomson.csv")
    printed = printed[printed.OBS == 1]
    clearance = 2.99 * (1 + 0.0154 * (16.66667 * raw.CRCL - 66)) + raw.CL_HEMO
    drug = pk.PopulationModel.simple(CL=2.99, V1=0.675, Q=2.28, V2=0.732)
    linear = CovariateEffect(parameter="CL", covariate="crp", form="linear", coefficient=1.0, reference=1.0)
    weight = CovariateEffect(parameter="V1", covariate="weight", form="power", coefficient=1.0, reference=1.0)
    drug = dataclasses.replace(drug, effects=(linear, weight, dataclasses.replace(weight, parameter="V2")))
    # a sample just before every record, to compare all of them
    both = raw.loc[raw.index.repeat(2)].reset_index(drop=True)
    sample = np.arange(len(both)) % 2 == 0
    both["crp"] = (clearance / 2.99).loc[raw.index.repeat(2)].to_numpy()
    event = np.where(sample, 0, np.where(both.EVID == 1, 1, 2))
    n = len(both)
    data = Table(
        file="nm_vanco.csv", line=np.arange(2, n + 2), patient=both.ID.to_numpy(np.int64),
        time=both.TIME.to_numpy(float), amount=np.where(event == 1, both.AMT, 0.0),
        duration=np.where(event == 1, both.AMT / np.maximum(both.RATE, 1e-9), 0.0), event=event,
        compartment=np.ones(n, np.int64), additional=np.zeros(n, np.int64), interval=np.zeros(n),
        steady=np.zeros(n, np.int64), level=np.full(n, np.nan), lloq=np.full(n, np.nan), below=np.zeros(n, bool),
        used=np.zeros(n, bool), covariates={"crp": both.crp.to_numpy(float), "weight": both.WT.to_numpy(float)},
    )  # fmt: skip
    found = nonmem.simulate_table(drug, data, etas=np.zeros((data.ids.size, 0)))
    assert np.array_equal(found.patient.values, printed.ID.to_numpy(int))
    wanted = printed.PRED.to_numpy()
    assert np.count_nonzero(wanted) > 50
    # five digits are printed
    np.testing.assert_allclose(found.concentration.values, wanted, rtol=5.1e-5)
    other = nonmem.simulate_table(
        drug, data, etas=np.zeros((data.ids.size, 0)), rules={"crp": "locf", "weight": "locf"}
    )
    assert (
        np.abs(other.concentration.values / np.maximum(wanted, 1e-9) - 1)[wanted > 0].max() > 0.01
    )  # the rule matters


@pytest.mark.slow
@pytest.mark.skipif(not TRUTH.exists(), reason="reference data of other projects are not here")
def test_predictions_of_nonmem_read_as_a_table(tmp_path):
    """PRED of NONMEM 7.2 (InsightRX/PKPDmap, MIT): boluses at 0 and 24 h, S1 = V/1000."""
    import pandas as pd

    path = TRUTH / "pkpdmap_nonmem" / "run1_nonmem.csv"
    with pytest.warns(pk.PkWarning, match="were left out"):
        data = nonmem.read_table(_without_predictions(path, tmp_path), time_unit="d")
    drug = pk.PopulationModel.simple(CL=7.67, V1=97.7)
    found = nonmem.simulate_table(drug, data, etas=np.zeros((data.ids.size, 0))).concentration.values
    table = pd.read_csv(path)
    wanted = table.PRED[table.EVID == 0].to_numpy() / 1000
    assert wanted.size > 500
    # CL and V are printed with three digits
    np.testing.assert_allclose(found, wanted, rtol=2e-3)


def _without_predictions(path, tmp_path):
    """The table as a user has it: DV in ng/mL."""
    import pandas as pd

    table = pd.read_csv(path)[["ID", "TIME", "DV", "AMT", "MDV", "EVID", "IPRED"]].rename(columns={"DV": "DV [ng/mL]"})
    table.to_csv(tmp_path / "run1.csv", index=False)
    return tmp_path / "run1.csv"
