"""The calibration: the surrogate finds what it should, the files hold what was found, and come out the same again."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

from pkmodel.antibody import Immunogenicity
from pkmodel.assay import load_antibody_assay
from pkmodel.response import Response
from pkmodel.uncertainty import parameter_sets
from validation import space, write
from validation.emulator import Emulator, from_scale, misfit, to_scale
from validation.search import Effort, Found, settled
from validation.targets import Target, targets
from validation.trial import Parameters

RECORD = Path(write.HERE / "calibration.toml")


def quadratic(points: np.ndarray) -> np.ndarray:
    """Two known surfaces: a share and a ratio."""
    share = 100.0 / (1.0 + np.exp(-(0.3 + points[:, 0] - 0.5 * points[:, 1] + 0.2 * points[:, 0] * points[:, 1])))
    return np.stack([share, np.exp(0.4 * points[:, 2] + 0.1 * points[:, 0] ** 2)], axis=1)


TWO = (
    Target("a share", 70.0, 2.0, "share", (60.0, 80.0)),
    Target("a ratio", 1.5, 0.05, "log", (1.3, 1.7)),
)


@pytest.fixture(scope="module")
def emulator() -> Emulator:
    points = np.random.default_rng(5).standard_normal((60, 3))
    return Emulator.fit(points, quadratic(points), TWO, np.ones(60))


def test_the_surrogate_reproduces_a_quadratic(emulator: Emulator) -> None:
    points = np.random.default_rng(6).standard_normal((20, 3))
    # exact but for the ridge of 1e-3 against 60 points
    np.testing.assert_allclose(to_scale(emulator.predict(points), TWO), to_scale(quadratic(points), TWO), atol=5e-3)


def test_a_better_simulation_puts_the_surrogate_right(emulator: Emulator) -> None:
    """A surface that is off by a constant is right after a few points, and what they do not say stays."""
    rng = np.random.default_rng(9)
    few, other = rng.standard_normal((8, 3)), rng.standard_normal((20, 3))

    def better(points: np.ndarray) -> np.ndarray:
        return from_scale(to_scale(quadratic(points), TWO) + np.array([0.2, -0.1]), TWO)

    off = to_scale(emulator.refined(few, better(few)).predict(other), TWO) - to_scale(better(other), TWO)
    np.testing.assert_allclose(off, 0.0, atol=0.01)


def test_the_mean_settles_where_the_figures_are_met(emulator: Emulator) -> None:
    """Moved towards the targets, and hardly at all in what they do not speak of."""
    sample = emulator.sample(start(1), 2000, seed=1)
    mean, best = sample.mean(axis=0), settled(emulator, sample)
    before, after = (misfit(emulator.predict(point[None, :]), TWO)[0] for point in (mean, best))
    assert after <= before
    away = (best - mean) / sample.std(axis=0)
    assert np.abs(away).max() < 1.0


def start(seed: int) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal((64, 3))


def test_the_mean_of_the_posterior_meets_the_targets_as_far_as_the_prior_lets_it(emulator: Emulator) -> None:
    mean = emulator.sample(start(1), 2000, seed=1).mean(axis=0)
    assert misfit(emulator.predict(mean[None, :]), TWO)[0] < 0.5


def test_the_mean_does_not_hang_on_where_the_chains_start_or_on_their_numbers(emulator: Emulator) -> None:
    means = [emulator.sample(start(seed), 4000, seed=seed).mean(axis=0) for seed in (1, 2)]
    # prior SDs; a mode of this posterior is a valley along which an optimiser stops anywhere
    assert np.max(np.abs(means[0] - means[1])) < 0.1


def test_samples_have_the_spread_the_targets_leave(emulator: Emulator) -> None:
    points = emulator.sample(start(1), 600, seed=2)
    ratio = np.log(emulator.predict(points)[:, 1])
    # the likelihood alone would give SD 0.05; the prior narrows it a little
    assert 0.03 < ratio.std() < 0.06
    # coordinate 1 only enters the share, together with 0: mostly prior
    assert 0.5 < points[:, 1].std() < 1.1


def test_the_median_titre_is_that_of_patients_counted_as_often_as_their_arm_weighs() -> None:
    from validation import targets as fitted
    from validation.case import studies
    from validation.trial import run_arms

    study, figure = fitted.calibration_figures()["FARRELL-PBO"]
    records = run_arms([(study, part.arm) for part in figure.parts], studies(), Parameters.shipped(), 150)
    counted: list[float] = []
    for part in figure.parts:
        record = records[study, part.arm]
        titres, cutoff = record.titres("older-elisa"), record.parameters.assay("older-elisa").cutoff
        for row in range(record.ids.size):
            taken = [
                titres[row, column]
                for column, day in enumerate(record.days)
                if (day % 28 == 0 and day >= 28) or (day >= 14 and record.given[row, column])
            ]
            if max(taken) >= cutoff:
                counted += [max(taken) / cutoff] * round(500 * part.weight)
    assert fitted._titres(records) == pytest.approx(np.sort(counted)[(len(counted) - 1) // 2], rel=1e-12)


def found(points: np.ndarray) -> Found:
    values = np.tile([target.value for target in targets()], (len(points), 1))
    return Found(
        best=points[0],
        best_values=values[0],
        points=points,
        values=values,
        evaluated=1,
        drawn=20,
    )


def test_written_files_read_back_and_are_written_the_same_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a copy of the shipped data: write, read, write again; no date, no rounding that creeps."""
    import shutil

    copy = tmp_path / "data"
    shutil.copytree(write.DATA, copy)
    monkeypatch.setattr(write, "DATA", copy)
    monkeypatch.setattr(write, "HERE", tmp_path)
    one = found(np.random.default_rng(8).standard_normal((12, len(space.FREE))) * 0.3)
    first = write.texts(one, Effort(), 7)
    for path, text in first.items():
        path.write_text(text, encoding="utf-8")
    assert write.texts(one, Effort(), 7) == first

    values = space.named(one.best)
    text = (copy / "immunogenicity" / "infliximab.toml").read_text(encoding="utf-8")
    layer = tomllib.loads(text)["parameters"]
    assert layer["h0"]["value"] == values["h0"]
    assert layer["C_ag"]["source"].startswith("fixed, not fitted")  # what was not fitted keeps its own words
    assays = {a["name"]: a for a in tomllib.loads((copy / "assays.toml").read_text(encoding="utf-8"))["antibody_assay"]}
    assert float(assays["older-elisa"]["cutoff"].split()[0]) == values["cutoff older-elisa"]
    assert assays["tours-elisa"]["cutoff"] == assays["older-elisa"]["cutoff"]

    sets = parameter_sets(copy / "calibrated-sets.csv")
    assert len(sets) == 12
    expected = space.parameters(space.named(one.points[5]), Parameters.shipped())
    assert sets[5].immunogenicity == expected.immunogenicity
    assert sets[5].response == expected.response
    assert sets[5].cutoffs == expected.cutoffs


