"""Published trials of strategies as simulated trials: would a trial of the same size have found the same?

A file in ``validation/trials`` is a scenario with ``[[comparison]]`` entries (or the name of a study among the evidence
whose arms it uses). A comparison is of two arms by one statistic, with what was published and the trial's sizes.

Nothing here is fitted, and levels are not compared: endpoints differ too much. What is compared is whether there was a
winner. The rule, written before any of it was simulated: a simulated trial finds a difference if the chi-squared test
of its two shares has p < 0.05. If at least half of the simulated trials find one, the model says "positive", else
"null".
A published positive trial agrees if the model says positive with the same direction; a published null trial agrees if
the model says null. "direction" is for results published without a test: the sign of the difference must agree.
"""

from __future__ import annotations

import functools
import tomllib
import warnings
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pkmodel.errors import unknown_name
from pkmodel.files import FileModel, parse_toml, read_text
from scenarios.power import chi_squared
from scenarios.scenario import Scenario
from scenarios.toml_text import toml_text
from validation.case import Study, studies
from validation.trial import Parameters, Record, run_arms

_TRIALS = Path(__file__).parent / "trials"
_DRAWS = 400  # trials per parameter set
LEVEL = 0.05

Flags = NDArray[np.bool_]


class ComparisonFile(FileModel):
    """Two arms of a published trial, one endpoint."""

    id: str
    evidence: list[str]
    trial: str
    status: Literal["READ", "MEMORY"]
    endpoint: str
    outcome: Literal["positive", "null", "direction"]
    value: float | None = None
    value_against: float | None = None
    n: Annotated[int, Field(ge=2)]
    n_against: Annotated[int, Field(ge=2)]
    arm: str
    against: str
    statistic: str
    options: dict[str, float] = Field(default_factory=dict)
    citation: str
    url: str = ""
    note: str = ""


