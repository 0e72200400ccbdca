"""The verbs check, whatif and vpc: what they print, write and refuse."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from scenarios.cli import cli
from scenarios.prices import EXAMPLE

EXAMPLES = Path(__file__).parent.parent / "docs" / "how-to" / "examples"


def run(*args):
    return CliRunner().invoke(cli, [str(arg) for arg in args])


def test_check_a_table(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("ID,TIME,AMT,DV\n1,0,300,.\n1,7,.,8.5\n1,7,.,-1\n")
    got = run("check", path, "--time-unit", "d")
    assert got.exit_code == 2
    assert "t.csv:4: DV: -1 is negative (ID 1); levels are positive" in got.output
    assert "1 faults" in got.output
    got = run("check", path)
    assert got.exit_code == 2
    assert "is a time without unit" in got.output


def test_check_the_examples():
    got = run("check", EXAMPLES / "patient.toml")
    assert (got.exit_code, "no fault found" in got.output) == (0, True)
    got = run("check", EXAMPLES / "levels.csv", "--time-unit", "d", "--model", "infliximab-fasanmade-2011")
    assert got.exit_code == 0, got.output


def test_whatif_for_a_cohort(tmp_path):
    out = tmp_path / "out"
    got = run(
        "whatif", "--drug", "infliximab-fasanmade-2011", "--cohort", "adult-crohn", "--target", ">= 5 ug/mL",
        "--patients", 50, "--out", out,
    )  # fmt: skip
    assert got.exit_code == 0, got.output
    assert sorted(path.name for path in out.iterdir()) == ["answer.txt", "whatif.csv", "whatif.png"]
    assert (out / "answer.txt").read_text().splitlines()[0] in got.output
    assert "not for treating" in got.output
    again = run(
        "whatif", "--drug", "infliximab-fasanmade-2011", "--cohort", "adult-crohn", "--out", out, "--patients", 50
    )
    assert again.exit_code == 2  # nothing is overwritten


def test_whatif_with_a_price_file():
    got = run(
        "whatif", "--drug", "adalimumab-ternant-2015", "--cohort", "adult-crohn", "--target", ">= 5 ug/mL",
        "--patients", 20, "--price", EXAMPLE, "--next", 4,
    )  # fmt: skip
    assert got.exit_code == 0, got.output
    assert "next 4" in got.output
    assert "cost/year: drug and its giving, EUR of 2025" in got.output
    assert "EXAMPLE PRICES" in got.output


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "needs a patient file or a cohort"),
        (("--cohort", "adult-crohn"), "which model?"),
        (("--cohort", "adult-crohn", "--drug", "infliximab-fasanmade-2011", "--target", "7-4"), "low end at or above"),
        (("--cohort", "adult-crohn", "--drug", "infliximab-fasanmade-2011", "--target", "4-7 ng/L"), "unknown unit"),
        (("--cohort", "adult-crohn", "--drug", "infliximab-fasanmade-2011", "--max-dose", "10"), "has no unit"),
        (("--cohort", "adult-crohn", "--drug", "infliximab-fasanmade-2011", "--probability", "80"), "between 0 and 1"),
        (("--cohort", "adult-crhn", "--drug", "infliximab-fasanmade-2011"), "did you mean 'adult-crohn'?"),
        (("patient.toml",), "there is no such file"),
    ],
)
def test_whatif_refuses(args, words):
    got = run("whatif", *args)
    assert got.exit_code == 2
    assert words in got.output


def test_vpc(tmp_path):
    out = tmp_path / "out"
    got = run(
        "vpc", EXAMPLES / "levels.csv", "--model", "infliximab-fasanmade-2011", "--time-unit", "d", "--replicates", 100,
        "--corrected", "--bins", "after-dose", "--out", out,
    )  # fmt: skip
    assert got.exit_code == 0, got.output
    assert sorted(path.name for path in out.iterdir()) == ["npde.csv", "npde.png", "vpc.csv", "vpc.png"]
    assert "NPDE of infliximab-fasanmade-2011" in got.output
