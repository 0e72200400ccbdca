"""A run's ledger as a NONMEM-style table: read again and given open-loop, it is the run."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

import pkmodel as pk
import scenarios as sc
from pkmodel import nonmem
from scenarios.cli import cli
from scenarios.ledger import read_csv
from scenarios.ledger_export import table_of_run
from scenarios.ledger_replay import replay
from scenarios.setting import Setting

N, SEED = 40, 5


def run(*args):
    return CliRunner().invoke(cli, [str(arg) for arg in args])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Proactive TDM without antibodies, so that a model alone can follow."""
    out = tmp_path_factory.mktemp("run") / "out"
    got = run("run", "proactive-tdm", "--patients", N, "--seed", SEED, "--ledger", "--out", out,
              "--set", "immunogenicity=none")  # fmt: skip
    assert got.exit_code == 0, got.output
    return out


def of_run(folder, number):
    trial = sc.Scenario.load(folder / "protocol.toml")
    setting, arm = Setting.of(trial, SEED, 1), trial.arms[number]
    patients = sc.Cohort.load(trial.cohort).sample(N, seed=SEED)
    rows = [row for row in read_csv(folder / "ledger.csv") if row["arm"] == arm.name]
    return setting, arm, patients, rows


@pytest.mark.parametrize("number", [0, 1])
def test_the_table_comes_back_as_the_run(folder, tmp_path, number):
    """Doses of the table through the trial's engine: the same bits. Samples of the table by its model: the levels of
    the trial, to the rounding of stopping at other moments (1e-9)."""
    setting, arm, patients, rows = of_run(folder, number)
    file = tmp_path / "t.csv"
    got = run("export", folder, "--nonmem", file, "--arm", arm.name)
    assert got.exit_code == 0, got.output
    table = nonmem.read_table(file, time_unit="d", model=setting.model)
    one = replay(rows, setting, arm, patients)
    doses = [
        {"patient": int(table.patient[k]), "day": float(table.time[k]), "drug": setting.scenario.drug, "decision": "",
         "dose_mg": float(table.amount[k])}
        for k in np.flatnonzero(table.doses)
    ]  # fmt: skip
    assert np.array_equal(replay(doses, setting, arm, patients).free_drug, one.free_drug)
    levels = nonmem.simulate_table(setting.model, table, seed=SEED)
    days = list(setting.days)
    compared = 0
    for time, patient, level in zip(
        levels.time.values, levels.patient.values, levels.concentration.values, strict=True
    ):
        if time in days:
            assert level == pytest.approx(one.free_drug[0, days.index(time), patient], rel=1e-9, abs=1e-12)
            compared += 1
    assert compared > N if number else compared >= 0
    seen = {(row["patient"], row["sampled_day"]) for row in rows if row["sampled_day"] is not None}
    assert int(table.used.sum()) == len(seen)


def test_some_arm_has_levels_and_changed_doses(folder):
    """Otherwise the test above proves little."""
    arm = of_run(folder, 1)[1]
    table = table_of_run(folder, arm.name)
    assert table.used.sum() > N
    assert np.unique(np.round(table.amount[table.doses])).size > N
    assert table.below.any()


def test_what_a_table_cannot_hold_is_said(tmp_path):
    out = tmp_path / "out"
    got = run("run", "combination-therapy", "--patients", 12, "--ledger", "--out", out)
    assert got.exit_code == 0, got.output
    treated = next(arm.name for arm in sc.Scenario.load(out / "protocol.toml").arms if arm.cotherapy)
    with pytest.warns(pk.PkWarning, match="immunomodulators"):
        table_of_run(out, treated)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "which arm?"),
        (("--arm", "proactve"), "valid names"),
    ],
)
def test_what_is_refused(folder, tmp_path, args, said):
    got = run("export", folder, "--nonmem", tmp_path / "t.csv", *args)
    assert got.exit_code == 2
    assert said in got.output
    assert not (tmp_path / "t.csv").exists()


def test_other_folders_and_files_are_refused(folder, tmp_path):
    got = run("export", tmp_path, "--nonmem", tmp_path / "t.csv")
    assert "holds no protocol.toml" in got.output
    (tmp_path / "t.csv").write_text("mine")
    got = run("export", folder, "--nonmem", tmp_path / "t.csv", "--arm", of_run(folder, 0)[1].name)
    assert got.exit_code == 2
    assert (tmp_path / "t.csv").read_text() == "mine"
