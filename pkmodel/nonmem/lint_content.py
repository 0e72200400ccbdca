"""The part of the lint that asks whether levels, compartments, covariates and units make sense."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel.covariates import CARRIED, COVARIATES
from pkmodel.drug import PopulationModel
from pkmodel.errors import Fault
from pkmodel.nonmem.columns import CENTRAL, PERIPHERAL, compartments
from pkmodel.nonmem.findings import Findings, Mask
from pkmodel.nonmem.table import DOSE, OBSERVATION, RESET_AND_DOSE

Ints = NDArray[np.int64]

# Where a number most likely carries another unit than it should; odd, not impossible, so these only warn.
_MOST_MG_PER_KG = 20.0
_MOST_MG = 3000.0
_MOST_LEVEL = 1000.0  # mg/L


def judge_levels(found: Findings, event: Ints) -> None:
    """DV, MDV, BLQ and CENS."""
    raw = found.raw
    level, lloq = raw.get("DV"), raw.get("LLOQ")
    missing_flag = raw.zero("MDV")
    sample = event == OBSERVATION
    found.fault(~np.isin(missing_flag, (0, 1)), "MDV", "{} is neither 0 nor 1", "0 measured, 1 not measured")
    if "MDV" in raw.values:
        found.fault(
            ~sample & (event > 0) & (missing_flag == 0) & ~np.isnan(raw.get("MDV")), "MDV",
            "0 on a record that is no sample", "write 1",
        )  # fmt: skip
    if "BLQ" in raw.values and "CENS" in raw.values:
        found.header("CENS", "BLQ and CENS say the same thing", "leave one of the columns out")
    flag = raw.zero("BLQ") if "BLQ" in raw.values else raw.zero("CENS")
    name = "BLQ" if "BLQ" in raw.values else "CENS"
    found.fault(flag == -1, name, "{}: above an upper limit", "levels above a limit are not supported: leave them out")
    found.fault(~np.isin(flag, (-1, 0, 1)), name, "{} is neither 0 nor 1", "1 below the limit, 0 measured")
    below = sample & (flag == 1) & (missing_flag == 0)
    no_limit = np.isnan(lloq) & ~(level > 0) if name == "CENS" else np.isnan(lloq)
    found.fault(below & no_limit, name, "below a limit that is not given", "write the limit in LLOQ")
    measured = sample & (missing_flag == 0) & (flag != 1)
    found.fault(measured & np.isnan(level), "DV", "no level", "write it, or MDV 1; if below the limit BLQ 1 and LLOQ")
    found.fault(measured & (level < 0), "DV", "{} is negative", "levels are positive; below the limit is BLQ 1")
    found.fault(measured & (level == 0), "DV", "a level of 0", "laboratories report 'below the limit': BLQ 1, and LLOQ")
    found.fault(lloq <= 0, "LLOQ", "{} is not a limit", "write a positive limit, or '.'")
    found.warn(
        measured & (level < lloq), "DV", lambda row: f"{level[row]:g} is below its LLOQ of {lloq[row]:g}",
        "is it BLQ 1?",
    )  # fmt: skip
    found.warn(sample & (missing_flag == 1) & (level > 0), "DV", "{} is not used, MDV is 1", "MDV 0 to use it")
    _around_doses(found, event, measured | below)


def _around_doses(found: Findings, event: Ints, measured: Mask) -> None:
    """Levels before the first dose, and at the very moment of one."""
    raw = found.raw
    ids, time = raw.get("ID"), raw.get("TIME")
    dosing = np.isin(event, (DOSE, RESET_AND_DOSE))
    first: dict[float, float] = {}
    moments: dict[tuple[float, float], int] = {}
    for row in np.flatnonzero(dosing).tolist():
        first.setdefault(ids[row], time[row])
        moments.setdefault((ids[row], time[row]), row)
    early = np.zeros(event.size, np.bool_)
    after = np.zeros(event.size, np.bool_)
    for row in np.flatnonzero(measured).tolist():
        early[row] = time[row] < first.get(ids[row], np.inf)
        after[row] = moments.get((ids[row], time[row]), row) < row
    found.warn(
        early, "DV",
        lambda row: f"{raw.get('DV')[row]:g} before the first dose" if ids[row] in first else "no dose at all",
        "add the earlier doses, or leave it out: the model predicts 0",
    )  # fmt: skip
    found.warn(
        after, "TIME", "a sample at the moment of a dose, after its record: it is taken as drawn after the dose",
        "for a trough put the sample before the dose",
    )  # fmt: skip


def judge_repeats(found: Findings, event: Ints) -> None:
    """Records that stand there twice."""
    raw = found.raw
    columns = [event.astype(np.float64)] + [raw.get(name) for name in ("ID", "TIME", "AMT", "DV", "CMT", "BLQ")]
    keys = np.stack([np.nan_to_num(column, nan=-9e9) for column in columns], axis=1)
    _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    earlier = first[inverse.ravel()]
    again = (earlier != np.arange(event.size)) & (event < 2) & (raw.zero("MDV") * (event == OBSERVATION) == 0)
    what = {OBSERVATION: "level", DOSE: "dose"}
    found.fault(
        again, "ID",
        lambda row: f"the same {what.get(int(event[row]), 'record')} stands on line {raw.line[earlier[row]]}",
        "leave out the copy; two doses at one time are one record with the sum",
    )  # fmt: skip


def judge_compartments(found: Findings, event: Ints, model: PopulationModel | None) -> None:
    """CMT."""
    raw = found.raw
    number = raw.zero("CMT")
    found.fault((number < 0) | (number != np.floor(number)), "CMT", "{} is no compartment", "write 1, 2 or 3")
    if model is None:
        return
    known = compartments(model.structure)
    listing = ", ".join(f"{k} {name}" for k, name in known.items())
    unknown = (number > 0) & ~np.isin(number, list(known))
    found.fault(unknown, "CMT", "{} is not in " + model.name, f"compartments are {listing}")
    dosing = np.isin(event, (DOSE, RESET_AND_DOSE))
    peripheral = np.isin(number, [k for k, name in known.items() if name == PERIPHERAL])
    found.fault(dosing & peripheral, "CMT", "{}: a dose into the peripheral compartment", f"compartments are {listing}")
    central = next(k for k, name in known.items() if name == CENTRAL)
    injected = np.isin(number, [k for k, name in known.items() if name == CENTRAL]) & (
        "iv" not in model.structure.routes
    )
    found.fault(
        dosing & injected, "CMT", "{}: a dose into the central compartment of a model without 'iv'",
        f"compartments are {listing}",
    )  # fmt: skip
    sampled = (event == OBSERVATION) & (number > 0) & (number != central) & np.isin(number, list(known))
    found.fault(sampled, "CMT", "{}: a sample elsewhere than in the central compartment", f"write {central}, or '.'")
    depot = dosing & ("sc" in model.structure.routes) & (number <= 1)
    infused = depot & ((raw.zero("RATE") > 0) | (raw.zero("DUR") > 0))
    found.fault(infused, "CMT", "an infusion into the depot", f"write CMT {central}, or RATE 0")


def judge_covariates(found: Findings, model: PopulationModel | None) -> None:
    """Values, gaps, and what the model needs."""
    raw = found.raw
    for name in raw.covariates:
        values = raw.get(name)
        remedy = "write the value of that time; NONMEM would read 0 here"
        found.fault(np.isnan(values), name, "there is no value", remedy)
        known = {**COVARIATES, **CARRIED}[name]
        low, high = known.low / raw.factors[name], known.high / raw.factors[name]
        given = values / raw.factors[name]
        unit = f" {known.unit}" if known.unit else ""
        bad = ~np.isnan(values) & ~((values >= known.low) & (values <= known.high))
        bad |= known.only_0_or_1 & ~np.isnan(values) & ~np.isin(values, (0.0, 1.0))
        allowed = (
            "0 or 1" if known.only_0_or_1 else f"{low:g} to {high:g}; state the unit as in '{name} [{known.unit}]'"
        )
        found.fault(
            bad, name, lambda row, given=given, unit=unit: f"{given[row]:g}{unit} is impossible",  # type: ignore[misc]
            f"{known.meaning} is {allowed}",
        )  # fmt: skip
    if model is None:
        return
    for name in model.required_covariates:
        if name not in raw.covariates:
            known = COVARIATES[name]
            found.header(
                name, f"{model.name} needs this covariate", f"add a column {name} [{known.unit}]".rstrip(" []")
            )


def suspect_units(found: Findings, event: Ints, model: PopulationModel | None) -> None:
    """Numbers that look like those of another unit, and doses that are boluses for want of a rate."""
    raw = found.raw
    dosing = np.isin(event, (DOSE, RESET_AND_DOSE))
    if model is not None and model.structure.routes[0] == "iv" and not {"RATE", "DUR"} & set(raw.values):
        problem, remedy = "neither RATE nor DUR: every dose is a bolus", "write the length of the infusions in DUR"
        found.warnings.append(
            Fault(key="AMT", problem=problem, remedy=remedy, file=raw.file, line=int(raw.line[0]) - 1)
        )
    amount = raw.get("AMT")
    weight = raw.get("weight")
    light = np.where(np.isnan(weight), amount <= _MOST_MG_PER_KG, amount / weight < _MOST_MG_PER_KG / 50)
    small = dosing & (amount > 0) & (amount <= _MOST_MG_PER_KG) & light
    found.warn(small, "AMT", "{} mg is very little: is it mg/kg?", "AMT is in mg: multiply by the weight")
    found.warn(dosing & (amount > _MOST_MG), "AMT", "{} mg is very much", "is it in mg?")
    high = (event == OBSERVATION) & (raw.get("DV") > _MOST_LEVEL)
    found.warn(high, "DV", "{} mg/L is very high: is it ng/mL?", "state the unit as in 'DV [ng/mL]'")
