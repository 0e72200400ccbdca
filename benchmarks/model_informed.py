"""A trial of 13 visits in which every patient is estimated anew before every maintenance dose.

``python -m benchmarks.model_informed --patients 100000`` runs it alone on all cores and prints what it took:
simulation, assays, estimates, choices and summaries, through ``sc.run``.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from dataclasses import replace
from functools import partial

import scenarios as sc
from benchmarks.measures import Measurement
from benchmarks.timing import interleaved
from pkmodel.errors import PkWarning

ARM = "by the right model"


def trial() -> sc.Scenario:
    """That arm of the shipped scenario, deciding from the first maintenance dose on."""
    shipped = sc.Scenario.load("model-informed-dosing")
    arm = next(one for one in shipped.arms if one.name == ARM)
    return replace(shipped, arms=(replace(arm, policy=replace(arm.policy, start="0 weeks")),))


def measurements(patients: int, repeats: int) -> list[Measurement]:
    """On one and on two threads."""
    scenario = trial()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PkWarning)
        result = sc.run(scenario, patients=patients, seed=1)
        works = {
            threads: partial(sc.run, scenario, patients=patients, seed=1, threads=threads) for threads in (1, None)
        }
        timings = interleaved({str(threads): work for threads, work in works.items()}, repeats)
    # every maintenance dose has had an estimate; three doses are induction
    estimates = float(result["doses"].mean()) - 3.0
    said = {
        "1": f"{estimates:.1f} estimates per patient",
        "None": f"{timings['None'].times_faster_than(timings['1']):.2f} x faster",
    }
    return [
        Measurement(
            workload="model-informed, 13 visits",
            tool=f"pkmodel, {'1 thread' if threads == '1' else 'all threads'}",
            patients=patients,
            ms=1e6 * timing.median / patients,
            note=said[threads],
        )
        for threads, timing in timings.items()
    ]


def main() -> None:
    """Time one run of many patients, after a small one that compiles."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.model_informed", description=__doc__)
    parser.add_argument("--patients", type=int, default=100_000)
    parser.add_argument("--threads", type=int, help="1 for serial kernels; all cores if left out")
    options = parser.parse_args()
    scenario = trial()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PkWarning)
        sc.run(scenario, patients=200, seed=2, threads=options.threads)
        begin, cpu = time.perf_counter(), time.process_time()
        result = sc.run(scenario, patients=options.patients, seed=1, threads=options.threads)
        seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    estimates = int(result["doses"].sum()) - 3 * options.patients
    print(f"{options.patients:,} patients, {len(scenario.visits)} visits, {estimates:,} estimates: {seconds:.1f} s")
    print(
        f"processor time of all threads {cpu:.1f} s, on a machine with others the better number; load", *os.getloadavg()
    )
    print(f"{1e6 * seconds / estimates:.0f} us per estimate, with everything else")


if __name__ == "__main__":
    main()
