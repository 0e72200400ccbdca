"""The verbs power, trial and cost, from the command line to their files."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from scenarios.cli import cli


def call(*args: object) -> Result:
    return CliRunner().invoke(cli, [str(arg) for arg in args])


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trial") / "out"
    run = call("run", "taxit", "--patients", 80, "--set", "trial.design=randomised", "--out", folder)
    assert run.exit_code == 0, run.output
    return folder


def test_trial(out: Path, tmp_path: Path) -> None:
    asked = ["--endpoint", "in window at week 54", "--endpoint", "antibody-free survival to week 54"]
    told = call("trial", out, *asked, "--out", tmp_path / "t")
    assert told.exit_code == 0, told.output
    assert "number needed to treat" in told.output
    assert "hazard ratio" in told.output
    assert (tmp_path / "t" / "trial.csv").read_text().startswith("endpoint,arm,against,percent,low,high,n")
    assert (tmp_path / "t" / "survival.csv").read_text().startswith("endpoint,arm,week,survival,low,high,at_risk")
    assert (tmp_path / "t" / "survival.png").read_bytes().startswith(b"\x89PNG")
    again = call("trial", out / "result.nc", *asked)
    assert again.output == told.output


def test_an_endpoint_of_one_day_has_no_curves(out: Path, tmp_path: Path) -> None:
    assert call("trial", out, "--endpoint", "response at week 54", "--out", tmp_path).exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["trial.csv"]


def test_cost(out: Path, tmp_path: Path) -> None:
    told = call("cost", out, "--tornado", tmp_path / "t.png", "--out", tmp_path / "c")
    assert told.exit_code == 0, told.output
    assert "EXAMPLE PRICES" in told.output
    assert "per patient in the window" in told.output
    assert (tmp_path / "t.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "c" / "cost.csv").read_text().startswith("arm,against,measure,unit")
    assert (tmp_path / "c" / "tornado.csv").read_text().startswith("arm,against,price")


def test_power(tmp_path: Path) -> None:
    told = call(
        "power", "taxit", "--endpoint", "in window at week 54", "--patients-per-arm", "20,40", "--trials", 100,
        "--pool", 800, "--out", tmp_path,
    )  # fmt: skip
    assert told.exit_code == 0, told.output
    assert "40 per arm: power" in told.output
    assert (tmp_path / "power.csv").read_text().count("\n") == 3
    assert (tmp_path / "power.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("trial", "nowhere", "--endpoint", "in window at week 54"), "there is no such result"),
        (("cost", "nowhere"), "there is no such result"),
        (("power", "taxit", "--endpoint", "cure"), "is no endpoint"),
        (
            ("power", "taxit", "--endpoint", "in window at week 54", "--patients-per-arm", "ten"),
            "no list of whole numbers",
        ),
        (("power", "taxi", "--endpoint", "in window at week 54"), "taxit"),
    ],
)
def test_bad_input_is_one_message(args: tuple[str, ...], words: str) -> None:
    told = call(*args)
    assert told.exit_code == 2
    assert words in told.output
    assert "Traceback" not in told.output


def test_a_file_that_is_no_result(tmp_path: Path) -> None:
    path = tmp_path / "result.nc"
    path.write_text("nonsense")
    told = call("cost", path)
    assert told.exit_code == 2
    assert "cannot be read as netCDF" in told.output
