"""Randomised trials: patients are where they should be, and are the patients of the paired run, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import scenarios as sc
from pkmodel.draws import Draws
from pkmodel.errors import InputError
from scenarios import running
from scenarios.allocation import allocate, leaving_days
from scenarios.metrics import METRICS
from scenarios.readout import choose_window, readout
from scenarios.scenario_parts import TrialDesign

N, SEED = 160, 5
BASE = "scheduled-vs-episodic"


def run(*changes: str, patients: int = N) -> xr.Dataset:
    return sc.run(sc.Scenario.load(BASE).with_settings(changes), patients=patients, seed=SEED)


@pytest.fixture(scope="module")
def paired() -> xr.Dataset:
    return run()


@pytest.fixture(scope="module")
def randomised() -> xr.Dataset:
    return run("trial.design=randomised", "trial.block=4")


def test_a_randomised_patient_is_the_paired_one(paired: xr.Dataset, randomised: xr.Dataset) -> None:
    arms = randomised.allocation.values
    assert set(arms) == {0, 1}
    for name in paired.data_vars:
        if "arm" not in paired[name].dims:
            assert np.array_equal(paired[name], randomised[name])
            continue
        for number in (0, 1):
            mine = arms == number
            here = randomised[name].isel(arm=number).values
            there = paired[name].isel(arm=number).values
            assert np.array_equal(here[mine], there[mine].astype(here.dtype), equal_nan=here.dtype.kind == "f"), name
            assert np.isnan(here[~mine]).all(), name


def test_chunks_do_not_matter(randomised: xr.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "CHUNK", 37)
    again = run("trial.design=randomised", "trial.block=4")
    assert randomised.drop_attrs().equals(again.drop_attrs())


def test_scores_read_each_arm_s_own_patients(paired: xr.Dataset, randomised: xr.Dataset) -> None:
    window = choose_window(randomised)
    for number, name in enumerate(("scheduled", "episodic")):
        mine = np.flatnonzero(randomised.allocation.values == number)
        alone = paired.isel(patient=mine)
        ours, theirs = readout(randomised, name, window), readout(alone, name, window)
        for metric in METRICS.values():
            for one, other in zip(metric(ours), metric(theirs), strict=True):
                assert repr(one.sample.interval()) == repr(other.sample.interval())


def test_differences_between_different_patients_are_wider(paired: xr.Dataset, randomised: xr.Dataset) -> None:
    together = sc.compare(paired, "drug_per_year").frame.iloc[0]
    separate = sc.compare(randomised, "drug_per_year").frame.iloc[0]
    assert separate["n"] == N
    assert separate["high"] - separate["low"] > together["high"] - together["low"]
    assert "other patients" in str(sc.compare(randomised))
    assert "each in one arm" in str(sc.score(randomised))


def test_nobody_is_seen_or_dosed_after_leaving(paired: xr.Dataset) -> None:
    left = run("trial.dropout_per_year=1.5")
    leaves = left.leaves.values
    gone = np.isfinite(leaves)
    assert 0.6 < gone.mean() < 0.95  # 1 - exp(-1.5 x 54 x 7 / 365.25) = 0.79
    assert (leaves[gone] < 378.0).all()
    after = (7.0 * left.visit.values)[None, :] >= np.where(gone, leaves, np.inf)[:, None]
    for name in ("trough_measured", "ada_drug_tolerant", "trough_blq"):
        values = left[name].values
        assert np.isnan(values[:, after]).all()
        same = np.broadcast_to(~after, values.shape)
        assert np.array_equal(values[same], paired[name].values[same].astype(float), equal_nan=True)
    for name in ("loss_time", "onset_time"):
        assert (paired[name].values >= leaves).any()
        assert not (left[name].values >= leaves).any()
    early = gone & (leaves < 98.0)
    assert early.any()
    assert not left.responder.values[:, early].any()
    stayed = ~gone
    assert np.array_equal(left.doses.values[:, stayed], paired.doses.values[:, stayed])
    assert (left.doses.values[:, early] < paired.doses.values[:, early]).all()
    frame = sc.score(left).frame
    last = frame[(frame.metric == "in_window") & (frame.visit == "54") & (frame.arm == "scheduled")]
    assert last["n"].item() == (~after[:, -1]).sum()


def test_loss_of_response_is_of_those_who_are_followed_to_the_end(paired: xr.Dataset) -> None:
    left = run("trial.dropout_per_year=1.5")
    table = sc.score(left)
    stayed = np.isnan(left.leaves.values)
    responders = paired.responder.values[0] & stayed
    lost = np.isfinite(paired.loss_time.values[0])
    row = table.frame[(table.frame.metric == "loss_of_response") & (table.frame.arm == "scheduled")]
    assert row["n"].item() == responders.sum() < paired.responder.values[0].sum()
    assert row["estimate"].item() == pytest.approx(100.0 * lost[responders].mean())
    assert "(% of responders followed to the end)" in str(table)


def test_equal_arms_differ_by_exactly_nothing_with_dropout() -> None:
    trial = sc.Scenario.load(BASE).with_settings(["trial.dropout_per_year=0.5"])
    from dataclasses import replace

    twin = replace(trial.arms[0], name="twin")
    frame = sc.compare(sc.run(replace(trial, arms=(trial.arms[0], twin)), patients=N, seed=SEED)).frame
    assert (frame["difference"] == 0.0).all()


@given(
    ratio=st.lists(st.integers(1, 4), min_size=2, max_size=4),
    blocks=st.integers(1, 3),
    count=st.integers(1, 30),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=40, deadline=None)
def test_full_blocks_hold_the_exact_ratio(ratio: list[int], blocks: int, count: int, seed: int) -> None:
    size = blocks * sum(ratio)
    design = TrialDesign(randomised=True, ratio=tuple(ratio), block=size)
    ids = np.arange(size * count, dtype=np.int64)
    arms = allocate(design, ids, Draws(seed)).reshape(count, size)
    for number, part in enumerate(ratio):
        assert ((arms == number).sum(axis=1) == part * blocks).all()
    shuffled = np.random.default_rng(0).permutation(ids)
    assert np.array_equal(allocate(design, shuffled, Draws(seed)), arms.ravel()[shuffled])
    assert np.array_equal(allocate(design, ids[3:7], Draws(seed)), arms.ravel()[3:7])


def test_simple_randomisation_and_leaving_have_their_distributions() -> None:
    ids = np.arange(40_000, dtype=np.int64)
    arms = allocate(TrialDesign(randomised=True, ratio=(2, 1, 1)), ids, Draws(3))
    # four standard errors of a share of a half and a quarter among 40,000
    assert np.mean(arms == 0) == pytest.approx(0.5, abs=0.01)
    assert np.mean(arms == 2) == pytest.approx(0.25, abs=0.009)
    days = leaving_days(TrialDesign(dropout=0.2 / 365.25), ids, Draws(3))
    assert np.mean(days < 365.25) == pytest.approx(1 - np.exp(-0.2), abs=0.008)
    assert abs(np.corrcoef(arms, days)[0, 1]) < 0.02
    assert np.isinf(leaving_days(TrialDesign(), ids[:5], Draws(3))).all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (("trial.ratio=[2,1]",), "every patient is in every arm"),
        (("trial.design=randomised", "trial.ratio=[2,1,1]"), "3 parts for 2 arms"),
        (("trial.design=randomised", "trial.block=3"), "multiple of 2"),
        (("trial.design=randomized",), "randomised"),
        (("trial.dropout_per_year=-0.1",), "dropout_per_year"),
        (("trial.dropout=0.1",), "dropout_per_year"),
    ],
)
def test_what_is_refused(changes: tuple[str, ...], words: str) -> None:
    with pytest.raises(InputError, match=words.replace("(", r"\(")):
        sc.Scenario.load(BASE).with_settings(changes)


def test_the_protocol_keeps_the_design() -> None:
    trial = sc.Scenario.load(BASE).with_settings(["trial.design=randomised", "trial.block=4"])
    again = sc.Scenario.parse(trial.text)
    assert again.design == trial.design
    assert again.design.randomised
    assert again.design.block == 4
