"""Strategy trials: files, the rule of the verdict, and that simulated trials of nothing find nothing."""

from __future__ import annotations

import numpy as np
import pytest

from validation import reaction_check, strategy, velayos
from validation.strategy import ComparisonFile, Finding, finding, trials
from validation.trial import Parameters

PUBLISHED_OUTCOMES = {
    "TAXIT-REM": "null",
    "TAXIT-RELAPSE": "positive",
    "TAXIT-WINDOW": "direction",
    "TAILORIX-1": "null",
    "TAILORIX-2": "null",
    "NORDRUMA": "null",
    "NORDRUMB": "positive",
    "PAILOT": "positive",
    "SERENECD": "null",
    "SERENECD-ESC": "direction",
    "COMMIT": "null",
}


def comparison(**changes: object) -> ComparisonFile:
    base = next(one for trial in trials() for one in trial.comparisons if one.id == "NORDRUMB")
    return base.model_copy(update=changes)


def test_the_trials_of_the_brief_are_there_with_their_outcomes() -> None:
    found = {one.id: one.outcome for trial in trials() for one in trial.comparisons}
    assert found == PUBLISHED_OUTCOMES


@pytest.mark.parametrize(
    ("outcome", "difference", "significant", "agrees"),
    [
        ("null", 5.0, 49.9, True),
        ("null", 5.0, 50.0, False),
        ("positive", 5.0, 50.0, True),
        ("positive", 5.0, 49.9, False),
        ("positive", -5.0, 90.0, False),
        ("direction", 0.1, 1.0, True),
        ("direction", -0.1, 99.0, False),
    ],
)
def test_the_rule(outcome: str, difference: float, significant: float, agrees: bool) -> None:
    one = Finding(
        comparison=comparison(outcome=outcome), share=0.0, share_against=0.0,
        difference=difference, low=0.0, high=0.0, significant=significant,
    )  # fmt: skip
    assert one.agrees is agrees


def test_trials_scatter_as_the_published_size_says() -> None:
    got = finding(comparison(n=228, n_against=230), [(60.0, 60.0)] * 10)
    assert got.difference == 0.0
    # 4,000 trials: four standard errors of a share of 0.05 are 1.4 points
    assert got.significant == pytest.approx(5.0, abs=1.4)
    half = 1.96 * 100 * np.sqrt(0.24 / 228 + 0.24 / 230)
    assert (got.low, got.high) == pytest.approx((-half, half), abs=0.8)
    wide = finding(comparison(n=20, n_against=20), [(74.0, 56.0)] * 10)
    large = finding(comparison(n=228, n_against=230), [(74.0, 56.0)] * 10)
    assert wide.says == "null"
    assert large.says == "positive"
    assert large.significant > 95


@pytest.fixture(scope="module")
def shares() -> strategy.Shares:
    return strategy.shares(Parameters.shipped(), 60)


def test_every_comparison_is_simulated(shares: strategy.Shares) -> None:
    assert set(shares) == set(PUBLISHED_OUTCOMES)
    for first, second in shares.values():
        assert 0.0 < first < 100.0
        assert 0.0 < second < 100.0
    kept, lost = shares["TAXIT-REM"], shares["TAXIT-RELAPSE"]
    assert np.add(kept, lost) == pytest.approx(100.0)
    assert shares["SERENECD-ESC"][0] > shares["SERENECD-ESC"][1]  # looking at levels finds more reasons


def test_taxit_s_arms_are_one_until_randomisation() -> None:
    from validation.trial import run_arms

    study = next(trial.study for trial in trials() if trial.study.name == "taxit")
    records = run_arms([("taxit", "concentration"), ("taxit", "clinical")], {"taxit": study}, Parameters.shipped(), 40)
    one, other = records["taxit", "concentration"], records["taxit", "clinical"]
    before = one.days <= 7.0 * 66.0
    assert np.array_equal(one.free[:, before], other.free[:, before])
    assert not np.array_equal(one.free, other.free)


def test_velayos_saves_what_it_does_not_double() -> None:
    got = velayos.velayos(Parameters.shipped(), 600)
    assert 0.0 < got.high_dose.estimate < 100.0
    assert got.dearest_test == pytest.approx(got.saving.estimate + 120.0)
    assert got.prices.invented


def test_reaction_figures_are_simulated() -> None:
    found = reaction_check.checks(Parameters.shipped(), 80)
    assert [one.figure.id for one in found] == [
        "ACCENT1-INFREACT", "BAERT-INFREACT", "CHEIFETZ-INFREACT", "CHECKLEY-INFREACT-PATIENTS",
    ]  # fmt: skip
    assert all(np.isfinite(one.simulated) and one.simulated > 0.0 for one in found)
    assert all(one.figure.role == "context" for one in found)