class _Comparisons(FileModel):
    study: str = ""
    comparison: list[ComparisonFile]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A study and its comparisons."""

    study: Study
    comparisons: tuple[ComparisonFile, ...]


@functools.cache
def trials() -> tuple[Trial, ...]:
    """All trials of strategies.

    Raises
    ------
    InputError
        For faults of a file, unknown arms and unknown statistics.
    """
    found = tuple(_read(path) for path in sorted(_TRIALS.glob("*.toml")))
    for trial in found:
        arms = [arm.name for arm in trial.study.scenario.arms]
        for one in trial.comparisons:
            for arm in (one.arm, one.against):
                if arm not in arms:
                    raise unknown_name("arm", arm, arms, file=trial.study.name)
            if one.statistic not in STATISTICS:
                raise unknown_name("statistic", one.statistic, STATISTICS, file=trial.study.name)
    return found


def _read(path: Path) -> Trial:
    document = tomllib.loads(read_text(path))
    told: dict[str, Any] = {key: document.pop(key) for key in ("comparison", "study") if key in document}
    content = parse_toml(toml_text(told), _Comparisons, file=path.name)
    if content.study:
        study = studies()[content.study]
    else:
        scenario = Scenario.parse(toml_text(document), file=path.name, name=path.stem, folder=path.parent)
        study = Study(name=path.stem, scenario=scenario, figures=())
    return Trial(study=study, comparisons=tuple(content.comparison))


def _response(record: Record, options: Mapping[str, float]) -> tuple[Flags, Flags]:
    kept = record.responder & ~(record.loss_time <= 7.0 * options["week"])
    return kept, np.ones(kept.size, np.bool_)


def _no_response(record: Record, options: Mapping[str, float]) -> tuple[Flags, Flags]:
    kept, everybody = _response(record, options)
    return ~kept, everybody


def _lost_response(record: Record, options: Mapping[str, float]) -> tuple[Flags, Flags]:
    in_response = record.responder & ~(record.loss_time <= 7.0 * options["from_week"])
    return in_response & (record.loss_time <= 7.0 * options["to_week"]), in_response


def _kept_response(record: Record, options: Mapping[str, float]) -> tuple[Flags, Flags]:
    lost, in_response = _lost_response(record, options)
    return in_response & ~lost, in_response


def _in_range(record: Record, options: Mapping[str, float]) -> tuple[Flags, Flags]:
    """Reported trough in a range, of those in response: before the last dose up to a week, which is a trough."""
    upto = record.given & (record.days <= 7.0 * options["week"])
    last = record.days.size - 1 - upto[:, ::-1].argmax(axis=1)
    level = np.zeros(last.size)
    for number in np.unique(last):
        level = np.where(last == number, record.measured(int(number)), level)
    still = record.responder & upto.any(axis=1) & ~(record.loss_time <= record.days[last])
    return still & (level >= options["low"]) & (level <= options["high"]), still


def _closer_doses(record: Record, options: Mapping[str, float]) -> tuple[Flags, Flags]:
    """Two doses from a week on that are no more than some days apart: the interval was shortened."""
    late = record.days >= 7.0 * options["from_week"]
    days = record.days[late]
    given = np.where(record.given[:, late], days, -np.inf)
    before = np.maximum.accumulate(given, axis=1)[:, :-1]
    closer = (given[:, 1:] - before <= options["days"]) & np.isfinite(given[:, 1:])
    return closer.any(axis=1) & record.responder, record.responder


STATISTICS: Mapping[str, Callable[[Record, Mapping[str, float]], tuple[Flags, Flags]]] = {
    "response": _response,
    "no_response": _no_response,
    "kept_response": _kept_response,
    "lost_response": _lost_response,
    "in_range": _in_range,
    "closer_doses": _closer_doses,
}
"""Each gives who has the event, and of whom: (patient,) both."""

Shares = dict[str, tuple[float, float]]
"""By comparison: percent in the arm and in the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What simulated trials of a comparison's size find.

    Attributes
    ----------
    share, share_against
        Percent, median over parameter sets.
    difference, low, high
        Percentage points: median over sets; 95 % interval over sets and over trials of the published sizes.
    significant
        Percent of the simulated trials with p < 0.05.
    """

    comparison: ComparisonFile
    share: float
    share_against: float
    difference: float
    low: float
    high: float
    significant: float

    @property
    def says(self) -> str:
        """What the model says of such a trial."""
        return "positive" if self.significant >= 50.0 else "null"

    @property
    def same_direction(self) -> bool | None:
        """Whether the difference has the published sign; None where no difference was published."""
        one = self.comparison
        if one.value is None or one.value_against is None:
            return None
        return self.difference * (one.value - one.value_against) > 0.0

    @property
    def agrees(self) -> bool:
        """The rule of this module."""
        if self.comparison.outcome == "null":
            return self.says == "null"
        if self.comparison.outcome == "direction":
            return bool(self.same_direction)
        return self.says == "positive" and bool(self.same_direction)


def shares(parameters: Parameters, n: int) -> Shares:
    """Shares of all comparisons under one parameter set, on ``n`` virtual patients of each cohort."""
    known = {**studies(), **{trial.study.name: trial.study for trial in trials()}}
    wanted = {
        (trial.study.name, arm) for trial in trials() for one in trial.comparisons for arm in (one.arm, one.against)
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        records = run_arms(wanted, known, parameters, n, threads=1)
    found: Shares = {}
    for trial in trials():
        for one in trial.comparisons:
            pair = (records[trial.study.name, arm] for arm in (one.arm, one.against))
            first, second = (_percent(STATISTICS[one.statistic](record, one.options)) for record in pair)
            found[one.id] = (first, second)
    return found


def _percent(flags: tuple[Flags, Flags]) -> float:
    event, among = flags
    return 100.0 * float(np.count_nonzero(event)) / max(int(np.count_nonzero(among)), 1)


def findings(sets: Sequence[Parameters], n: int, workers: int | None = None) -> list[Finding]:
    """What simulated trials find, over parameter sets."""
    work = partial(shares, n=n)
    if workers == 1 or len(sets) == 1:
        by_set: list[Shares] = list(map(work, sets))
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            by_set = list(pool.map(work, sets))
    return [finding(one, [found[one.id] for found in by_set]) for trial in trials() for one in trial.comparisons]


def finding(one: ComparisonFile, found: Sequence[tuple[float, float]]) -> Finding:
    """Trials of the published sizes, drawn at each parameter set's shares."""
    rng = np.random.default_rng(zlib.crc32(one.id.encode()))
    first, second = np.array(found).T / 100.0
    size = (len(found), _DRAWS)
    k1 = rng.binomial(one.n, np.broadcast_to(first[:, None], size)).astype(np.float64)
    k2 = rng.binomial(one.n_against, np.broadcast_to(second[:, None], size)).astype(np.float64)
    n1, n2 = np.full(size, float(one.n)), np.full(size, float(one.n_against))
    low, high = (float(end) for end in np.quantile(100.0 * (k1 / n1 - k2 / n2), (0.025, 0.975)))
    return Finding(
        comparison=one,
        share=100.0 * float(np.median(first)),
        share_against=100.0 * float(np.median(second)),
        difference=100.0 * float(np.median(first - second)),
        low=low,
        high=high,
        significant=100.0 * float(np.mean(chi_squared((k1, n1), (k2, n2)) < LEVEL)),
    )


def table_rows(found: Sequence[Finding]) -> list[list[str]]:
    """The findings as texts: trial, published, simulated, found by, published outcome, verdict."""
    rows = []
    for one in found:
        told = one.comparison
        published = told.outcome if told.outcome != "direction" else "no test read"
        values: Any = "not read"
        if told.value is not None and told.value_against is not None:
            values = f"{told.value:g} against {told.value_against:g} %"
        direction = {None: "none published", True: "same", False: "opposite"}[one.same_direction]
        rows.append(
            [
                f"{told.trial} ({told.status})",
                told.endpoint,
                f"{values}; n = {told.n} and {told.n_against}",
                f"{one.share:.1f} against {one.share_against:.1f} %",
                f"{one.difference:+.1f} ({one.low:+.1f} to {one.high:+.1f})",
                direction,
                published,
                f"{one.says} ({one.significant:.0f} % of trials find it)",
                "agrees" if one.agrees else "disagrees",
            ]
        )
    return rows
