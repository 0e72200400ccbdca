"""``python -m benchmarks``: every workload with its error, beside other simulators, and what is reached."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import machine, memory, model_informed, startup, suite
from benchmarks.measures import Measurement
from benchmarks.report import Report
from benchmarks.suite import Sizes


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--patients", type=int, default=10_000, metavar="N", help="virtual patients [10000]")
    parser.add_argument("--quick", action="store_true", help="small sizes, nothing judged: a smoke test")
    parser.add_argument(
        "--peers",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="time other ODE simulators too [yes]",
    )
    parser.add_argument("--full", action="store_true", help="also the scenario with 1,000,000 patients")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all findings there")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw cost against patients and years (minutes)")
    return parser


def collect(
    sizes: Sizes, *, quick: bool = False, peers: bool = True, full: bool = False, plot: Path | None = None
) -> Report:
    """Measure everything asked for."""
    from benchmarks.targets import targets

    where = machine.describe()  # before this suite adds to the load
    measured: list[Measurement] = []
    _say("W1, W2, W4")
    measured += suite.closed_form(sizes)
    measured += suite.floors(sizes)
    _say("antibody ODE")
    measured += suite.antibody_system(sizes, with_peers=peers, say=_say)
    _say("W5")
    arm, gain = suite.trial_arm(sizes)
    measured += arm
    _say("model-informed")
    measured += model_informed.measurements(sizes.patients, sizes.few)
    footprints = []
    for n in (sizes.patients,) if quick else (10_000, 100_000, *((1_000_000,) if full else ())):
        _say(f"four arms, {n:,} patients")
        footprints.append(memory.in_a_child(n, 2))
    _say("command line")
    startups = startup.prompt(1 if quick else 9)
    if not quick:
        startups += startup.runs(1000, 5)
    curves = []
    if plot is not None:
        from benchmarks import plot as picture
        from benchmarks import scaling

        curves = scaling.curves(_say, 3000 if quick else 1_000_000)
        picture.draw(curves, plot, f"{where['processor']}, commit {where['commit'][:12]}")
    return Report(
        machine=where,
        options={"patients": sizes.patients, "quick": quick, "peers": peers, "full": full},
        measurements=measured,
        targets=[] if quick else targets(measured, gain, footprints, startups),
        footprints=footprints,
        startups=startups,
        curves=curves,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suite and print its tables."""
    options = _parser().parse_args(arguments)
    if options.patients < 100:
        _parser().error("--patients must be at least 100")
    sizes = Sizes.quick() if options.quick else Sizes(patients=options.patients)
    report = collect(sizes, quick=options.quick, peers=options.peers, full=options.full, plot=options.plot)
    print(report.text())
    if options.json is not None:
        report.write_json(options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
