"""What a trial reports: endpoints by arm, risk differences, numbers needed to treat, hazard ratios, log-rank tests."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pkmodel.errors import unknown_name
from scenarios.allocation import PAIRED
from scenarios.endpoints import Endpoint, endpoint
from scenarios.intervals import Interval, apart
from scenarios.page import Heading
from scenarios.readout import ArmReadout, arm_names, choose_window, readout
from scenarios.survival import hazard_ratio, kaplan_meier, log_rank
from scenarios.tables import PAGE_WIDTH, write_csv

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from pkmodel.windows import TargetWindow

COLUMNS = (
    "endpoint", "arm", "against", "percent", "low", "high", "n",
    "difference", "difference_low", "difference_high", "nnt", "nnt_from", "nnt_to",
    "hazard_ratio", "hazard_ratio_low", "hazard_ratio_high", "log_rank_p",
)  # fmt: skip
CURVE_COLUMNS = ("endpoint", "arm", "week", "survival", "low", "high", "at_risk")
_NOTHING = Interval(estimate=math.nan, low=math.nan, high=math.nan, n=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberNeeded:
    """Patients to treat with an arm instead of another for one more good outcome; negative: for one more bad one.

    Parameters
    ----------
    estimate
        One over the gain in the share of good outcomes.
    start, end
        Ends of the 95 % interval, one over the ends of the gain's. With ends of different signs the interval runs
        from `start` (benefit) through infinity to `end` (harm): Altman DG. BMJ 1998;317:1309-12,
        doi:10.1136/bmj.317.7168.1309.
    """

    estimate: float
    start: float
    end: float

    @classmethod
    def of(cls, difference: Interval, *, good: bool) -> NumberNeeded:
        """From a difference in percentage points of an event that is good or bad."""
        low, high = (difference.low, difference.high) if good else (-difference.high, -difference.low)
        gain = difference.estimate if good else -difference.estimate
        return cls(estimate=_over(gain), start=_over(high), end=_over(low))

    def __str__(self) -> str:
        if math.isnan(self.estimate):
            return "?"
        ends = f"{_number(self.start)} to {_number(self.end)}"
        if math.inf > self.start > 0.0 > self.end:
            ends = f"benefit {_number(self.start)} to infinity to harm {_number(-self.end)}"
        return f"{_number(self.estimate)} ({ends})"


def _number(value: float) -> str:
    return "infinity" if math.isinf(value) else f"{value:.3g}"


def _over(points: float) -> float:
    return math.inf if points == 0.0 else 100.0 / points


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrialTable:
    """Endpoints of a trial: a frame of numbers, curves of the times to events, and the heading.

    Attributes
    ----------
    frame
        One row per endpoint and arm, columns `COLUMNS`; percent and percentage points; empty cells where a number
        does not exist (the arm compared with itself; hazard ratios of endpoints judged on one day; the log-rank
        test of paired arms, whose patients are the same).
    curves
        Kaplan-Meier estimates, columns `CURVE_COLUMNS`.
    """

    frame: pd.DataFrame
    curves: pd.DataFrame
    heading: Heading

    def to_csv(self, path: str | Path) -> None:
        """Write the frame."""
        write_csv(self.frame, path)

    def __str__(self) -> str:
        return "\n".join(
            line
            for part in self._lines()
            for line in textwrap.wrap(part, PAGE_WIDTH, subsequent_indent=6 * " ") or [""]
        )

    def _lines(self) -> Iterator[str]:
        yield from self.heading.lines()
        yield "In brackets: 95 % interval. Number needed to treat: negative means harm."
        if self.heading.first_loss:
            yield "Response counts as lost from its first loss on, even where it came back."
        for name, rows in self.frame.groupby("endpoint", sort=False):
            yield from ("", str(name))
            for row in rows.to_dict("records"):
                yield f"  {row['arm']}: {row['percent']:.1f} % ({row['low']:.1f}–{row['high']:.1f}), n = {row['n']:,}"
                if row["against"]:
                    yield from self._compared(row)

    @staticmethod
    def _compared(row: Mapping[Hashable, Any]) -> Iterator[str]:
        yield (
            f"    against {row['against']}: {row['difference']:+.1f} points ({row['difference_low']:+.1f} to "
            f"{row['difference_high']:+.1f}); number needed to treat "
            f"{NumberNeeded(estimate=row['nnt'], start=row['nnt_from'], end=row['nnt_to'])}"
        )
        if not math.isnan(row["hazard_ratio"]):
            p = row["log_rank_p"]
            told = "" if math.isnan(p) else f"; log-rank p = {p:.2g}"
            ratio, low, high = (row[f"hazard_ratio{end}"] for end in ("", "_low", "_high"))
            yield f"    hazard ratio {ratio:.2f} ({low:.2f}–{high:.2f}){told}"


def effects(
    result: xr.Dataset,
    endpoints: Sequence[str],
    against: str | None = None,
    *,
    window: str | TargetWindow | None = None,
) -> TrialTable:
    """Analyse a result as a trial.

    Parameters
    ----------
    result
        Dataset made by `scenarios.run`, paired or randomised.
    endpoints
        Names, see :mod:`scenarios.endpoints`.
    against
        Arm to compare with; None for the first.
    window
        Target window; None for the scenario's own.

    Raises
    ------
    InputError
        For unknown endpoints, arms or windows.
    PkError
        If an endpoint is a time to an event and statsmodels is not installed.
    """
    import pandas as pd

    target = choose_window(result, window)
    asked = [endpoint(name) for name in endpoints]
    names = arm_names(result)
    reference = names[0] if against is None else against
    if reference not in names:
        raise unknown_name("arm", reference, names)
    arms = {name: readout(result, name, target) for name in names}
    paired = result.attrs.get("design", PAIRED) == PAIRED
    rows, curves = [], []
    for one in asked:
        for name in names:
            rows.append(_row(one, arms[name], arms[reference], paired=paired))
            if one.times is not None:
                curve = kaplan_meier(one.times(arms[name]))
                curves.append(curve.assign(endpoint=one.name, arm=name)[list(CURVE_COLUMNS)])
    return TrialTable(
        frame=pd.DataFrame(rows, columns=list(COLUMNS)),
        curves=pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=list(CURVE_COLUMNS)),
        heading=Heading.of(result, target),
    )


def _row(one: Endpoint, arm: ArmReadout, reference: ArmReadout, *, paired: bool) -> tuple[object, ...]:
    share = one.share(arm)
    here = share.interval()
    difference, needed, ratio, p = (
        _NOTHING,
        NumberNeeded(estimate=math.nan, start=math.nan, end=math.nan),
        _NOTHING,
        math.nan,
    )
    other = arm is not reference
    if other:
        theirs = one.share(reference)
        difference = share.minus(theirs) if paired else apart(here, theirs.interval())
        needed = NumberNeeded.of(difference, good=one.good)
    if other and one.times is not None:
        times, their_times = one.times(arm), one.times(reference)
        ratio = hazard_ratio(times, their_times)
        p = math.nan if paired else log_rank(times, their_times)
    return (
        one.name, arm.name, reference.name if other else "", here.estimate, here.low, here.high, here.n,
        difference.estimate, difference.low, difference.high, needed.estimate, needed.start, needed.end,
        ratio.estimate, ratio.low, ratio.high, p,
    )  # fmt: skip
