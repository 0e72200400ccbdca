"""Models given by a numba function."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import pkmodel as pk


@numba.njit
def two_compartments(t, y, p, dy):
    CL, V1, Q, V2, KA = p
    flow = np.array([Q / V1 * y[1], Q / V2 * y[2]])  # functions may make arrays
    dy[0] = -KA * y[0]
    dy[1] = KA * y[0] - CL / V1 * y[1] - flow[0] + flow[1]
    dy[2] = flow[0] - flow[1]


@numba.njit
def target(t, y, p, dy):
    """Drug that binds a target (full binding, amounts in mg and mg/L of binding capacity); clearance by weight."""
    CL, V, kon, koff, kint, ksyn, kdeg, _, weight = p
    c = y[0] / V
    bind = kon * c * y[1] - koff * y[2]
    dy[0] = -CL * (weight / 70.0) ** 0.75 * c - bind * V
    dy[1] = ksyn - kdeg * y[1] - bind
    dy[2] = bind - kint * y[2]


LINEAR = {"CL": 0.35, "V1": 3.4, "Q": 0.15, "V2": 1.3, "KA": 0.3}
TARGET = {"CL": 0.3, "V": 3.0, "kon": 2.0, "koff": 0.5, "kint": 0.4, "ksyn": 0.8, "kdeg": 0.2, "R0": 4.0}


def linear(**how):
    return pk.OwnEquations(
        equations=two_compartments, states=("depot", "central", "peripheral"), typical=LINEAR,
        level=("central", "V1"), into={"iv": "central", "sc": "depot"}, omega={"CL": 0.3, "V1": 0.2}, **how,
    )  # fmt: skip


def binding(**how):
    return pk.OwnEquations(
        equations=target, states=("drug", "target", "complex"), typical=TARGET, level=("drug", "V"),
        into={"iv": "drug"}, begin={"target": "R0"}, covariates=("weight",), **how,
    )  # fmt: skip


REGIMEN = pk.Regimen.induction("300 mg", weeks=(0, 2), route="iv").then(
    pk.Regimen.induction(("100 mg", "80 mg"), weeks=(6, 8), route="sc")
)
DAYS = np.concatenate([np.linspace(0.0, 1.0, 9), np.arange(2.0, 90.0, 1.7)])


def test_a_linear_model_has_the_levels_of_the_closed_form():
    """Same patients (etas are addressed alike), another method altogether."""
    patients = pk.Patients.typical(70)
    shipped = pk.PopulationModel.simple(**LINEAR, omega={"CL": 0.3, "V1": 0.2}, routes=("iv", "sc"))
    expected = pk.simulate(shipped, patients, REGIMEN, DAYS, seed=4).concentration
    found = linear().simulate(patients, REGIMEN, DAYS, seed=4).concentration
    assert float(expected.std("patient").max()) > 1.0
    # the local tolerance is 1e-9; ten times that for its sum
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)


def test_binding_to_a_target_equals_scipy():
    weight = 90.0
    regimen = pk.Regimen.induction("200 mg", weeks=(0, 3))
    found = binding().simulate(pk.Patients.typical(1, weight=weight), regimen, DAYS)
    y, start, reached = np.array([0.0, 4.0, 0.0]), 0.0, {}
    duration = 2 / 24
    for stop, rate in ((duration, 200 / duration), (21.0, 0.0), (21.0 + duration, 200 / duration), (90.0, 0.0)):

        def rhs(t, y, rate=rate):
            dy = np.zeros(3)
            target.py_func(t, y, (*TARGET.values(), weight), dy)
            return [dy[0] + rate, dy[1], dy[2]]

        inside = DAYS[(start < DAYS) & (stop >= DAYS)]
        path = solve_ivp(rhs, (start, stop), y, method="DOP853", rtol=1e-12, atol=1e-12, dense_output=True)
        reached |= {float(t): path.sol(t) for t in inside}
        y, start = path.y[:, -1], stop
    table = np.array([[0.0, 4.0, 0.0], *reached.values()])
    np.testing.assert_allclose(found.states[0], table, rtol=1e-6, atol=1e-8)


def test_results_do_not_depend_on_how_the_work_is_cut():
    patients = pk.Patients.from_arrays({"weight": np.linspace(50, 100, 80)})
    model = binding(omega={"CL": 0.3, "kon": 0.4}, correlations={("CL", "kon"): 0.5})
    regimen = pk.Regimen.induction("200 mg")
    whole = model.simulate(patients, regimen, DAYS).concentration
    assert np.array_equal(whole, model.simulate(patients, regimen, DAYS, threads=1).concentration)
    part = model.simulate(patients.take(slice(30, 37)), regimen, DAYS).concentration
    assert np.array_equal(whole[30:37], part)
    few = model.simulate(patients, regimen, DAYS[5::7]).concentration
    # the run ends with its last output: before it, the grid is the patient's own
    assert np.array_equal(whole[:, 5::7][:, :-1], few[:, :-1])


@numba.njit
def broken(t, y, p, dy):
    dy[0] = np.log(y[0])


@numba.njit
def divides(t, y, p, dy):
    dy[0] = -1.0 / (t - t)


@numba.njit
def mistyped(t, y, p, dy):
    dy[0] = y.nonsense


@numba.njit
def stiff(t, y, p, dy):
    dy[0] = -1e6 * p[0] * (y[0] - 1.0)


def test_what_is_refused():
    with pytest.raises(pk.InputError, match=r"equations: is no numba function; decorate it"):
        pk.OwnEquations(equations=len, states=("a",), typical={"V": 1.0}, level=("a", "V"), into={"iv": "a"})
    with pytest.raises(pk.InputError) as caught:
        pk.OwnEquations(
            equations=broken,
            states=("a",),
            typical={"V": 0.0},
            level=("b", "W"),
            into={"po": "c"},
        )
    assert [fault.key for fault in caught.value.faults] == ["level", "level", "into", "into", "V"]
    one = {"states": ("a",), "typical": {"V": 1.0}, "level": ("a", "V"), "into": {"iv": "a"}}
    regimen, patients = pk.Regimen.induction("10 mg"), pk.Patients.typical(1)
    with pytest.raises(pk.InputError, match=r"dy at day 0 is \[-inf\]"):
        pk.OwnEquations(equations=broken, **one).simulate(patients, regimen)
    with pytest.raises(pk.InputError, match="the function fails: ZeroDivisionError"):
        pk.OwnEquations(equations=divides, **one).simulate(patients, regimen)
    with pytest.raises(pk.InputError, match="the function fails: TypingError"):
        pk.OwnEquations(equations=mistyped, **one).simulate(patients, regimen)
    with pytest.raises(pk.errors.KernelError, match=r"too many steps.*are the equations stiff"):
        pk.OwnEquations(equations=stiff, **one).simulate(patients, regimen)
    with pytest.raises(pk.InputError, match="route 'sc' in 'own equations', which knows iv"):
        pk.OwnEquations(equations=stiff, **one).simulate(patients, pk.Regimen.induction("1 mg", route="sc"))
    with pytest.raises(pk.InputError, match="needs weight"):
        binding().simulate(patients, regimen)
    with pytest.raises(pk.InputError, match="not positive definite"):
        linear(correlations={("CL", "V1"): 1.2})
