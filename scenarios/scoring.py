"""Score a result: every metric of every arm, with its Monte-Carlo 95 % interval."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from scenarios.metrics import METRICS, Metric, Reading, choose_metrics
from scenarios.page import Heading
from scenarios.readout import arm_names, choose_window, readout
from scenarios.tables import ScoreTable

if TYPE_CHECKING:
    import xarray as xr

    from pkmodel.windows import TargetWindow

COLUMNS = ("arm", "metric", "visit", "unit", "estimate", "low", "high", "n")
AT_LIMIT = " (at or below LLOQ)"


def score(
    result: xr.Dataset,
    window: str | TargetWindow | None = None,
    *,
    metric: str | None = None,
    metrics: Mapping[str, Metric] = METRICS,
) -> ScoreTable:
    """Score each arm of a result against a target window.

    Parameters
    ----------
    result
        Dataset made by `scenarios.run`, in memory or read back from its file.
    window
        Name of a target window, or the window itself; None for the scenario's own.
    metric
        Only this one; None for all.
    metrics
        The metrics to choose from, by name: add your own to `scenarios.metrics.METRICS`.

    Returns
    -------
    ScoreTable
        `.frame` with columns arm, metric, visit, unit, estimate, low, high, n; `print` it to read it.

    Raises
    ------
    InputError
        For an unknown window or metric, a window of another drug, or a result that lacks something.

    Notes
    -----
    Arms are scored one by one: an arm's numbers do not depend on the arms beside it, nor on the order of its
    patients.
    """
    target = choose_window(result, window)
    chosen = choose_metrics(metric, metrics)
    rows: list[tuple[object, ...]] = []
    for name in arm_names(result):
        arm = readout(result, name, target)
        for measure in chosen.values():
            rows.extend(map(partial(_row, name), measure(arm)))  # a reading is let go of before the next is made
        del arm  # before the next one is read: with a million patients two at a time would count
    return ScoreTable.from_rows(COLUMNS, rows, Heading.of(result, target))


def _row(arm: str, reading: Reading) -> tuple[object, ...]:
    got = reading.sample.interval()
    unit = reading.unit + AT_LIMIT if got.at_limit else reading.unit
    return (arm, reading.metric, reading.visit, unit, got.estimate, got.low, got.high, got.n)
