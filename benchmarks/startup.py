"""How long the command line takes: help, lists, the first run ever and later ones. All in fresh processes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
_SCRIPT = "from scenarios.cli import main; main()"  # what the installed script `pkmodel` does
SCENARIO = "scheduled-vs-episodic"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartUp:
    """Seconds of one command line: in the state it is first met in, and later.

    Attributes
    ----------
    cold
        Once, with nothing cached: no byte code; of a run, no compiled kernels.
    warm
        Median of the later ones; NaN if there were none.
    """

    command: str
    cold: float
    warm: float


def seconds(arguments: Sequence[str], environment: dict[str, str]) -> float:
    """Wall time of one command line.

    Raises
    ------
    RuntimeError
        With what it said, if it failed.
    """
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, *arguments],
        cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    took = time.perf_counter() - begin
    if done.returncode != 0:
        raise RuntimeError(f"pkmodel {' '.join(arguments)}: {done.stderr[-2000:]}")
    return took


def prompt(repeats: int) -> list[StartUp]:
    """The commands that should answer at once."""
    found = []
    for arguments in (["--help"], ["list", "scenarios"]):
        with tempfile.TemporaryDirectory() as empty:
            # byte code in a folder of its own, written even where the environment forbids it
            environment = {"PYTHONPYCACHEPREFIX": empty, "PYTHONDONTWRITEBYTECODE": ""}
            cold = seconds(arguments, environment)
            warm = median(seconds(arguments, environment) for _ in range(repeats))
        found.append(StartUp(command=f"pkmodel {' '.join(arguments)}", cold=cold, warm=warm))
    return found


def runs(patients: int, repeats: int) -> list[StartUp]:
    """The first run ever (compiling every kernel) and later ones; then the same with figures and files."""
    plain = ["run", SCENARIO, "--patients", str(patients)]
    with tempfile.TemporaryDirectory() as empty, tempfile.TemporaryDirectory() as target:
        environment = {"NUMBA_CACHE_DIR": empty}
        first = seconds(plain, environment)
        later = median(seconds(plain, environment) for _ in range(repeats))
        written = [seconds([*plain, "--out", str(Path(target) / str(k))], environment) for k in range(repeats + 1)]
    command = f"pkmodel {' '.join(plain)}"
    return [
        StartUp(command=command, cold=first, warm=later),
        StartUp(command=f"{command} --out DIR", cold=written[0], warm=median(written[1:])),
    ]
