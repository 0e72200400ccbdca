"""Estimates against numbers that other programs printed, as a table of the report.

Numbers are transcribed as facts from the tests of those projects. Two larger sets of data, sequential forecasts of PsN
and 100 subjects of NONMEM, are compared in ``tests/test_truth_estimation.py`` where they lie beside the repository.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pkmodel import estimation
from pkmodel.drug import PopulationModel
from pkmodel.record import DoseRecord, Level, PatientRecord
from pkmodel.variability import ResidualError
from validation.page import Block, Heading, Table, Words

_H = 1 / 24
_POSOLOGYR = "posologyr, tests of commit 4af150b9"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One printed number, how near it should be met, and ours."""

    what: str
    program: str
    printed: float
    tolerance: float
    ours: float

    @property
    def met(self) -> bool:
        """Whether ours is the printed number to its last digit (or the tolerance that its test states)."""
        return abs(self.ours - self.printed) <= self.tolerance * (1 + 1e-9)


def compare() -> list[Compared]:
    """Everything that is compared."""
    checks: Sequence[Callable[[], Iterator[Compared]]] = (
        _tobramycin, _vancomycin, _amikacin, _piperacillin, _below_the_limit, _area,
    )  # fmt: skip
    return [one for check in checks for one in check()]


def section(found: Sequence[Compared]) -> list[Block]:
    """The part of the report about other programs."""
    met = sum(one.met for one in found)
    text = (
        f"{met} of {len(found)} printed numbers are met to half a unit of their last digit, or to the tolerance that "
        "their own test states. 80 sequential forecasts of PsN with NONMEM (to 1e-4) and the parameters of 100 "
        "subjects of NONMEM (to 2e-3) are compared in tests/test_truth_estimation.py, where these data are at hand."
    )
    rows = [
        [one.what, one.program, f"{one.printed:g}", f"{one.ours:.7g}", f"{one.tolerance:g}", "yes" if one.met else "no"]
        for one in found
    ]
    return [
        Heading("Against other programs"),
        Words(text),
        Table(["quantity", "program", "printed", "here", "tolerance", "met"], rows),
    ]


def _model(
    names: Sequence[str], omega: object, *, sd: float, additive: float = 0.0, correlation: float = 0.0,
    iov: dict[str, float] | None = None, **typical: Any,
) -> PopulationModel:  # fmt: skip
    """A model with a full matrix of etas, in order of the columns of theta."""
    residual = ResidualError(proportional=sd, additive=additive, correlation=correlation)
    plain = PopulationModel.simple(residual=residual, **typical)
    order = [name for name in plain.typical if name in names]
    place = [list(names).index(name) for name in order]
    matrix: NDArray[np.float64] = np.asarray(omega, dtype=np.float64)[np.ix_(place, place)]
    return replace(plain, eta_parameters=tuple(order), omega=matrix, iov=iov or {})


def _record(doses: Sequence[tuple[float, float, float]], levels: Sequence[tuple[float, float]]) -> PatientRecord:
    """Doses (hour, mg, hours) and levels (hour, mg/L)."""
    given = tuple(DoseRecord(day=hour * _H, milligrams=mg, duration=length * _H) for hour, mg, length in doses)
    return PatientRecord(id="1", doses=given, levels=tuple(Level(day=hour * _H, value=y) for hour, y in levels))


def _each(program: str, rows: Sequence[tuple[str, str, float]]) -> Iterator[Compared]:
    """What, the number as it was printed, ours."""
    for what, printed, ours in rows:
        digits = len(printed.partition(".")[2])
        yield Compared(what=what, program=program, printed=float(printed), tolerance=0.5 * 10.0**-digits, ours=ours)


def _tobramycin() -> Iterator[Compared]:
    """Rates ke, k12, k21 and V with etas of ke and V: CL, Q and V2 then share V's; 1e-10 makes omega definite."""
    ke, v = 0.21 * (80 / 67.8) ** 0.89 * (65 / 66.4) ** -1.09, 19.8 * (65 / 66.4) ** 0.8
    omega = np.full((4, 4), 0.01203) + np.diag([0.08075, 0.0, 0.0, 0.0]) + 1e-10 * np.eye(4)
    model = _model(
        ["CL", "V1", "Q", "V2"], omega, sd=0.198, CL=ke * v / _H, V1=v, Q=0.041 * v / _H, V2=0.041 * v / 0.12
    )
    found = estimation.fit(model, _record([(0, 500, 0.5)], [(1, 25.0), (14, 5.5)])).parameters
    rows = [("tobramycin, ke (1/h)", "0.1258", found["CL"] * _H / found["V1"]), ("V (L)", "18.21", found["V1"])]
    yield from _each(f"Monolix ({_POSOLOGYR})", rows)


