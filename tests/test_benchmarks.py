"""The benchmarks measure the right thing: references, peers and verdicts are checked, speed is not."""

from __future__ import annotations

import json
import math

import naive_linear as twin
import numpy as np
import pytest

from benchmarks import antibody, peers, references, superposition, workloads
from benchmarks.__main__ import main
from benchmarks.measures import Target
from benchmarks.timing import Timing

# Extended precision against the closed forms of the twins in double: only the rounding of those is left.
ROUNDING = 1e-11


@pytest.fixture(scope="module")
def normals():
    return np.random.default_rng(3).normal(size=(5, 3))


def two_compartments(theta):
    return np.stack([theta[name] for name in ("CL", "V1", "Q", "V2")], axis=1)


def test_references_agree_with_twins(normals):
    theta, doses, times = twin.workload_w1(normals)
    expected = twin.superpose_infusions(*two_compartments(theta).T, doses, times)
    assert references.max_error(expected, references.infusions(two_compartments(theta), doses, times)) < ROUNDING
    theta, doses, times = twin.workload_w4(normals)
    expected = twin.superpose_depots(theta["KA"], theta["CL"], theta["V1"], doses, times)
    found = references.depots(theta["KA"], theta["CL"], theta["V1"], doses, times)
    assert references.max_error(expected, found) < ROUNDING


@pytest.mark.parametrize("day", [0.03, 14.0, 14.05, 200.3])  # in an infusion, at a dose, between doses
def test_reference_of_a_clearance_change_agrees_with_matrix_exponentials(normals, day):
    theta, doses, times = twin.workload_w1(normals[:1])
    person = {name: float(values[0]) for name, values in theta.items()} | {"KA": 0.0, "F": 1.0, "LAG": 0.0}
    events = [event for dose in doses for event in twin.infusion(*dose)] + [(day, "clearance", 2.5)]
    expected = twin.linear_profile(person, events, times)["C"]
    found = references.infusions(two_compartments(theta), doses, times, factor=2.5, changes=np.array([day]))
    # matrix exponentials lose a digit or two over hundreds of days
    assert references.max_error(expected, found[0]) < 1e-9


def test_both_numpy_forms_are_right(normals):
    theta, doses, times = twin.workload_w1(normals)
    right = references.infusions(two_compartments(theta), doses, times)
    for form in (superposition.plain_infusions, superposition.infusions):
        assert references.max_error(form(two_compartments(theta), doses, times), right) < ROUNDING
    theta, doses, times = twin.workload_w4(normals)
    one = (theta["KA"], theta["CL"], theta["V1"], doses, times)
    for form in (superposition.plain_depots, superposition.depots):
        assert references.max_error(form(*one), references.depots(*one)) < ROUNDING


@pytest.mark.parametrize("make", [workloads.w1, workloads.w2, workloads.w4])
def test_closed_form_workloads_are_exact(make):
    case = make(20)
    found = case.run(1)["concentration"]
    assert found.dims == ("patient", "time")
    assert references.max_error(found.to_numpy(), case.reference()) < 1e-10  # what is to be reached


@pytest.fixture(scope="module")
def small():
    workload = antibody.antibody_workload(3)
    return workload, antibody.reference(workload.task)


def test_antibody_workload_solves_the_same_equations(small):
    workload, right = small
    assert right[:, -1, 1].min() > 0.0  # everybody has antibodies
    assert antibody.error(workload.solve(), right) < 1e-4  # wrong equations are wrong by far more


@pytest.mark.parametrize("peer", peers.PEERS, ids=lambda peer: peer.name)
def test_peers_solve_the_same_equations(small, peer):
    if peer.missing():
        pytest.skip(f"{peer.missing()} is not installed")
    workload, right = small
    assert antibody.error(peer.start(workload.task)(1e-7), right) < 1e-3


def test_tuning_never_asks_for_more_accuracy_than_ours():
    right = np.ones((1, 1, 2))
    errors = {1e-3: 1e-2, 1e-4: 1e-3, 1e-5: 1e-4, 1e-6: 1e-6}
    chosen = peers.tune(lambda rtol: right + errors[rtol], right, 5e-5, tuple(errors))
    assert chosen == (1e-5, pytest.approx(1e-4))


def test_ratio_is_of_neighbours():
    ours, theirs = Timing(seconds=(1.0, 2.0, 1.0)), Timing(seconds=(10.0, 20.0, 40.0))
    assert ours.times_faster_than(theirs) == 10.0


@pytest.mark.parametrize(
    ("value", "more", "also", "verdict"),
    [
        (61.0, True, None, "reached"),
        (59.0, True, None, "not reached"),
        (61.0, True, ("error <= 1e-10", False), "not reached"),
        (59.0, False, None, "reached"),
        (None, True, None, "not measured"),
    ],
)
def test_verdicts(value, more, also, verdict):
    assert Target(name="", unit="x", value=value, at_least=60.0, more=more, also=also).at_least_verdict == verdict


def test_smoke(tmp_path, capsys):
    assert main(["--quick", "--no-peers", "--json", str(tmp_path / "found.json")]) == 0
    text = capsys.readouterr().out
    assert "| W1 " in text
    assert "target" not in text  # nothing is judged
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["machine"]["versions"]["numpy"] == np.__version__
    rows = {(row["workload"], row["tool"]): row for row in found["measurements"]}
    for name in ("W1", "W2", "W4", "antibody ODE"):
        assert rows[name, "pkmodel"]["ms"] > 0.0
        assert math.isfinite(rows[name, "pkmodel"]["error"])
    assert rows["W5", "pkmodel, 1 thread"]["ms"] > 0.0
    assert found["footprints"][0]["run_gb"] > 0.05  # an interpreter with numpy in it is larger
    assert [item["command"] for item in found["startups"]] == ["pkmodel --help", "pkmodel list scenarios"]
