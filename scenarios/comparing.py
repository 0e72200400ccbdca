"""Compare arms: paired differences between what the same patients met in two arms, or differences of two groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pkmodel.errors import unknown_name
from scenarios.allocation import PAIRED
from scenarios.intervals import Interval, apart
from scenarios.metrics import METRICS, Metric, Reading, choose_metrics
from scenarios.page import Heading
from scenarios.readout import arm_names, choose_window, readout
from scenarios.tables import CompareTable

if TYPE_CHECKING:
    import xarray as xr

    from pkmodel.windows import TargetWindow

COLUMNS = ("arm", "against", "metric", "visit", "unit", "difference", "low", "high", "n")
AT_LIMIT = " (below LLOQ taken as LLOQ)"


def compare(
    result: xr.Dataset,
    metric: str | None = None,
    against: str | None = None,
    *,
    window: str | TargetWindow | None = None,
    metrics: Mapping[str, Metric] = METRICS,
) -> CompareTable:
    """Compare every arm of a result with one of them, patient by patient.

    Parameters
    ----------
    result
        Dataset made by `scenarios.run`, in memory or read back from its file.
    metric
        Only this one; None for all.
    against
        Arm to compare with; None for the first.
    window
        Name of a target window, or the window itself; None for the scenario's own.
    metrics
        The metrics to choose from, by name.

    Returns
    -------
    CompareTable
        `.frame` with columns arm, against, metric, visit, unit, difference (arm minus against), low, high, n.
        Percentages differ in percentage points. Empty for a result of one arm.

    Raises
    ------
    InputError
        For an unknown window, metric or arm, a window of another drug, or a result that lacks something.

    Notes
    -----
    Arms share their patients and every random number, so most of the variation cancels in the difference and
    the interval is narrower than two separate ones suggest; arms with equal data differ by exactly 0. In a randomised
    trial the arms hold different patients: then the difference is that of two groups (`scenarios.intervals.apart`).
    """
    target = choose_window(result, window)
    chosen = choose_metrics(metric, metrics)
    names = arm_names(result)
    reference = names[0] if against is None else against
    if reference not in names:
        raise unknown_name("arm", reference, names)
    base = readout(result, reference, target)
    paired = result.attrs.get("design", PAIRED) == PAIRED
    rows: list[tuple[object, ...]] = []
    for name in names:
        if name == reference:
            continue
        arm = readout(result, name, target)
        for measure in chosen.values():
            for ours, theirs in zip(measure(arm), measure(base), strict=True):
                got = _difference(ours, theirs, paired=paired)
                unit = _unit(ours.unit, got)
                row = (name, reference, ours.metric, ours.visit, unit, got.estimate, got.low, got.high, got.n)
                rows.append(row)
    return CompareTable.from_rows(COLUMNS, rows, Heading.of(result, target))


def _difference(ours: Reading, theirs: Reading, *, paired: bool) -> Interval:
    one, other = ours.sample, theirs.sample
    if type(one) is not type(other):
        kinds = f"a {type(one).__name__} in one arm, a {type(other).__name__} in another"
        raise TypeError(f"metric '{ours.metric}' gives {kinds}")
    if not paired:
        return apart(one.interval(), other.interval())
    return one.minus(other)  # type: ignore[arg-type]  # of one kind, as was just checked


def _unit(unit: str, difference: Interval) -> str:
    if unit == "percent":
        return "percentage points"
    return unit + AT_LIMIT if difference.at_limit else unit
