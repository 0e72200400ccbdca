"""What the patients of one arm showed: the part of a result that scores and figures read."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pkmodel.errors import InputError, PkWarning, unknown_name
from scenarios.intervals import BoolArray, FloatArray

if TYPE_CHECKING:
    import xarray as xr

    from pkmodel.windows import TargetWindow

CountArray = NDArray[np.integer[Any]]
DAYS_PER_YEAR = 365.25
_OTHER = "dose_total_"
UNSEEN = -9
"""Zone of a visit after the patient has left, or on another drug than the scenario's."""

REQUIRED = (
    "trough_measured", "trough_blq", "ada_drug_sensitive", "ada_drug_tolerant",
    "dose_total", "doses", "responder", "loss_time",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArmReadout:
    """What the patients of one arm showed at the visits after week 0.

    Attributes
    ----------
    name
        The arm.
    ids
        (patient,) ids of its patients.
    weeks, visits
        (visit,) weeks after the start, as numbers and as text.
    trough, blq
        (patient, visit) measured free drug before any dose, ug/mL, and whether it was below the limit of
        quantification (then the level is NaN).
    lloq
        That limit, ug/mL.
    seen
        (patient, visit) whether the patient was still in the trial.
    zone
        (patient, visit) -1 below the window, 0 in it, 1 above it; below the limit is below the window. -9 where the
        patient was not seen, or was on another drug: the level of the old one is then no trough of a treatment.
    ada_drug_sensitive, ada_drug_tolerant
        (patient, visit) 0 negative, 1 positive, 2 inconclusive.
    drug, doses
        (patient,) mg given and number of doses; counts are whole numbers here and below, as the result holds them.
    responder, loss_time
        (patient,) primary response; day of losing it, NaN if it was kept.
    assessed
        Day on which primary response was judged; NaN if the result does not tell.
    tests
        (patient,) samples taken for the policy; None if the result does not tell.
    stays
        (patient,) day of leaving the trial, infinite for those who stay.
    years
        (patient,) follow-up, to the end or to leaving.
    infusions, reactions
        (patient,) infusions, and those with an acute reaction; None if nobody was infused in any arm, or the result
        does not tell.
    injections
        (patient,) injections; None if the result does not tell.
    other_drugs
        (patient,) mg given of other drugs than the scenario's, by name.
    responding, switched
        (patient, visit) response now, and on another drug than the scenario's; None in scenarios in which response
        cannot come back, and in which nobody can switch.
    """

    name: str
    ids: NDArray[np.int64]
    weeks: tuple[float, ...]
    visits: tuple[str, ...]
    trough: FloatArray
    blq: BoolArray
    lloq: float
    seen: BoolArray
    zone: NDArray[np.int8]
    ada_drug_sensitive: NDArray[np.int8]
    ada_drug_tolerant: NDArray[np.int8]
    drug: FloatArray
    doses: CountArray
    responder: BoolArray
    loss_time: FloatArray
    stays: FloatArray
    years: FloatArray
    assessed: float = math.nan
    tests: CountArray | None = None
    infusions: CountArray | None = None
    reactions: CountArray | None = None
    injections: CountArray | None = None
    other_drugs: Mapping[str, FloatArray] = field(default_factory=dict)
    responding: BoolArray | None = None
    switched: BoolArray | None = None

    def seen_at(self, column: int) -> BoolArray | None:
        """Who was seen at a visit; None for everybody."""
        here = self.seen[:, column]
        return None if here.all() else here

    @property
    def on_drug(self) -> BoolArray:
        """(patient, visit) who was seen and on the scenario's drug: whose levels count."""
        return self.seen if self.switched is None else self.seen & ~self.switched

    def on_drug_at(self, column: int) -> BoolArray | None:
        """Who was seen at a visit and on the scenario's drug; None for everybody."""
        here = self.seen[:, column]
        if self.switched is not None:
            here = here & ~self.switched[:, column]
        return None if here.all() else here

    @property
    def followed(self) -> BoolArray:
        """(patient,) who stayed in the trial to its end."""
        return np.isinf(self.stays)

    def levels_at(self, column: int) -> tuple[FloatArray, BoolArray]:
        """Levels of those on the scenario's drug at a visit, and which are below the limit of quantification."""
        here = self.on_drug_at(column)
        rows = slice(None) if here is None else here
        return self.trough[rows, column], self.blq[rows, column]


def arm_names(result: xr.Dataset) -> tuple[str, ...]:
    """Arms of a result, in its order."""
    return tuple(str(name) for name in np.atleast_1d(result["arm"].values))


def choose_window(result: xr.Dataset, window: str | TargetWindow | None = None) -> TargetWindow:
    """Return the window to score against: the given one, or the scenario's own.

    Raises
    ------
    InputError
        If the name is unknown, the window belongs to another drug, or neither names one.
    """
    from pkmodel import windows

    named = window if window is not None else str(result.attrs.get("window", ""))
    if named == "":
        raise InputError.one("the result names no target window", "pass window=, e.g. window='taxit'")
    drug = str(result.attrs["drug"])
    chosen = windows.load(named, drug=drug) if isinstance(named, str) else named
    if chosen.drug != drug:
        raise InputError.one(
            f"window '{chosen.name}' is for {chosen.drug}, the result is about {drug}",
            f"use a window for {drug}",
        )
    lloq = float(result.attrs["drug_lloq"])
    if lloq > chosen.low:
        warnings.warn(
            f"window {chosen} begins below the drug assay's limit of quantification ({lloq:g} ug/mL): levels "
            "below that limit are counted as below the window although some may lie in it",
            PkWarning,
            stacklevel=3,
        )
    return chosen


def week_text(week: float) -> str:
    """Weeks as the `visit` column writes them: "14"."""
    return f"{week:g}"


def readout(result: xr.Dataset, arm: str, window: TargetWindow) -> ArmReadout:
    """Read one arm of a result; only this arm is brought into memory.

    Parameters
    ----------
    result
        As `scenarios.run` returns it, or read back from its file.
    arm
        Name of the arm.
    window
        Target window the troughs are classified against.

    Raises
    ------
    InputError
        If a variable is missing, or a level is missing without being below the limit of quantification.
    """
    missing = [name for name in REQUIRED if name not in result]
    if missing:
        raise InputError.one(f"the result lacks {', '.join(missing)}", "score a dataset made by scenarios.run")
    names = arm_names(result)
    if arm not in names:
        raise unknown_name("arm", arm, names)
    one = result.isel(arm=names.index(arm)) if "arm" in result.dims else result
    if "allocation" in result:
        one = one.isel(patient=np.flatnonzero(result["allocation"].values == names.index(arm)))
    after_start = np.flatnonzero(one["visit"].values > 0)
    first = int(after_start[0]) if after_start.size else one["visit"].size

    def per_visit(name: str) -> NDArray[np.generic]:
        values: NDArray[np.generic] = one[name].transpose("patient", "visit").values[:, first:]
        return values

    weeks = tuple(float(week) for week in one["visit"].values[first:])
    end = float(result.attrs["duration_d"])
    stays, seen, years = _follow_up(one, weeks, end)
    everybody = bool(seen.all())

    def codes(name: str) -> NDArray[np.int8]:
        values = per_visit(name)
        return (values if everybody else np.where(seen, values, 0)).astype(np.int8, copy=False)

    trough = per_visit("trough_measured").astype(np.float64, copy=False)
    blq = codes("trough_blq").astype(np.bool_)
    _refuse_gaps(trough, blq | ~seen, arm)
    switched = codes("drug_number") != 0 if "drug_number" in one else None
    infused = "infusions" in result and bool((result["infusions"].values > 0).any())
    return ArmReadout(
        name=arm,
        ids=one["patient"].values,
        weeks=weeks,
        visits=tuple(week_text(week) for week in weeks),
        trough=trough,
        blq=blq,
        lloq=float(result.attrs["drug_lloq"]),
        seen=seen,
        zone=_classify(window, trough, blq, seen if switched is None else seen & ~switched),
        ada_drug_sensitive=codes("ada_drug_sensitive"),
        ada_drug_tolerant=codes("ada_drug_tolerant"),
        drug=one["dose_total"].values.astype(np.float64, copy=False),
        doses=one["doses"].values,
        responder=one["responder"].values.astype(np.bool_),
        loss_time=one["loss_time"].values.astype(np.float64, copy=False),
        stays=stays,
        years=years,
        assessed=float(result.attrs.get("assessment_d", math.nan)),
        tests=one["tests"].values if "tests" in one else None,
        infusions=one["infusions"].values if infused else None,
        injections=one["injections"].values if "injections" in one else None,
        other_drugs={
            str(name).removeprefix(_OTHER): one[name].values for name in one.data_vars if str(name).startswith(_OTHER)
        },
        responding=codes("responding").astype(np.bool_) if "responding" in one else None,
        switched=switched,
        reactions=one["reactions"].values if infused and "reactions" in one else None,
    )


def _refuse_gaps(trough: FloatArray, blq: BoolArray, arm: str) -> None:
    gaps = sum(int(np.count_nonzero(np.isnan(trough[:, k]) & ~blq[:, k])) for k in range(trough.shape[1]))
    if gaps:
        raise InputError.one(
            f"arm '{arm}': {gaps} measured troughs are missing but not below the limit of quantification",
            "a level below it is NaN with trough_blq = 1; no other level may be missing",
            key="trough_measured",
        )


def _follow_up(one: xr.Dataset, weeks: tuple[float, ...], end: float) -> tuple[FloatArray, BoolArray, FloatArray]:
    """Day on which each patient leaves (infinite for those who stay), who is seen at each visit, years of follow-up.

    Where nobody leaves, each is a single number that only looks like an array: with a million patients that counts.
    """
    n = one.sizes["patient"]
    if "leaves" not in one:
        shape = (n, len(weeks))
        return (
            np.broadcast_to(math.inf, n),
            np.broadcast_to(np.bool_(True), shape),
            np.broadcast_to(end / DAYS_PER_YEAR, n),
        )
    leaves = one["leaves"].values.astype(np.float64, copy=False)
    stays = np.where(np.isnan(leaves), math.inf, leaves)
    return stays, stays[:, None] > 7.0 * np.array(weeks), np.minimum(stays, end) / DAYS_PER_YEAR


def _classify(window: TargetWindow, trough: FloatArray, blq: BoolArray, counted: BoolArray) -> NDArray[np.int8]:
    """Classify visit by visit: with a million patients the temporaries of all visits at once would count."""
    zone = np.full(trough.shape, UNSEEN, dtype=np.int8)
    for column in range(trough.shape[1]):
        everybody = bool(counted[:, column].all())
        here = slice(None) if everybody else counted[:, column]
        zone[here, column] = window.classify(trough[here, column], blq[here, column])
    return zone
