"""Everything that is wrong with a table, all at once, each with row, column, value and remedy.

A fault makes the table unusable; a warning is something a careful reader should look at.  The rules of the events
(EVID, AMT, RATE, ADDL, II, SS, CMT, MDV) are those of NONMEM's PREDPP (Users Guide VI, chapter V), except where that
would let a slip pass: an empty covariate, which NONMEM reads as 0, is refused.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel.drug import PopulationModel
from pkmodel.nonmem.findings import Findings, Lint, event_codes
from pkmodel.nonmem.lint_content import (
    judge_compartments,
    judge_covariates,
    judge_levels,
    judge_repeats,
    suspect_units,
)
from pkmodel.nonmem.reading import RawTable
from pkmodel.nonmem.table import DOSE, OBSERVATION, OTHER, RESET, RESET_AND_DOSE

_RATE_TOLERANCE = 1e-6  # of AMT / RATE against a stated duration: what rounding to 6 digits leaves


def lint(raw: RawTable, model: PopulationModel | None = None) -> Lint:
    """Judge a table.

    Parameters
    ----------
    raw
        From :func:`pkmodel.nonmem.reading.read_raw`.
    model
        What it is to be used with; then compartments and covariates are judged too.
    """
    found = Findings(raw)
    event = event_codes(raw)
    _patients_and_times(found, event)
    _event_items(found, event)
    _doses(found, event, model)
    judge_levels(found, event)
    judge_repeats(found, event)
    judge_compartments(found, event, model)
    judge_covariates(found, model)
    suspect_units(found, event, model)
    return found.done()


def _patients_and_times(found: Findings, event: NDArray[np.int64]) -> None:
    raw = found.raw
    ids, time = raw.get("ID"), raw.get("TIME")
    odd = ~((ids >= 0) & (ids < 2**32) & (ids == np.floor(ids)))
    found.fault(odd, "ID", "{} is not a whole number", "number the patients 1, 2, 3 ...")
    found.fault(np.isnan(time), "TIME", "there is no time", "every record needs one")
    found.fault(time < 0, "TIME", "{} is negative", "shift the times so that the first dose is at 0")
    same = np.concatenate([[False], ids[1:] == ids[:-1]])
    back = same & np.concatenate([[False], time[1:] < time[:-1]])
    remedy = "sort the patient's records; after a reset go on counting"
    found.fault(back, "TIME", lambda row: f"{time[row]:g} d after {time[row - 1]:g} d", remedy)
    starts = ~same
    first: dict[float, int] = {}
    again = np.zeros(ids.size, np.bool_)
    for row in np.flatnonzero(starts & ~odd).tolist():
        again[row] = ids[row] in first
        first.setdefault(ids[row], int(raw.line[row]))
    found.fault(
        again, "ID", lambda row: f"{ids[row]:g} is there already, from line {first[ids[row]]} on",
        "keep all records of a patient together, or give a new ID",
    )  # fmt: skip
    if "EVID" in raw.values:
        known = np.isin(event, (OBSERVATION, DOSE, OTHER, RESET, RESET_AND_DOSE)) & (raw.get("EVID") == event)
        found.fault(~known, "EVID", "{} is unknown", "0 sample, 1 dose, 2 other, 3 reset, 4 reset and dose")


def _event_items(found: Findings, event: NDArray[np.int64]) -> None:
    raw = found.raw
    dosing = np.isin(event, (DOSE, RESET_AND_DOSE))
    for name, what in (("AMT", "an amount"), ("RATE", "a rate"), ("DUR", "a duration"), ("ADDL", "additional doses"),
                       ("II", "an interval"), ("SS", "a steady state")):  # fmt: skip
        where = ~dosing & (raw.zero(name) != 0.0)
        found.fault(where, name, f"{what} of {{}} on a record that is no dose", "set EVID to 1, or write 0 or '.'")
    additional, interval, steady = raw.zero("ADDL"), raw.zero("II"), raw.zero("SS")
    found.fault(
        (additional < 0) | (additional != np.floor(additional)), "ADDL", "{} is not a number of doses",
        "write a whole number, 0 for none",
    )  # fmt: skip
    found.fault(interval < 0, "II", "{} d is negative", "write the time between doses")
    found.fault(~np.isin(steady, (0, 1, 2)), "SS", "{} is unknown", "0 none, 1 steady state, 2 added to what is there")
    repeated = dosing & (additional > 0)
    found.fault(repeated & (interval == 0), "II", "missing, with ADDL", "write the time between doses")
    found.fault(
        dosing & (steady > 0) & (interval == 0), "II", "missing, with SS",
        "write the time between doses (an endless infusion at steady state is not supported)",
    )  # fmt: skip
    alone = dosing & (interval > 0) & (additional == 0) & (steady == 0)
    found.fault(alone, "II", "{} d without ADDL or SS", "write ADDL, or set II to 0")


def _doses(found: Findings, event: NDArray[np.int64], model: PopulationModel | None) -> None:
    raw = found.raw
    dosing = np.isin(event, (DOSE, RESET_AND_DOSE))
    amount, rate, duration = raw.get("AMT"), raw.zero("RATE"), raw.get("DUR")
    found.fault(dosing & np.isnan(amount), "AMT", "a dose without amount", "write the mg, or set EVID to 2")
    found.fault(dosing & (amount == 0), "AMT", "a dose of 0 mg", "write the mg, or set EVID to 2")
    found.fault(dosing & (amount < 0), "AMT", "{} mg is negative", "doses are positive mg")
    factor = raw.factors.get("RATE", 1.0)  # -1 and -2 are codes: they have no unit
    modelled = dosing & np.isin(rate / factor, (-1.0, -2.0))
    if model is not None and model.structure.absorption == "zero-order":
        modelled &= rate / factor != -2.0  # the duration D1 of the model
        rate = np.where(rate / factor == -2.0, 0.0, rate)
    found.fault(
        modelled, "RATE",
        lambda row: f"{rate[row] / factor:g}: the {'rate' if rate[row] == -factor else 'duration'} of this infusion "
        "would be a parameter of the model, and no model here has one",
        "write the rate that was given, or DUR",
    )  # fmt: skip
    found.fault(dosing & (rate < 0) & ~modelled, "RATE", "{} is negative", "write a positive rate, 0 for a bolus")
    found.fault(dosing & (duration < 0), "DUR", "{} d is negative", "write the length of the infusion, 0 for a bolus")
    both = dosing & (rate > 0) & (duration > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        length = np.where(rate > 0, amount / rate, np.nan_to_num(duration))
    at_odds = both & ~(np.abs(length - duration) <= _RATE_TOLERANCE * duration)
    found.fault(
        at_odds, "DUR", lambda row: f"{duration[row]:g} d, but AMT / RATE is {length[row]:g} d", "leave one of them out"
    )
    overlapping = dosing & (raw.zero("SS") > 0) & (raw.zero("II") > 0) & (length > raw.zero("II"))
    found.fault(
        overlapping, "SS", "an infusion longer than its interval, at steady state", "write the single infusions"
    )
