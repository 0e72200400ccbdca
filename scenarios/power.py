"""Power and sample size of a randomised trial, by simulation.

A large pool of virtual patients goes through every arm (paired). A trial draws patients from the pool without
replacement, different ones for each arm, reads each in his own arm only, and tests. Because the two arms of a trial
hold different patients, their difference scatters as in a real trial, whatever the size of the pool: for arms that are
the same it has the variance S^2 (1/n1 + 1/n2) exactly.

The pool is divided into groups of different patients and every trial stays in one group. So the groups' powers are
independent, and their scatter holds both kinds of chance: which trials were drawn, and which patients are in the pool.
The interval is Student's over groups, widened where Wilson's over trials is wider (near 0 and 1 groups can agree by
accident).

Shares are compared by the chi-squared test without continuity correction, times to an event by the log-rank test, both
two-sided. Several arms are each compared with the reference, without correction for multiplicity.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pkmodel.draws import Draws, Stream
from pkmodel.errors import InputError, unknown_name
from scenarios.endpoints import Endpoint, endpoint
from scenarios.intervals import FloatArray, Share, wilson
from scenarios.readout import ArmReadout, arm_names, choose_window, readout
from scenarios.survival import Times, log_rank
from scenarios.tables import write_csv

if TYPE_CHECKING:
    import pandas as pd

    from scenarios.scenario import Scenario

COLUMNS = (
    "endpoint", "arm", "against", "patients_per_arm", "power", "low", "high", "trials",
    "percent", "percent_against", "difference",
)  # fmt: skip
GROUPS, FEWEST_GROUPS = 20, 5
SMALLEST_POOL = 2000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PowerTable:
    """Power by size of the trial.

    Attributes
    ----------
    frame
        Columns `COLUMNS`: power is a proportion; the last three, in percent and percentage points, are of the whole
        pool, what the trials try to find.
    alpha
        Two-sided level of the tests.
    """

    frame: pd.DataFrame
    alpha: float
    title: str
    pool: int
    groups: int
    seed: int

    def to_csv(self, path: str | Path) -> None:
        """Write the frame."""
        write_csv(self.frame, path)

    def size_for(self, power: float, arm: str) -> float:
        """Patients per arm for a power, between the sizes that were simulated; NaN beyond them.

        Power grows as ``Phi(b sqrt(n) - z)``; b is fitted to the simulated powers, by least squares on the normal
        scale.
        """
        from scipy.special import ndtri

        rows = self.frame[self.frame["arm"] == arm]
        n, found = rows["patients_per_arm"].to_numpy(float), rows["power"].to_numpy(float)
        if not found.min() <= power <= found.max():
            return math.nan
        inner = (found > 0.0) & (found < 1.0)
        z = ndtri(1.0 - self.alpha / 2.0)
        root = np.sqrt(n[inner])
        slope = float(root @ (ndtri(found[inner]) + z) / (root @ root))
        return float(((ndtri(power) + z) / slope) ** 2)

    def __str__(self) -> str:
        lines = [
            self.title,
            f"Trials resampled from {self.pool:,} virtual patients in {self.groups} groups, seed {self.seed}; "
            f"two-sided level {self.alpha:g}",
            "In brackets: 95 % Monte-Carlo interval (trials and patients; not doubt about the model)",
        ]
        for (name, arm), group in self.frame.groupby(["endpoint", "arm"], sort=False):
            rows = group.to_dict("records")
            lines += ["", f"{name}: {arm} against {rows[0]['against']}"]
            whole = (rows[0][key] for key in ("percent", "percent_against", "difference"))
            lines.append("  in the whole pool {:.1f} and {:.1f} % ({:+.1f} points)".format(*whole))
            lines += [
                f"  {row['patients_per_arm']:>6,} per arm: power {100 * row['power']:5.1f} % "
                f"({100 * row['low']:.1f}–{100 * row['high']:.1f}), {row['trials']:,} trials"
                for row in rows
            ]
            for goal in (0.8, 0.9):
                size = self.size_for(goal, str(arm))
                if not math.isnan(size):
                    lines.append(f"  about {math.ceil(size):,} per arm for {100 * goal:.0f} % (interpolated)")
        return "\n".join(lines)


def power(
    scenario: Scenario,
    endpoint_name: str,
    sizes: Sequence[int],
    *,
    trials: int = 1000,
    pool: int | None = None,
    seed: int = 1,
    alpha: float = 0.05,
    against: str | None = None,
    progress: Callable[[float], None] | None = None,
    threads: int | None = None,
) -> PowerTable:
    """Power of a randomised trial of a scenario's arms, for several sizes.

    Parameters
    ----------
    scenario
        Its dropout counts; its allocation ratio sets the arms' sizes (a size is that of the smallest arm).
    endpoint_name
        See :mod:`scenarios.endpoints`.
    sizes
        Patients per arm.
    trials
        Simulated trials of each size.
    pool
        Virtual patients to draw from; None for 20 times the largest trial, at least 2,000.
    seed
        Of the patients and of who is drawn.
    alpha
        Two-sided level.
    against
        Arm to compare with; None for the first.
    progress, threads
        As in :func:`scenarios.running.run`.

    Raises
    ------
    InputError
        For fewer than two arms, unknown arms or endpoints, sizes or trials below what makes sense, or a pool that
        holds fewer than five of the largest trial.
    """
    import pandas as pd

    from scenarios.running import run

    asked = endpoint(endpoint_name)
    names = [arm.name for arm in scenario.arms]
    reference = names[0] if against is None else against
    if reference not in names:
        raise unknown_name("arm", reference, names)
    _check(names, sizes, trials, alpha)
    largest = sum(_parts(scenario, max(sizes)))
    total = pool if pool is not None else max(GROUPS * largest, SMALLEST_POOL)
    groups = min(GROUPS, total // largest)
    if groups < FEWEST_GROUPS:
        problem = f"a pool of {total:,} holds {groups} of the largest trial ({largest:,} patients)"
        raise InputError.one(problem, f"ask for --pool {FEWEST_GROUPS * largest} or more", key="pool")
    paired = replace(scenario, design=replace(scenario.design, randomised=False))
    result = run(paired, patients=total, seed=seed, progress=progress, threads=threads)
    window = choose_window(result)
    arms = {name: readout(result, name, window) for name in arm_names(result)}
    lots = np.array_split(np.arange(total), groups)
    rows = []
    for size in sizes:
        parts = dict(zip(names, _parts(scenario, size), strict=True))
        drawn = _draw(lots, arms[reference].ids, parts, trials, Draws(seed))
        for name in names:
            if name != reference:
                found = _significant(asked, arms[name], arms[reference], drawn[name], drawn[reference], alpha)
                rows.append(_row(asked, arms[name], arms[reference], size, found, groups))
    return PowerTable(
        frame=pd.DataFrame(rows, columns=list(COLUMNS)),
        alpha=alpha,
        title=f"{scenario.name}: {scenario.title}",
        pool=total,
        groups=groups,
        seed=seed,
    )


def _check(arms: Sequence[str], sizes: Sequence[int], trials: int, alpha: float) -> None:
    if len(arms) < 2:
        raise InputError.one("a trial of one arm", "add an arm to compare with", key="arm")
    if not sizes or min(sizes) < 2:
        raise InputError.one(f"{list(sizes)} patients per arm", "ask for at least 2", key="patients-per-arm")
    if trials < GROUPS:
        raise InputError.one(f"{trials} trials", f"ask for at least {GROUPS}", key="trials")
    if not 0.0 < alpha < 1.0:
        raise InputError.one(f"a level of {alpha}", "use a number between 0 and 1, such as 0.05", key="alpha")


def _parts(scenario: Scenario, size: int) -> list[int]:
    """Patients in each arm when the smallest has ``size``."""
    ratio = scenario.design.ratio or (1,) * len(scenario.arms)
    return [math.ceil(size * part / min(ratio)) for part in ratio]


def _draw(
    lots: Sequence[NDArray[np.int64]], ids: NDArray[np.int64], parts: dict[str, int], trials: int, draws: Draws
) -> dict[str, list[NDArray[np.int64]]]:
    """Rows of the pool that make the arms of each trial: the first of a random order of the trial's group.

    The order follows each patient's own number of that trial, so a trial does not depend on how many others there are.
    """
    drawn: dict[str, list[NDArray[np.int64]]] = {name: [] for name in parts}
    for trial in range(trials):
        lot = lots[trial % len(lots)]
        order = lot[np.argsort(draws.uniform(Stream.RESAMPLING, ids[lot], 1, first=trial)[:, 0], kind="stable")]
        first = 0
        for name, size in parts.items():
            drawn[name].append(order[first : first + size])
            first += size
    return drawn


def _significant(
    asked: Endpoint,
    arm: ArmReadout,
    reference: ArmReadout,
    ours: list[NDArray[np.int64]],
    theirs: list[NDArray[np.int64]],
    alpha: float,
) -> NDArray[np.bool_]:
    """(trial,) whether a trial found a difference."""
    if asked.times is not None:
        one, other = _placed(asked.times(arm), arm.ids), _placed(asked.times(reference), reference.ids)
        found = [log_rank(_those(*one, a), _those(*other, b)) <= alpha for a, b in zip(ours, theirs, strict=True)]
        return np.array(found)
    share, their_share = asked.share(arm), asked.share(reference)
    return chi_squared(_counts(share, ours), _counts(their_share, theirs)) <= alpha


def _placed(times: Times, ids: NDArray[np.int64]) -> tuple[Times, NDArray[np.int64]]:
    """Times, and for each patient of the pool his row in them; -1 for those who are not watched."""
    place = np.full(ids.size, -1)
    place[np.searchsorted(ids, times.ids)] = np.arange(times.ids.size)
    return times, place


def _those(times: Times, place: NDArray[np.int64], rows: NDArray[np.int64]) -> Times:
    mine = place[rows]
    return times.take(mine[mine >= 0])


def _counts(share: Share, drawn: list[NDArray[np.int64]]) -> tuple[FloatArray, FloatArray]:
    """Events and patients of each trial."""
    rows = np.stack(drawn)
    among = np.ones(share.event.size, np.bool_) if share.among is None else share.among
    return (
        np.count_nonzero((share.event & among)[rows], axis=1).astype(np.float64),
        np.count_nonzero(among[rows], axis=1).astype(np.float64),
    )


def chi_squared(one: tuple[FloatArray, FloatArray], other: tuple[FloatArray, FloatArray]) -> FloatArray:
    """p of the chi-squared test of two proportions; 1 where all or none have the event, or a group is empty."""
    from scipy.special import ndtr

    (k1, n1), (k2, n2) = one, other
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = (k1 + k2) / (n1 + n2)
        z = (k1 / n1 - k2 / n2) / np.sqrt(pooled * (1.0 - pooled) * (1.0 / n1 + 1.0 / n2))
    return np.where(np.isfinite(z), 2.0 * ndtr(-np.abs(z)), 1.0)


def _row(
    asked: Endpoint, arm: ArmReadout, reference: ArmReadout, size: int, found: NDArray[np.bool_], groups: int
) -> tuple[object, ...]:
    share, low, high = _power_interval(found, groups)
    ours, theirs = asked.share(arm), asked.share(reference)
    one, other = ours.interval().estimate, theirs.interval().estimate
    return (asked.name, arm.name, reference.name, size, share, low, high, found.size, one, other, one - other)


def _power_interval(found: NDArray[np.bool_], groups: int) -> tuple[float, float, float]:
    from scipy.special import stdtrit

    by_group = np.array([found[group::groups].mean() for group in range(groups)])
    half = float(stdtrit(groups - 1, 0.975) * by_group.std(ddof=1) / math.sqrt(groups))
    whole = wilson(int(np.count_nonzero(found)), found.size)
    power_found = float(by_group.mean()) if found.size % groups else whole.estimate
    return power_found, max(0.0, min(whole.low, power_found - half)), min(1.0, max(whole.high, power_found + half))
