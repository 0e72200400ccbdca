"""VPC and NPDE: right for data of the model itself, wrong for data of another."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import pkmodel as pk
from pkmodel import nonmem
from pkmodel.diagnostics import npde, simulate_replicates, visual_check
from pkmodel.variability import ResidualError

N = 60
DAYS = (14.0, 42.0, 60.0, 98.0, 154.0)


def model(cl: float = 0.4) -> pk.PopulationModel:
    return pk.PopulationModel.simple(
        name=f"cl-{cl:g}", CL=cl, V1=3.3, Q=0.2, V2=1.3, omega={"CL": 0.35, "V1": 0.2},
        residual=ResidualError(proportional=0.2, additive=0.05),
    )  # fmt: skip


def measured(seed: int, lloq: float | None = None) -> nonmem.Table:
    """A table of levels of the model itself, drawn by NumPy's generator and not by the package's streams."""
    drug = model()
    patients = pk.Patients.typical(N, weight=70.0)
    regimen = pk.Regimen.induction("350 mg").then(pk.Regimen.every("8 weeks", dose="350 mg", until="22 weeks"))
    ds = pk.simulate(drug, patients, regimen, times=list(DAYS), seed=seed)
    table = nonmem.table_of_simulation(ds, drug, patients, regimen)
    level = table.level + drug.residual.sd(table.level) * np.random.default_rng(seed).standard_normal(len(table))
    level = np.where(table.used, np.maximum(level, 1e-3), np.nan)
    if lloq is None:
        return dataclasses.replace(table, level=level)
    below = table.used & (level < lloq)
    return dataclasses.replace(
        table, level=np.where(below, np.nan, level), below=below, lloq=np.where(table.used, lloq, np.nan)
    )


@pytest.fixture(scope="module")
def right():
    return simulate_replicates(model(), measured(11), replicates=300, seed=5)


@pytest.fixture(scope="module")
def wrong():
    return simulate_replicates(model(0.55), measured(11), replicates=300, seed=5)


def test_npde_of_the_right_model_are_standard_normal(right):
    found = npde(right)
    assert found.value.size == N * len(DAYS)
    # three tests at once: 0.001 would fail one run in 300; the seed is fixed
    assert min(found.tests().values()) > 0.01
    # decorrelated: levels of one patient share its CL (correlation of the raw ranks is above 0.5)
    rows = found.value.reshape(N, -1)
    correlation = np.corrcoef(rows, rowvar=False)[np.triu_indices(len(DAYS), 1)]
    assert np.abs(correlation).max() < 4 / np.sqrt(N)
    raw = np.mean(right.simulated < right.observed, axis=0).reshape(N, -1)
    assert np.corrcoef(raw, rowvar=False)[2, 4] > 0.3


def test_npde_of_a_wrong_model_are_not(wrong):
    p = npde(wrong).tests()
    assert p["mean"] < 1e-4
    assert p["normal"] < 1e-4


def test_levels_below_the_limit_are_imputed():
    table = measured(12, lloq=2.0)
    found = simulate_replicates(model(), table, replicates=300, seed=5)
    assert 0.1 < found.below.mean() < 0.6
    errors = npde(found)
    assert min(errors.tests().values()) > 0.01
    assert errors.imputed.sum() == found.below.sum()


def test_vpc_of_the_right_and_of_a_wrong_model(right, wrong):
    for by in ("visits", "after-dose"):
        # 95 % bands, 15 percentiles: fewer than 11 inside has a probability below 0.001
        assert visual_check(right, by=by).inside() >= 11 / 15
        assert visual_check(wrong, by=by).inside() < 0.6


def test_percentiles_are_those_of_the_levels(right):
    check = visual_check(right)
    assert check.middle.tolist() == list(DAYS)
    day = right.time == 42.0
    assert check.observed[1, 1] == np.sort(right.observed[day])[N // 2 - 1]
    assert check.low[1, 1] < check.median[1, 1] < check.high[1, 1]


def test_prediction_correction_is_bergstrands(right):
    # two doses in one bin: corrected levels are as if everybody had the same typical prediction
    other = dataclasses.replace(
        right, typical=np.where(right.patient % 2, 2.0, 1.0) * right.typical,
        observed=np.where(right.patient % 2, 2.0, 1.0) * right.observed,
        simulated=np.where(right.patient % 2, 2.0, 1.0) * right.simulated,
    )  # fmt: skip
    plain, corrected = visual_check(right), visual_check(other, corrected=True)
    # per bin both are the same levels times one number, the ratio of median predictions
    ratio = corrected.observed / plain.observed
    assert np.allclose(ratio, ratio[0], rtol=1e-12)
    assert np.allclose(corrected.low / plain.low, ratio, rtol=1e-12)


def test_percentiles_below_the_limit_have_no_value():
    found = simulate_replicates(model(), measured(12, lloq=2.0), replicates=100, seed=5)
    check = visual_check(found)
    assert np.isnan(check.observed[0, -1])
    assert check.blq[-1] == found.below[found.time == DAYS[-1]].mean()
    assert check.blq_low[-1] <= check.blq[-1] <= check.blq_high[-1]


def test_replicates_are_addressed(right):
    again = simulate_replicates(model(), measured(11), replicates=100, seed=5, threads=1)
    assert np.array_equal(again.simulated, right.simulated[:100])
    table = measured(11)
    some = simulate_replicates(model(), table.where(table.patient >= 30), replicates=100, seed=5)
    assert np.array_equal(some.simulated, right.simulated[:100, right.patient >= 30])


def test_refusals():
    with pytest.raises(pk.InputError, match="at least 100"):
        simulate_replicates(model(), measured(11), replicates=20)
    with pytest.raises(pk.InputError, match="no residual error"):
        simulate_replicates(pk.PopulationModel.simple(CL=0.4, V1=3.0), measured(11), replicates=100)
