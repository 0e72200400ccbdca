"""The report: written whole, tells of every figure, and gives a reason in words for every miss."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from validation import report, write
from validation.case import denominator, figures
from validation.page import Heading, Table, Words, markdown, page

COMMITTED = write.HERE / "REPORT.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on very few patients, in this process."""
    effort, report.QUICK = report.QUICK, {"sets": 1, "patients": 60, "single": 100, "ranked": 20, "forecast": 20}
    out = tmp_path_factory.mktemp("report")
    try:
        report.write(out, quick=True, say=lambda text: None, workers=1)
    finally:
        report.QUICK = effort
    return out


def test_every_figure_is_in_both_forms(folder: Path) -> None:
    for name in ("REPORT.md", "report.html"):
        text = (folder / name).read_text(encoding="utf-8")
        for one in figures():
            assert one in text, (name, one)
        assert "MEMORY" in text
        assert "misprint" in text
    for picture in ("forest.png", "contrast.png", "titre.png", "ranks.png", "ranks-ecdf.png"):
        assert (folder / picture).stat().st_size > 5000


def test_the_review_comes_before_the_figures_that_were_fitted(folder: Path) -> None:
    text = (folder / "REPORT.md").read_text(encoding="utf-8")
    assert text.index("SEED-01") < text.index("Calibration: what was fitted")


def test_there_are_words_for_every_miss_of_the_denominator() -> None:
    words = tomllib.loads((write.HERE / "words.toml").read_text(encoding="utf-8"))["miss"]
    assert set(words) <= set(figures())
    committed = COMMITTED.read_text(encoding="utf-8")
    listed = {entry.id for entry in denominator().figure if entry.expressible}
    missed = set(re.findall(r"^\| ([A-Z0-9-]+) \((?:READ|MEMORY)\).*\| (?:missed|too vague) \|", committed, re.M))
    assert missed & listed <= set(words)
    assert "No reason is known yet" not in committed


def test_the_committed_report_meets_every_calibration_figure_and_says_its_share() -> None:
    text = COMMITTED.read_text(encoding="utf-8")
    assert "Calibration figures met: 11 of 11" in text
    assert re.search(r"without ever having been fitted: \d+ of 17", text)


def test_the_command_writes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from scenarios.cli import cli

    asked = {}

    def fake(folder: Path, *, quick: bool, say: object) -> list[Path]:
        asked.update(folder=folder, quick=quick)
        return [folder / "REPORT.md"]

    monkeypatch.setattr(report, "write", fake)
    told = CliRunner().invoke(cli, ["validate", "--quick", "--out", str(tmp_path)])
    assert told.exit_code == 0, told.output
    assert asked == {"folder": tmp_path, "quick": True}
    assert "REPORT.md" in told.output


def test_markdown_and_html_keep_what_a_cell_says(tmp_path: Path) -> None:
    blocks = [Heading("A < B", 2), Words("p & q"), Table(["x|y"], [["1|2"], ["a\nb"]])]
    text = markdown(blocks)
    assert "1\\|2" in text
    assert "a b" in text
    html = page(blocks, "t", tmp_path)
    assert "A &lt; B" in html
    assert "p &amp; q" in html
