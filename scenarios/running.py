"""Run a scenario: the same virtual patients through every arm.

Patients are simulated in chunks, each on one thread from the drawing of its patients to its last visit: while one
thread is in a compiled loop, another keeps its books (:mod:`scenarios.turns`). Results do not depend on chunks, threads
or other arms, because random numbers are addressed and every patient's grid is its own.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pkmodel.draws import Draws
from pkmodel.errors import InputError, PkWarning
from pkmodel.patients import Patients
from scenarios.allocation import allocate, as_trial
from scenarios.arm import ArmRun
from scenarios.cohorts import Cohort
from scenarios.ledger import Ledger, Pages
from scenarios.scenario import Scenario
from scenarios.setting import Setting
from scenarios.store import Store
from scenarios.turns import Turns

if TYPE_CHECKING:
    import xarray as xr

CHUNK = 4096  # patients at most; their state and outputs then stay in a core's cache
_FEW = 128  # patients for a thread; with fewer, a thread costs more than it saves
_KEEPS = ("summary", "trajectories")


def run(
    scenario: Scenario,
    patients: int | Patients = 1000,
    seed: int = 1,
    *,
    keep: str = "summary",
    ledger: Ledger | None = None,
    progress: Callable[[float], None] | None = None,
    threads: int | None = None,
) -> xr.Dataset:
    """Simulate every arm of a scenario with the same patients.

    Parameters
    ----------
    scenario
        From :meth:`scenarios.Scenario.load`.
    patients
        How many to draw from the scenario's cohort, or the patients themselves.
    seed
        Of all random numbers.
    keep
        "summary" keeps what was seen at the scored visits; "trajectories" also the free drug at every
        decision day.
    ledger
        An empty :class:`scenarios.Ledger` to take down every decision of every patient; None keeps none.
    progress
        Called with the share done, 0 to 1.
    threads
        1 stays on the calling thread; None takes as many as the kernels have.

    Returns
    -------
    xarray.Dataset
        Dimensions (arm, patient, visit[, time]); see docs/reference/result.md for the variables.

    Raises
    ------
    InputError
        For faulty names, numbers of patients or seeds.
    """
    if keep not in _KEEPS:
        raise InputError.one(f"cannot keep '{keep}'", f"use one of: {', '.join(_KEEPS)}", key="keep")
    setting = Setting.of(scenario, seed, threads)
    source = Cohort.load(scenario.cohort) if isinstance(patients, int) else patients
    n = patients if isinstance(patients, int) else len(patients)
    if n < 1:
        raise InputError.one(f"{n} patients", "ask for at least 1", key="patients")
    workers = _workers(n, threads)
    turns = Turns()
    work = _Work(
        setting=setting if workers == 1 else replace(setting, threads=1, aside=turns.aside),
        turns=turns,
        patients=source,
        store=Store(scenario, setting, n, keep),
        trajectories=keep == "trajectories",
    )
    chunks = _chunks(n, workers)
    pages = [[None if ledger is None else ledger.pages(arm.name) for arm in scenario.arms] for _ in chunks]
    outside = Counter[str]()
    for rows, found in zip(chunks, _shared_out(work, chunks, pages, workers), strict=True):
        outside.update(found)
        if progress is not None:
            progress(rows.stop / n)
    for name, count in outside.items():
        if count:
            warnings.warn(
                f"{count} of {n} patients have a {name} outside the range model '{scenario.model}' was built on",
                PkWarning,
                stacklevel=2,
            )
    return as_trial(work.store.dataset(seed), scenario.design, setting.draws)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What every chunk of a run needs; each writes into rows of the store that are its own."""

    setting: Setting
    turns: Turns
    patients: Cohort | Patients
    store: Store
    trajectories: bool

    def chunk(self, rows: slice, pages: Sequence[Pages | None]) -> dict[str, int]:
        """Simulate some patients in all arms. Returns how many are outside the model's range, by covariate."""
        with self.turns.taken():
            return self._chunk(rows, pages)

    def _chunk(self, rows: slice, pages: Sequence[Pages | None]) -> dict[str, int]:
        setting, scenario = self.setting, self.setting.scenario
        if isinstance(self.patients, Cohort):
            chunk = self.patients.sample(rows.stop - rows.start, seed=setting.draws.seed, first=rows.start)
        else:
            chunk = self.patients.take(rows)
        self.store.take_covariates(rows, chunk)
        for number, arm in enumerate(scenario.arms):
            mine = _members(scenario, number, chunk, setting.draws)
            if mine.size:
                done = ArmRun(setting, arm, chunk.take(mine)).carry_through(self.trajectories, pages=pages[number])
                self.store.take_arm(rows.start + mine, number, done)
        return setting.model.outside_domain(chunk.covariates)


def _workers(n: int, threads: int | None) -> int:
    """How many threads simulate: those that the kernels would use, unless there are few patients."""
    from pkmodel.kernels._jit import threads_in_use

    most = threads_in_use() if threads is None else min(threads, threads_in_use())
    return max(1, min(most, n // _FEW))


def _chunks(n: int, workers: int) -> list[slice]:
    """Chunks of nearly equal size, as many for each thread."""
    parts = workers * math.ceil(n / (workers * CHUNK))
    edges = [n * k // parts for k in range(parts + 1)]
    return [slice(begin, end) for begin, end in pairwise(edges) if end > begin]


def _shared_out(
    work: _Work, chunks: Sequence[slice], pages: Sequence[Sequence[Pages | None]], workers: int
) -> Iterator[dict[str, int]]:
    """Do all chunks; what each returns, in their order."""
    if workers == 1:
        yield from map(work.chunk, chunks, pages)
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="pkmodel") as pool:
        try:
            yield from pool.map(work.chunk, chunks, pages)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # after an error, chunks that have not begun never do


def _members(scenario: Scenario, number: int, chunk: Patients, draws: Draws) -> NDArray[np.int64]:
    """Rows of a chunk that are in an arm: all of them, unless the trial is randomised."""
    if not scenario.design.randomised:
        return np.arange(len(chunk))
    return np.flatnonzero(allocate(scenario.design, chunk.ids, draws) == number)
