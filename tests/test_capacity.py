"""The search that looks at every figure: what it counts, and that nothing of it is used."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from validation import capacity, sections, space
from validation.case import denominator, figures

ROOT = Path(__file__).parents[1]
KEPT = tomllib.loads(capacity.FILE.read_text(encoding="utf-8"))


def test_goals_are_the_calibration_figures_and_the_denominator_without_correlations() -> None:
    roles = [figures()[name][1].role for name in capacity.names()]
    assert roles.count("calibration") == 11
    left = {entry.id for entry in denominator().figure if entry.expressible} - set(capacity.names())
    assert left == {"YARUR-RHO"}


def test_the_score_counts_the_denominator_and_never_buys_it_with_a_calibration_figure() -> None:
    found = capacity.goals()
    good = np.array([[target.value for target in found]])
    held = sum(figures()[target.name][1].role == "validation" for target in found)
    assert capacity.score(good, found)[0] == held
    for j, target in enumerate(found):
        bad = good.copy()
        bad[0, j] = target.accept[1] + 0.01
        loss = 10 if figures()[target.name][1].role == "calibration" else 1
        assert capacity.score(bad, found)[0] == held - loss
    assert capacity.score(np.full_like(good, np.nan), found)[0] == -110


def test_the_record_agrees_with_itself_and_is_told_in_the_report() -> None:
    for role, count, total in (("validation", "met", "searched"), ("calibration", "calibration_met", "calibration")):
        mine = [one for one in KEPT["figure"] if one["role"] == role]
        assert KEPT[count] == sum(one["met"] for one in mine)
        assert KEPT[total] == len(mine)
        assert f"{KEPT[count]} of the {KEPT[total]}" in str(sections.capacity())
    assert [one["id"] for one in KEPT["figure"]] == capacity.names()
    for one in KEPT["figure"]:
        low, high = one["accept"]
        assert one["met"] == (low <= one["best_point"] <= high)
    assert set(KEPT["parameters"]) == set(space.NAMES)


def test_nothing_that_is_shipped_or_fitted_reads_it() -> None:
    readers = [
        path.relative_to(ROOT).as_posix()
        for folder in ("pkmodel", "scenarios", "validation")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"capacity\.toml|import .*capacity|sections\.capacity", path.read_text(encoding="utf-8"))
    ]
    assert sorted(readers) == ["validation/capacity.py", "validation/report.py", "validation/sections.py"]


@pytest.mark.slow
def test_the_point_does_what_the_record_says() -> None:
    """Simulated anew with the patients of the final count."""
    values = capacity.predicted(KEPT["parameters"], capacity.Effort().accurate)
    assert values == pytest.approx([one["best_point"] for one in KEPT["figure"]], rel=1e-3)
