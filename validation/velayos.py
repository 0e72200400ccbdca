"""Testing before escalating, against escalating everybody: cost of the year after loss of response (Velayos 2013).

Velayos is a decision model, not a trial: its costs cannot be reproduced without its prices, which were not read. What
can be asked is its direction: fewer patients on a high dose, and less money, by how much at which price of a test.

Patients who lose response on 5 mg/kg every 8 weeks are followed for a year from their next infusion, the trough before
which is the test. Empiric: the dose is doubled for all. Test-based: it is doubled for those with low drug and no
antibody; the others change to another biologic, which is assumed to cost what 5 mg/kg of infliximab costs (assumption).
What the second drug achieves is not simulated. Both are read from one simulated arm: until the test they are the same.

Velayos FS et al. Clin Gastroenterol Hepatol 2013;11:654-66. doi:10.1016/j.cgh.2012.12.035
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scenarios.intervals import Interval, Mean, Share
from scenarios.prices import Prices
from validation.case import studies
from validation.rescue import rescue
from validation.trial import Parameters, run_arms

_STUDY, _ARM, _FAMILY = "afif", "dose doubled", "older-elisa"
LOW = 3.0  # mg/L; the threshold of Velayos 2013 was not read (assumption)
DOSE = 5.0  # mg/kg, of the study's arm; doubled after loss
YEAR = 364.0

PUBLISHED = {"high_dose": (41.0, 54.0), "cost": (31_870.0, 37_266.0)}
"""Test-based and empiric, as printed (evidence VELAYOS-HIDOSE and VELAYOS-TEST; USD)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Velayos:
    """What testing changes in the year after loss of response.

    Attributes
    ----------
    high_dose
        Percent of those who lost response whose dose is doubled when testing (empiric: all).
    empiric, saving
        Cost per patient of the year, and how much less testing costs, in the prices' currency.
    dearest_test
        Price of a test at which the saving is gone.
    """

    high_dose: Interval
    empiric: Interval
    saving: Interval
    dearest_test: float
    prices: Prices


def velayos(parameters: Parameters, n: int, prices: Prices | None = None, threads: int | None = None) -> Velayos:
    """Simulate the year after loss of response in ``n`` patients who begin treatment."""
    chosen = prices if prices is not None else Prices.load()
    priced = {name: price.value for name, price in chosen.needed(("infliximab_mg", "infusion", "test")).items()}
    record = run_arms([(_STUDY, _ARM)], studies(), parameters, n, threads=threads)[_STUDY, _ARM]
    found = rescue(record)
    start = record.days[found.column]
    followed = found.judged & (start + YEAR <= record.days[-1])
    year = (record.days[None, :] >= start[:, None]) & (record.days[None, :] < (start + YEAR)[:, None])
    infusions = np.count_nonzero(record.given & year, axis=1)[followed]
    antibody = record.read(_FAMILY)[np.arange(record.ids.size), found.column][followed]
    double = (found.level[followed] < LOW) & ~antibody
    one_dose = DOSE * record.covariates["weight"][followed] * priced["infliximab_mg"]
    empiric = infusions * (2.0 * one_dose + priced["infusion"])
    gross = np.where(double, 0.0, infusions * one_dose)
    saving = Mean(values=gross - priced["test"]).interval()
    return Velayos(
        high_dose=Share(event=double).interval(),
        empiric=Mean(values=empiric).interval(),
        saving=saving,
        dearest_test=saving.estimate + priced["test"],
        prices=chosen,
    )
