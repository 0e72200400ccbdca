"""Memory and time of a whole scenario, each size in a process of its own.

``python -m benchmarks.memory PATIENTS THREADS`` is that process: it prints one line of JSON.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCENARIO = "combination-therapy"  # four arms, reviewed every two weeks


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What a scenario took.

    Attributes
    ----------
    run_s, score_s
        Seconds of the simulation and of the scores.
    before_gb, run_gb, score_gb
        Peak resident memory (10^9 bytes) after a warm-up with few patients, after the simulation, and after
        the scores.
    """

    patients: int
    threads: int
    run_s: float
    score_s: float
    before_gb: float
    run_gb: float
    score_gb: float


def peak_gb() -> float:
    """Peak resident memory of this process, 10^9 bytes.

    Linux hands the peak of the parent on to a child in ``getrusage``; its own is in /proc.
    """
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return float(line.split()[1]) * 1024 / 1e9
    except OSError:
        pass
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 1e9


def measure(patients: int, threads: int) -> Footprint:
    """Run the scenario in this process, summaries only."""
    import warnings

    import scenarios as sc

    warnings.simplefilter("ignore")  # about patients outside the model's range: told at every size
    scenario = sc.Scenario.load(SCENARIO)
    sc.score(sc.run(scenario, patients=200, threads=threads))  # loads or compiles the kernels
    before = peak_gb()
    begin = time.perf_counter()
    result = sc.run(scenario, patients=patients, threads=threads)
    run_s, run_gb = time.perf_counter() - begin, peak_gb()
    begin = time.perf_counter()
    sc.score(result)
    return Footprint(
        patients=patients,
        threads=threads,
        run_s=run_s,
        score_s=time.perf_counter() - begin,
        before_gb=before,
        run_gb=run_gb,
        score_gb=peak_gb(),
    )


def in_a_child(patients: int, threads: int) -> Footprint:
    """:func:`measure` in a fresh process.

    Raises
    ------
    RuntimeError
        With what the process said, if it failed.
    """
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", str(patients), str(threads)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"{patients} patients: {done.stderr[-2000:]}")
    return Footprint(**json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    print(json.dumps(asdict(measure(int(sys.argv[1]), int(sys.argv[2])))))
