"""The measurements, one function for each part of the suite."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

import pkmodel as pk
from benchmarks import antibody, workloads
from benchmarks.measures import Measurement
from benchmarks.peers import PEERS, Peer, tune
from benchmarks.references import max_error
from benchmarks.timing import Timing, interleaved
from pkmodel.errors import PkWarning

OURS = "pkmodel"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much to do.

    Attributes
    ----------
    patients
        Of every workload that is not slow.
    repeats, few
        Timed repeats of quick and of slow work.
    checked
        Patients whose ODE solution is compared with the reference.
    peer_cap
        Most patients for any peer.
    """

    patients: int
    repeats: int = 11
    few: int = 5
    checked: int = 100
    peer_cap: int = 10_000

    @classmethod
    def quick(cls) -> Sizes:
        """Enough to see that everything works."""
        return cls(patients=100, repeats=1, few=1, checked=3, peer_cap=3)


def ms_per_1000(timing: Timing, patients: int) -> float:
    """Median in ms per 1,000 patients."""
    return 1e6 * timing.median / patients


def closed_form(sizes: Sizes) -> list[Measurement]:
    """W1, W2, W4 in turn, then W1 and W4 beside NumPy superposition."""
    n = sizes.patients
    cases = [workloads.w1(n), workloads.w2(n), workloads.w4(n)]
    ours = interleaved({case.name: partial(case.run, 1) for case in cases}, 3 * sizes.repeats)
    # All is timed before any reference is computed: large temporaries change how the C library hands out memory,
    # and with it the time of everything that allocates arrays (up to twofold for NumPy's plain form).
    pairs = {
        (case.name, form): interleaved({OURS: partial(case.run, 1), form: by_hand}, sizes.repeats)
        for case in cases
        for form, by_hand in case.by_hand.items()
    }
    found = []
    for case in cases:
        right = case.reference()
        faster = ours["W1"].times_faster_than(ours[case.name])
        found.append(
            Measurement(
                workload=case.name,
                tool=OURS,
                patients=n,
                ms=ms_per_1000(ours[case.name], n),
                error=max_error(case.run(1)["concentration"].to_numpy(), right),
                note="" if case.name == "W1" else f"{faster:.2f} x W1",
            )
        )
        for form, by_hand in case.by_hand.items():
            pair = pairs[case.name, form]
            found.append(
                Measurement(
                    workload=case.name,
                    tool=f"NumPy superposition, {form}",
                    patients=n,
                    ms=ms_per_1000(pair[form], n),
                    error=max_error(by_hand(), right),
                    ratio=pair[OURS].times_faster_than(pair[form]),
                )
            )
    return found


def floors(sizes: Sizes) -> list[Measurement]:
    """What W1 cannot avoid: writing the result, drawing the patients, labelling."""
    from pkmodel import dataset

    n, days = sizes.patients, np.arange(0.0, 7.0 * 55, 7.0)
    model = pk.PopulationModel.simple(CL=0.407, V1=3.29, omega={"CL": 0.38, "V1": 0.22})
    patients, draws = pk.Patients.typical(n), pk.Draws(1)
    filled = np.ones((n, days.size, 1))

    def label() -> object:
        return dataset.trajectories(
            filled, days, model, patients, seed=1, immunogenicity=None, assays=None, draws=draws
        )

    works: dict[str, Callable[[], object]] = {
        "write a fresh (patient, time) array": lambda: np.full((n, days.size), 1.0),
        "draw two log-normals": lambda: np.exp(draws.normal(pk.Stream.ETA, patients.ids, 2)),
        "build the Dataset": label,
    }
    timings = interleaved(works, 3 * sizes.repeats)
    return [
        Measurement(workload="W1 floor", tool=name, patients=n, ms=ms_per_1000(timing, n))
        for name, timing in timings.items()
    ]


def antibody_system(sizes: Sizes, *, with_peers: bool, say: Say) -> list[Measurement]:
    """The antibody ODE by pkmodel and by every peer, at matched error."""
    everybody = antibody.antibody_workload(sizes.patients)
    checked = everybody.task.first(min(sizes.checked, sizes.patients))
    right = antibody.reference(checked)
    ours = antibody.error(everybody.solve(), right)
    timing = interleaved({OURS: partial(everybody.run, 1)}, sizes.few)[OURS]
    found = [
        Measurement(
            workload="antibody ODE",
            tool=OURS,
            patients=sizes.patients,
            ms=ms_per_1000(timing, sizes.patients),
            error=ours,
        )
    ]
    for peer in PEERS if with_peers else ():
        say(f"antibody ODE: {peer.name}")
        missing = peer.missing()
        if missing is not None:
            found.append(Measurement(workload="antibody ODE", tool=peer.name, note=f"not installed ({missing})"))
            continue
        found.append(_beside(peer, everybody, right, ours, sizes))
    return found


def _beside(
    peer: Peer, everybody: antibody.AntibodyWorkload, right: antibody.Floats, ours: float, sizes: Sizes
) -> Measurement:
    n, m = len(everybody.task), min(peer.patients, sizes.peer_cap, len(everybody.task))
    few = min(m, right.shape[0])
    try:
        rtol, error = tune(peer.start(everybody.task.first(few)), right[:few], ours)
        solve = peer.start(everybody.task.first(m))
        pair = interleaved({OURS: partial(everybody.run, 1), peer.name: lambda: solve(rtol)}, sizes.few)
    except Exception as fault:  # a peer that breaks is a finding, not the end of the suite
        return Measurement(workload="antibody ODE", tool=peer.name, note=f"failed: {str(fault)[:200]}")
    return Measurement(
        workload="antibody ODE",
        tool=peer.name,
        patients=m,
        ms=ms_per_1000(pair[peer.name], m),
        error=error,
        ratio=pair[OURS].times_faster_than(pair[peer.name]) * n / m,
        note=f"rtol {rtol:.1g}",
    )


def trial_arm(sizes: Sizes) -> tuple[list[Measurement], float]:
    """W5 on one and on two threads, and how much faster two are."""
    n, scenario = sizes.patients, workloads.w5_scenario()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PkWarning)
        result, _ = workloads.w5(n, 1, scenario)
        timings = interleaved({str(k): partial(workloads.w5, n, k, scenario) for k in (1, 2)}, sizes.repeats)
    onset = 100.0 * float(np.isfinite(result["onset_time"].to_numpy()).mean())
    gain = timings["2"].times_faster_than(timings["1"])
    return [
        Measurement(
            workload="W5",
            tool=f"{OURS}, {threads} thread{'s' if threads == '2' else ''}",
            patients=n,
            ms=ms_per_1000(timing, n),
            note=f"{onset:.0f} % seroconvert" if threads == "1" else f"{gain:.2f} x faster",
        )
        for threads, timing in timings.items()
    ], gain