def test_shipped_parameters_are_those_of_the_record() -> None:
    record = tomllib.loads(RECORD.read_text(encoding="utf-8"))
    values = {one["name"]: one["value"] for one in record["parameter"]}
    assert set(values) == set(space.NAMES)
    for drug in write.DRUGS:
        layer, response = Immunogenicity.load(drug), Response.load(drug)
        for name, value in space.layer(values, drug).items():
            assert getattr(layer, name) == value, name
        for name, value in space.response(values, drug).items():
            assert getattr(response, name) == value, name
    for family, value in space.cutoffs(values).items():
        assert load_antibody_assay(family).cutoff == value


def test_the_record_is_of_the_calibration_figures_and_carries_no_date() -> None:
    text = RECORD.read_text(encoding="utf-8")
    record = tomllib.loads(text)
    assert [one["target"] for one in record["fitted"]] == [target.name for target in targets()]
    assert "20" + "26" not in text
    for one, target in zip(record["fitted"], targets(), strict=True):
        assert target.accept[0] <= one["predicted"] <= target.accept[1], target.name


def test_enough_sets_to_show_what_the_figures_leave_open() -> None:
    sets = parameter_sets()
    assert len(sets) >= 20
    # a chain that stays where it is counts twice, as it should: nearly all sets differ, not all
    assert len({one.immunogenicity["infliximab"].h0 for one in sets}) >= 0.9 * len(sets)


@pytest.mark.slow
def test_the_calibration_lands_on_the_same_bytes() -> None:
    """The whole search, as anyone can run it: about twenty minutes on two cores."""
    from validation import calibrate

    assert calibrate.main(["--check"]) == 0


@pytest.mark.slow
def test_the_number_of_processes_changes_nothing() -> None:
    from validation.search import QUICK, search

    one, two = (search(QUICK, 3, lambda text: None, workers) for workers in (1, 2))
    assert write.record_text(one, QUICK, 3) == write.record_text(two, QUICK, 3)
    assert np.array_equal(one.best, two.best)
