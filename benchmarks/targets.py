"""What is to be reached, and whether it is."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.measures import Measurement, Target
from benchmarks.memory import Footprint
from benchmarks.startup import StartUp
from benchmarks.suite import OURS

ERROR = 1e-10
_MILLION = 1_000_000


def targets(
    measured: Sequence[Measurement],
    threads: float,
    footprints: Sequence[Footprint],
    startups: Sequence[StartUp],
) -> list[Target]:
    """Every "at least" and "aim", in the order in which they were set."""
    return [
        *_closed_form(measured),
        *_solver(measured),
        _arm(measured),
        *_million(footprints),
        Target(name="two threads against one on W5", unit="x", value=threads, at_least=1.6, aim=1.85, more=True),
        *_start(startups),
    ]


def _find(measured: Sequence[Measurement], workload: str, tool: str) -> Measurement | None:
    return next((m for m in measured if m.workload == workload and m.tool.startswith(tool)), None)


def _closed_form(measured: Sequence[Measurement]) -> list[Target]:
    found = []
    ours = {name: _find(measured, name, OURS) for name in ("W1", "W2", "W4")}
    for name in ("W1", "W4"):
        us, numpy = ours[name], _find(measured, name, "NumPy superposition, plain")
        error = us.error if us is not None else None
        fine = (f"error <= {ERROR:g}", error is not None and error <= ERROR)
        found.append(
            Target(
                name=f"{name}: faster than NumPy superposition, plain",
                unit="x", value=numpy.ratio if numpy else None, at_least=60.0, more=True, also=fine,
            )
        )  # fmt: skip
        found.append(Target(name=f"{name}: per 1,000 patients", unit="ms", value=us.ms if us else None, aim=0.2))
    w1, w2 = ours["W1"], ours["W2"]
    ratio = w2.ms / w1.ms if w1 and w2 and w1.ms and w2.ms else None
    fine = (f"error <= {ERROR:g}", w2 is not None and w2.error is not None and w2.error <= ERROR)
    found.append(Target(name="W2 against W1", unit="x", value=ratio, at_least=3.0, aim=1.5, also=fine))
    return found


def _solver(measured: Sequence[Measurement]) -> list[Target]:
    us, peer = _find(measured, "antibody ODE", OURS), _find(measured, "antibody ODE", "numbalsoda")
    equal = us is not None and peer is not None and us.error is not None and peer.error is not None
    fine = ("at equal or smaller error", equal and us.error <= peer.error)  # type: ignore[union-attr, operator]
    value = peer.ratio if peer else None
    return [
        Target(
            name="antibody ODE: faster than numbalsoda LSODA",
            unit="x",
            value=value,
            at_least=8.0,
            aim=20.0,
            more=True,
            also=fine,
        )
    ]


def _arm(measured: Sequence[Measurement]) -> Target:
    us = _find(measured, "W5", f"{OURS}, 1")
    return Target(name="W5: per 1,000 patients", unit="ms", value=us.ms if us else None, at_least=25.0, aim=10.0)


def _million(footprints: Sequence[Footprint]) -> list[Target]:
    by_size = {item.patients: item for item in footprints}
    most, growth = by_size.get(_MILLION), None
    if len(by_size) > 1:
        large, small = by_size[max(by_size)], by_size[min(by_size)]
        growth = (large.run_s / large.patients) / (small.run_s / small.patients)
    name = "four arms, 1,000,000 patients"
    return [
        Target(name=f"{name}: peak memory", unit="GB", value=most.run_gb if most else None, at_least=1.5),
        Target(name=f"{name}: run, two threads", unit="s", value=most.run_s if most else None, aim=90.0),
        Target(
            name="four arms: time per patient, largest against smallest",
            unit="x",
            value=growth,
            at_least=1.15,
        ),
    ]


def _start(startups: Sequence[StartUp]) -> list[Target]:
    found = []
    for item in startups:
        if item.command.endswith("--out DIR"):
            continue
        if " run " in item.command:
            found.append(Target(name="first run ever, compiling", unit="s", value=item.cold, at_least=60.0, aim=30.0))
            found.append(Target(name="any later run", unit="s", value=item.warm, at_least=4.0, aim=2.5))
        else:
            found.append(Target(name=item.command, unit="s", value=item.warm, at_least=0.3, aim=0.15))
    return found
