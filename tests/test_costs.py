"""Costs: additive, linear in prices, refused where a price is missing; the tornado is the derivative."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from pkmodel.errors import InputError
from scenarios.costs import costs, quantities
from scenarios.prices import EXAMPLE, NAMES, Price, Prices
from scenarios.readout import choose_window, readout
from tests.synthetic import synthetic


def priced(**values: float) -> Prices:
    prices = {
        name: Price(value=value, low=0.5 * value, high=2 * value, what=name, source="test")
        for name, value in values.items()
    }
    return Prices(title="test", currency="EUR", year=2025, status="test", prices=prices)


@pytest.fixture(scope="module")
def result() -> xr.Dataset:
    return synthetic(patients=150)


def cell(table, measure: str, arm: str = "scheduled", column: str = "estimate") -> float:
    frame = table.frame
    return float(frame[(frame.measure == measure) & (frame.arm == arm)][column].item())


amounts = st.fixed_dictionaries({name: st.floats(0, 1e5) for name in NAMES if name != "adalimumab_mg"})


@given(first=amounts, second=amounts, factor=st.floats(0, 10))
@settings(max_examples=25, deadline=None)
def test_cost_is_additive_and_linear_in_prices(
    first: dict[str, float], second: dict[str, float], factor: float
) -> None:
    result = synthetic(patients=40)
    both = {name: first[name] + factor * second[name] for name in first}
    a, b, c = (costs(result, priced(**prices)) for prices in (first, second, both))
    for measure in ("per_patient", "per_patient_in_window", "per_responder_year"):
        for column in ("estimate", "difference"):
            arm = "episodic"
            one, two, sum_ = (cell(table, measure, arm, column) for table in (a, b, c))
            if math.isfinite(one):
                assert sum_ == pytest.approx(one + factor * two, rel=1e-9, abs=1e-6)
    parts = c.frame[c.frame.measure.str.startswith("of_")].groupby("arm")["estimate"].sum()
    assert parts["scheduled"] == pytest.approx(cell(c, "per_patient"), rel=1e-9, abs=1e-9)


def test_by_hand(result: xr.Dataset) -> None:
    one = result.sel(arm="scheduled")
    table = costs(result, priced(infliximab_mg=2, infusion=100, test=7, infusion_reaction=50, loss_of_response=1000))
    cost = (
        2 * one.dose_total.values + 100 * one.infusions.values + 7 * one.tests.values
        + 50 * one.reactions.values + 1000 * np.isfinite(one.loss_time.values)
    )  # fmt: skip
    assert cell(table, "per_patient") == pytest.approx(cost.mean())
    level = one.trough_measured.sel(visit=54.0).values
    inside = (level >= 4) & (level <= 7)
    assert cell(table, "per_patient_in_window") == pytest.approx(cost.sum() / inside.sum())
    until = np.where(np.isnan(one.loss_time.values), 378.0, one.loss_time.values)
    years = np.where(one.responder.values, until - 98.0, 0.0).sum() / 365.25
    assert cell(table, "per_responder_year") == pytest.approx(cost.sum() / years)


def test_equal_arms_cost_exactly_the_same() -> None:
    result = synthetic(patients=80)
    for name in result.data_vars:
        if "arm" in result[name].dims:
            result[name][1] = result[name][0]
    frame = costs(result).frame
    assert (frame[frame.arm == "episodic"]["difference"] == 0.0).all()
    assert (costs(result).tornado[["at_low", "base", "at_high"]] == 0.0).all(axis=None)


def test_tornado_is_the_cost_at_other_prices(result: xr.Dataset) -> None:
    prices = Prices.load()
    table = costs(result, prices)
    assert len(table.tornado) == 5
    swings = (table.tornado.at_high - table.tornado.at_low).abs()
    assert swings.is_monotonic_decreasing
    for row in table.tornado.itertuples():
        for end, price in (("at_low", row.price_low), ("at_high", row.price_high)):
            changed = {**prices.prices, row.price: replace(prices.prices[row.price], value=price)}
            again = costs(result, replace(prices, prices=changed))
            assert getattr(row, end) == pytest.approx(cell(again, "per_patient", "episodic", "difference"), rel=1e-9)
        assert row.base == pytest.approx(cell(table, "per_patient", "episodic", "difference"), rel=1e-9)


def test_a_missing_price_is_refused_with_all_that_miss(result: xr.Dataset) -> None:
    with pytest.raises(InputError) as told:
        costs(result, priced(infliximab_mg=1, infusion=1))
    text = str(told.value)
    assert "price.test" in text
    assert "price.infusion_reaction" in text
    assert "price.loss_of_response" in text
    assert "price.injection" not in text  # nobody was injected
    free = result.copy()
    free["tests"] = result.tests * 0
    full = priced(infliximab_mg=1, infusion=1, infusion_reaction=1, loss_of_response=1)
    assert costs(free, full).frame is not None


def test_an_old_result_is_refused(result: xr.Dataset) -> None:
    with pytest.raises(InputError, match="run the scenario again"):
        costs(result.drop_vars("tests"))


def test_injections_are_doses_that_are_no_infusions(result: xr.Dataset) -> None:
    sc = result.copy()
    sc["infusions"] = result.infusions * 0
    sc = sc.drop_vars("reactions")
    arm = readout(sc, "scheduled", choose_window(sc))
    used = quantities(arm, "infliximab")
    assert np.array_equal(used["injection"], arm.doses)
    assert not used["infusion"].any()


def test_the_shipped_prices_are_marked_as_invented(result: xr.Dataset) -> None:
    prices = Prices.load()
    assert set(prices.prices) == set(NAMES)
    assert prices.invented
    assert all(one.source == "example" for one in prices.prices.values())
    assert "EXAMPLE PRICES" in str(costs(result))
    assert not priced(test=1).invented


def test_faults_of_a_price_file_come_together(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    path = tmp_path / "prices.toml"
    path.write_text(
        text.replace("[price.test]", "[price.tests]").replace("low = 100.0", "low = 900.0"), encoding="utf-8"
    )
    with pytest.raises(InputError) as told:
        Prices.load(path)
    assert "unknown price; did you mean 'test'?" in str(told.value)
    assert "250 does not lie between low 900 and high 500" in str(told.value)
    path.write_text(text.replace("value = 4.0", "value = -4.0"), encoding="utf-8")
    with pytest.raises(InputError, match=r"prices\.toml:"):
        Prices.load(path)


def test_the_price_file_of_the_docs_is_refused_for_what_it_lacks(result: xr.Dataset, tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs/how-to/costs.md").read_text(encoding="utf-8")
    path = tmp_path / "my-prices.toml"
    path.write_text(page.split("```toml\n")[1].split("```")[0], encoding="utf-8")
    with pytest.raises(InputError) as told:
        costs(result, Prices.load(path))
    assert [fault.key for fault in told.value.faults] == [
        "price.test", "price.infusion_reaction", "price.loss_of_response",
    ]  # fmt: skip
