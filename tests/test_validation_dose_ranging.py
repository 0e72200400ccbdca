"""Antibodies by dose: counted one by one, and fewer at high doses and with methotrexate."""

from __future__ import annotations

import numpy as np
import pytest

from validation import dose_ranging
from validation.case import studies
from validation.dose_ranging import GROUPS
from validation.trial import Parameters, run_arms


@pytest.fixture(scope="module")
def records():
    return run_arms(dose_ranging.arms(), studies(), Parameters.shipped(), 400)


def test_groups_are_those_of_the_trial():
    """53, 21, 7 and 15, 7, 0 % of 14 or 15 patients; seven groups of 101 patients with the one on placebo."""
    printed = {"1": (53, 15), "3": (21, 7), "10": (7, 0)}
    for group in GROUPS:
        dose, alone = group.arm.split()[0], "methotrexate" not in group.arm
        assert round(group.percent) == pytest.approx(printed[dose][0 if alone else 1], abs=1)
        assert group.n in (14, 15)
    assert [arm for _, arm in dose_ranging.arms()] == [arm.name for arm in studies()["maini"].scenario.arms]


def test_the_error_is_that_of_a_share_with_four_patients_more():
    for group in GROUPS:
        share = np.array([1.0] * (group.positive + 2) + [0.0] * (group.n - group.positive + 2))
        assert group.error == pytest.approx(100.0 * share.std() / np.sqrt(share.size))
        assert group.error > 5.0  # nobody of 15 is no certainty


def test_shares_counted_one_by_one(records):
    found = dose_ranging.shares(records)
    for share, arm in zip(found, dose_ranging.arms(), strict=True):
        record = records[arm]
        titres, cutoff = record.titres("sponsor-bridging"), record.parameters.assay("sponsor-bridging").cutoff
        columns = [k for k, day in enumerate(record.days) if day in [14.0, 42.0, 70.0, 98.0, 126.0, 154.0, 182.0]]
        assert len(columns) == 7
        assert share == pytest.approx(100.0 * np.mean([(row[columns] >= cutoff).any() for row in titres]))


def test_low_doses_make_more_antibodies_and_methotrexate_fewer(records):
    alone, together = dose_ranging.shares(records)[::2], dose_ranging.shares(records)[1::2]
    assert alone[0] > alone[1] > alone[2]
    assert together[0] > together[2]
    assert all(with_it < without for with_it, without in zip(together, alone, strict=True))
