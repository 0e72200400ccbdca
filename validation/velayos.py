"""Testing before escalating, against escalating everybody: what it costs after loss of response (Velayos 2013).

Velayos is a decision model, not a trial: its costs cannot be reproduced without its prices, which were not read. What
can be asked is its direction: fewer patients on a high dose, less money, and no worse an outcome.

The two strategies are the arms "empiric" and "reactive TDM" of the scenario ``reactive-tdm``: the dose doubled for all
and another anti-TNF drug if that fails, or Figure 1 of the review. Only patients who lose response early enough to be
followed for a year are looked at. Until the loss both arms are the same, so the whole difference comes after it.

Velayos FS et al. Clin Gastroenterol Hepatol 2013;11:654-66. doi:10.1016/j.cgh.2012.12.035
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np

from scenarios.costs import quantities
from scenarios.intervals import Interval, Mean, Share
from scenarios.prices import Prices
from scenarios.readout import choose_window, readout
from scenarios.running import run
from scenarios.scenario import Scenario
from validation.trial import SEED

SCENARIO, EMPIRIC, TESTED = "reactive-tdm", "empiric", "reactive TDM"
FOLLOWED = 52 * 7.0  # d
_STANDARD = 5.0  # mg/kg, of both arms
_ROUNDING = 1.001

PUBLISHED = {"high_dose": (41.0, 54.0), "cost": (31_870.0, 37_266.0), "response": (63.0, 66.0)}
"""Test-based and empiric, as printed (evidence VELAYOS-HIDOSE and VELAYOS-TEST; percent, USD)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Velayos:
    """What testing changes after loss of response, in those who lost it.

    Attributes
    ----------
    high_dose, response
        Percent ever given more than 5 mg/kg, and in response at the end: test-based, empiric.
    response_gained
        Difference of the latter, paired, percentage points.
    saving
        How much less testing costs per patient, in the prices' currency.
    dearest_test
        Price of a test at which the saving is gone.
    """

    high_dose: tuple[Interval, Interval]
    response: tuple[Interval, Interval]
    response_gained: Interval
    saving: Interval
    dearest_test: float
    prices: Prices


def velayos(n: int, prices: Prices | None = None, threads: int | None = None) -> Velayos:
    """Follow those of ``n`` patients who lose response, under both strategies."""
    chosen = prices if prices is not None else Prices.load()
    scenario = Scenario.load(SCENARIO)
    two = replace(scenario, arms=tuple(arm for arm in scenario.arms if arm.name in (EMPIRIC, TESTED)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = run(two, patients=n, seed=SEED, threads=threads)
    end = float(result.attrs["duration_d"])
    lost = result["loss_time"].sel(arm=EMPIRIC).values <= end - FOLLOWED
    mine = result.isel(patient=np.flatnonzero(lost))
    arms = [readout(mine, arm, choose_window(result)) for arm in (TESTED, EMPIRIC)]
    used = [quantities(arm, scenario.drug) for arm in arms]
    priced = chosen.needed(item for item in used[0] if any(one[item].any() for one in used))
    tested, empiric = (sum(price.value * one[item] for item, price in priced.items()) for one in used)
    saving = Mean(values=np.asarray(empiric - tested)).interval()
    more_tests = float(np.mean(used[0]["test"] - used[1]["test"]))
    weight = mine["weight"].values
    high = [Share(event=np.asarray(arm.drug > _ROUNDING * _STANDARD * weight * arm.doses)) for arm in arms]
    in_response = []
    for arm in arms:
        assert arm.responding is not None
        in_response.append(Share(event=arm.responding[:, -1]))
    return Velayos(
        high_dose=(high[0].interval(), high[1].interval()),
        response=(in_response[0].interval(), in_response[1].interval()),
        response_gained=in_response[0].minus(in_response[1]),
        saving=saving,
        dearest_test=chosen.prices["test"].value + saving.estimate / more_tests,
        prices=chosen,
    )
