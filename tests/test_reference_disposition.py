"""Closed-form numbers of other projects, one to three compartments, through ``pk.simulate``.

The numbers were transcribed from other projects' tests (named in the file) and are kept outside the repository; their
tolerance is half a unit of the last printed digit. Their hours are read as days throughout.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import pkmodel as pk

TRUTH = Path(__file__).resolve().parents[2] / "shared" / "truth" / "reference_values.json"
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not TRUTH.exists(), reason="reference values are not here")]


def truth(name):
    return json.loads(TRUTH.read_text(encoding="utf-8"))[name]


def regimen(amount, interval, until, infusion, route):
    return pk.Regimen.every(
        f"{interval} days", dose=f"{amount} mg", until=f"{until} days", route=route, infusion=infusion
    )


@pytest.mark.parametrize("compartments", [1, 2, 3])
@pytest.mark.parametrize("kind", ["bolus", "infusion", "oral"])
def test_level_at_23(compartments, kind):
    entry = truth("pkpdsim_advan_dv23")
    given = entry["params"]
    values = {"CL": given["CL"], "V1": given["V"]}
    values |= {"Q": given["Q"], "V2": given["V2"]} if compartments > 1 else {}
    values |= {"Q3": given["Q2"], "V3": given["V3"]} if compartments > 2 else {}
    values |= {"KA": given["KA"], "F": given["F1"]} if kind == "oral" else {}
    model = pk.PopulationModel.simple(**values, routes=("sc",) if kind == "oral" else ("iv",))
    plan = entry["regimen"]
    doses = regimen(
        plan["amt"],
        plan["interval"],
        24,
        f"{plan['t_inf']} days" if kind == "infusion" else "bolus",
        model.structure.routes[0],
    )
    level = pk.simulate(model, pk.Patients.typical(1), doses, times=[float(entry["time"])]).concentration
    assert float(level[0, 0]) == pytest.approx(entry["dv"][f"{compartments}cmt"][kind], abs=entry["tol_abs"])


def test_area_of_each_interval():
    entry = truth("pkpdsim_auc_analytic")
    given, plan = entry["params"], entry["regimen"]
    model = pk.PopulationModel.simple(CL=given["CL"], V1=given["V"], Q=given["Q"], V2=given["V2"])
    count = len(entry["auc24_per_interval"])
    doses = regimen(plan["amt"], plan["interval"], plan["interval"] * count, f"{plan['t_inf']} days", "iv")
    x, w = np.polynomial.legendre.leggauss(10)
    starts = plan["interval"] * np.arange(count)
    edges = np.unique(np.concatenate([starts, starts + plan["t_inf"], starts + 8, [plan["interval"] * count]]))
    nodes = (edges[:-1, None] + np.diff(edges)[:, None] * (x + 1) / 2).ravel()
    level = pk.simulate(model, pk.Patients.typical(1), doses, times=nodes).concentration.values[0]
    pieces = (level.reshape(-1, x.size) * w).sum(axis=1) * np.diff(edges) / 2
    areas = pieces.reshape(count, -1).sum(axis=1)
    np.testing.assert_allclose(areas, entry["auc24_per_interval"], rtol=0, atol=entry["tol_abs"])
