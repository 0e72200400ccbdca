"""One patient's story, and the ledger from the command line."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from click.testing import CliRunner

from scenarios.cli import cli
from scenarios.explaining import explain
from scenarios.ledger import COLUMNS, read_csv


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "out"
    done = CliRunner().invoke(cli, ["run", "reactive-tdm", "--patients", "60", "--ledger", "--out", str(out)])
    assert done.exit_code == 0, done.output
    return out


def test_the_ledger_is_written(folder):
    with (folder / "ledger.csv").open() as file:
        assert tuple(next(csv.reader(file))) == COLUMNS
    rows = read_csv(folder / "ledger.csv")
    assert {row["arm"] for row in rows} == {"empiric", "reactive TDM", "reactive TDM, alternatives"}
    assert len({row["patient"] for row in rows}) == 60


def test_a_story_is_that_of_the_run(folder):
    """Simulated alone again, a patient has the same ledger as among the others."""
    rows = read_csv(folder / "ledger.csv")
    changed = {row["patient"] for row in rows if row["arm"] == "reactive TDM" and "switch" in row["decision"]}
    assert changed
    for patient in sorted(changed)[:3]:
        story = explain(folder, patient, "reactive TDM")
        assert list(story.rows) == [row for row in rows if row["arm"] == "reactive TDM" and row["patient"] == patient]


def test_words_and_picture(folder, tmp_path):
    rows = read_csv(folder / "ledger.csv")
    row = next(row for row in rows if row["arm"] == "reactive TDM" and "switch" in row["decision"])
    patient = row["patient"]
    picture = tmp_path / "story.png"
    command = ["explain", str(folder), "--patient", str(patient), "--arm", "reactive TDM", "--out", str(picture)]
    done = CliRunner().invoke(cli, command)
    assert done.exit_code == 0, done.output
    assert "Not for treating patients" in done.output
    assert f"{row['decision'].replace('-', ' ')} (symptoms; " in done.output
    assert "response is lost" in done.output
    assert "{" not in done.output
    assert picture.read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--patient", "60"], "there is no patient 60; use 0 to 59"),
        (["--patient", "1", "--arm", "reactive"], "unknown arm 'reactive'"),
        (["--patient", "1", "--out", "story.pdf"], "is no .png"),
    ],
)
def test_what_is_refused(folder, words, said):
    done = CliRunner().invoke(cli, ["explain", str(folder), *words])
    assert done.exit_code == 2
    assert said in done.output


def test_a_directory_without_a_run_is_refused(tmp_path):
    done = CliRunner().invoke(cli, ["explain", str(tmp_path), "--patient", "1"])
    assert done.exit_code == 2
    assert "holds no protocol.toml" in done.output


def test_a_ledger_needs_a_place():
    done = CliRunner().invoke(cli, ["run", "reactive-tdm", "--ledger", "--patients", "10"])
    assert done.exit_code == 2
    assert "--ledger needs --out" in done.output


@pytest.fixture(scope="module")
def randomised(tmp_path_factory):
    out = tmp_path_factory.mktemp("trial") / "out"
    settings = ["--set", "trial.design=randomised", "--set", "trial.dropout_per_year=1.0"]
    done = CliRunner().invoke(cli, ["run", "taxit", "--patients", "40", *settings, "--out", str(out)])
    assert done.exit_code == 0, done.output
    return out


def test_a_story_of_a_trial_is_of_the_own_arm_and_ends_at_leaving(randomised):
    import warnings

    import xarray as xr

    from pkmodel.errors import PkWarning

    with xr.open_dataset(randomised / "result.nc", engine="h5netcdf") as result:
        leaves, own = result.leaves.values, result.allocation.values
        arms = [str(name) for name in result.arm.values]
    gone = [int(one) for one in np.flatnonzero((leaves > 100.0) & (own == 1))]
    assert gone
    patient = gone[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error", PkWarning)
        story = explain(randomised, patient)
        explain(randomised, patient, arms[0])  # of that arm the run has kept nothing that could differ
    assert story.arm == arms[1]
    assert story.duration == leaves[patient]
    assert story.days.size == story.levels.shape[1] == story.antibody.shape[1] > 0
    assert story.days.max() < leaves[patient]
    assert max(7.0 * week for week, _ in story.samples) < leaves[patient]
    assert all(day < leaves[patient] for day, _ in story.truth.losses)


def test_words_of_a_patient_who_left_say_when(randomised):
    """No patient is followed "to the end" who left, and who stays is."""
    import xarray as xr

    with xr.open_dataset(randomised / "result.nc", engine="h5netcdf") as result:
        leaves = result.leaves.values
    for patient in range(12):
        story = explain(randomised, patient)
        said = story.text()
        assert story.left == bool(np.isfinite(leaves[patient]))
        if story.left:
            assert "to the end" not in said
            assert f"week {leaves[patient] / 7.0:.1f}: the patient leaves the study" in said
        else:
            assert "leaves" not in said
    assert {bool(np.isfinite(day)) for day in leaves[:12]} == {True, False}
