"""The report: written whole, tells of every figure, and gives a reason in words for every miss."""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from validation import report, write
from validation.case import denominator, figures
from validation.page import Heading, Table, Words, markdown, page
from validation.published import Prediction

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


def test_figures_that_chance_could_turn_are_named() -> None:
    """By hand: 80 sets within +- 19.6 have an SD of 10, their median an error of 1.4."""
    study, figure = figures()["BAERT-ATI-NOIS"]  # 60 to 90, of 70 patients
    one = Prediction(study=study, figure=figure, median=62.0, low=52.0, high=72.0, inner=(42.4, 81.6))
    assert one.counts
    ((found, error),) = report.close([one], 80)
    assert found is one
    assert error == pytest.approx(1.25 * 10.0 / math.sqrt(80), rel=1e-12)
    assert report.close([one], 320) == []  # 2 points above the limit, and twice 0.7 is less
    text = report._close([one], 80)[0]
    assert "BAERT-ATI-NOIS (62.0 +- 1.4; 60 to 90)" in text
    assert "0 of 1 would be met" in text
    assert report._close([replace(one, median=75.0)], 80) == []
    assert report.close([replace(one, median=59.0)], 80) == []  # missed


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