def _vancomycin() -> Iterator[Compared]:
    model = _model(
        ["CL", "V1", "V2"], np.diag([0.147, 0.51, 0.282]), sd=0.227, additive=3.4, correlation=1.0,
        CL=4.5 * (34 / 120) ** 0.8 / _H, V1=58.4 * 62 / 70, V2=38.4, Q=6.5 / _H,
    )  # fmt: skip
    found = estimation.fit(model, _record([(0, 1900, 1), (22.2, 1750, 1)], [(12, 14.8), (37.5, 22.5)])).parameters
    rows = [("vancomycin, CL (L/h)", "1.72", found["CL"] * _H), ("Vc (L)", "59.8", found["V1"]),
            ("Vp (L)", "41.6", found["V2"])]  # fmt: skip
    yield from _each(f"NONMEM ({_POSOLOGYR})", rows)


def _amikacin() -> Iterator[Compared]:
    lower = np.zeros((4, 4))
    lower[np.tril_indices(4)] = [0.1, 0.01, 0.05, 0.01, 0.02, 0.2, -0.06, 0.004, 0.003, 0.08]
    model = _model(
        ["CL", "V1", "V2", "Q"], lower + np.tril(lower, -1).T, sd=0.1, additive=0.2,
        CL=4.3 * (50 / 82) ** 0.7 / _H, V1=15.9 * (62 / 78) ** 0.9, V2=21.4, Q=12.1 / _H,
    )  # fmt: skip
    found = estimation.fit(model, _record([(0, 1600, 0.5)], [(1, 75.0), (6, 32.0)])).parameters
    rows = [("amikacin, full omega, CL (L/h)", "2.62", found["CL"] * _H), ("Vc (L)", "11.01", found["V1"]),
            ("Vp (L)", "14.57", found["V2"]), ("Q (L/h)", "11.96", found["Q"] * _H)]  # fmt: skip
    yield from _each(f"NONMEM ({_POSOLOGYR})", rows)


def _piperacillin() -> Iterator[Compared]:
    """The lag only shifts the start of a continuous infusion: the doses are shifted instead."""
    omega = np.diag([0.08507985, 0.0673745, 0.429067, 0.2247455])
    model = _model(
        ["CL", "V1", "V2", "Q"], omega, sd=0.253, additive=3.2, correlation=1.0,
        iov={"CL": 0.1934626, "V1": 0.05783106}, CL=17.1 * 92 / 70 / _H, V1=7.2, V2=17.8, Q=52 / _H,
    )  # fmt: skip
    doses = [(8 * k + 0.07, 4000.0, 8.0) for k in range(15)]
    record = _record(doses, [(47.9, 63.0), (71.9, 19.7), (95.9, 31.0), (120, 16.0)])
    found = estimation.fit(model, replace(record, occasions=tuple(hour * _H for hour in (48, 72, 96))))
    cl = 17.1 * 92 / 70 * np.exp(found.eta[0] + found.kappa[:, 0])
    rows = [
        (f"piperacillin, occasion {number}, CL (L/h)", printed, float(ours))
        for number, (printed, ours) in enumerate(zip(("10.58", "24.0", "18.4", "26.3"), cl, strict=True), start=1)
    ]
    yield from _each(_POSOLOGYR, rows)


def _below_the_limit() -> Iterator[Compared]:
    model = _model(["CL", "V1"], np.diag([0.05, 0.02]), sd=math.sqrt(0.1), additive=math.sqrt(0.5),
                   CL=0.2 / _H, V1=2.0, Q=0.1 / _H, V2=0.5)  # fmt: skip
    record = _record([(0, 100, 100 / 1200)], [(1, 75.0), (6, 25.0), (24, 7.0)])
    fourth = {
        "M3": (Level(day=48 * _H, value=None, lloq=1.0), (-0.0427451, -0.122636)),
        "quantified": (Level(day=48 * _H, value=1.0), (-0.0706898, -0.113914)),
    }
    for name, (level, printed) in fourth.items():
        found = estimation.fit(model, replace(record, levels=(*record.levels, level)))
        for parameter, theirs, ours in zip(("CL", "V1"), printed, found.eta, strict=True):
            yield Compared(
                what=f"fourth level {name}, eta of {parameter}", program="mapbayr, tests of commit 080fb292",
                printed=theirs, tolerance=1e-6, ours=float(ours),
            )  # fmt: skip


def _area() -> Iterator[Compared]:
    model = _model(["CL"], [[0.01]], sd=0.1, CL=3.02069794728 / _H, V1=47.25, Q=2.28 / _H, V2=51.24)
    estimate = estimation.fit(model, _record([(24 * k, 1500, 1) for k in range(10)], []))
    known = estimation.Beliefs(
        parts=((estimate, np.zeros((1, 1))),), methods=("typical",), effective=(1.0,), shapes=(0.0,)
    )
    for day, printed in ((0, 299.084), (4, 471.194), (9, 494.522)):
        area = float(estimation.auc(known, day, day + 1)[0]) / _H
        yield Compared(
            what=f"vancomycin, area of day {day + 1} (mg h/L)", program="PKPDsim, tests of commit c8a0ef51",
            printed=printed, tolerance=1e-3, ours=area,
        )  # fmt: skip
