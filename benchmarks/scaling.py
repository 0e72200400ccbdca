"""Cost against the number of patients and against the years simulated."""

from __future__ import annotations

import gc
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from benchmarks import workloads
from benchmarks.timing import timed
from pkmodel.errors import PkWarning

PATIENTS = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
YEARS = (1, 2, 3, 5, 7, 10)
YEARS_PATIENTS = {"W1": 10_000, "W5": 2_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Seconds of one tool on one workload against ``along``: "patients", or "years" (with so many patients)."""

    workload: str
    tool: str
    along: str
    patients: int | None
    x: tuple[float, ...]
    seconds: tuple[float, ...]


def curves(say: Callable[[str], None], largest: int = PATIENTS[-1]) -> list[Curve]:
    """W1 and W5 on one thread; NumPy superposition beside W1 up to 100,000 patients (it holds large arrays)."""
    sizes = [n for n in PATIENTS if n <= largest]
    found = []
    for workload, tool, most in (
        ("W1", "pkmodel", largest),
        ("W1", "NumPy", 100_000),
        ("W5", "pkmodel", largest),
    ):
        seconds = []
        x = [n for n in sizes if n <= most]
        for n in x:
            say(f"{workload}, {tool}: {n:,} patients")
            seconds.append(_seconds(_work(workload, tool, n, 1.0), 5 if n <= 30_000 else 0))
        found.append(
            Curve(
                workload=workload,
                tool=tool,
                along="patients",
                patients=None,
                x=tuple(x),
                seconds=tuple(seconds),
            )
        )
    for workload, n in YEARS_PATIENTS.items():
        seconds = []
        for years in YEARS:
            say(f"{workload}: {years} years")
            seconds.append(_seconds(_work(workload, "pkmodel", n, float(years)), 3))
        found.append(
            Curve(workload=workload, tool="pkmodel", along="years", patients=n, x=YEARS, seconds=tuple(seconds))
        )
    return found


def _work(workload: str, tool: str, n: int, years: float) -> Callable[[], object]:
    if workload == "W5":
        return partial(workloads.w5, n, 1, workloads.w5_scenario(years))
    case = workloads.w1(n, years)
    return case.by_hand["plain"] if tool == "NumPy" else partial(case.run, 1)


def _seconds(work: Callable[[], object], repeats: int) -> float:
    """Median; with 0 repeats the first call counts (long work, when shorter has loaded the kernels)."""
    gc.collect()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PkWarning)
        if repeats:
            return timed(work, repeats).median
        begin = time.perf_counter()
        work()
        return time.perf_counter() - begin
