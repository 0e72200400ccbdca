"""The contrast between on demand and on schedule: its parts vanish when their causes do."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from validation.case import studies
from validation.contrast import ARMS, contrasts, true_share
from validation.statistics import highest_titre
from validation.trial import Parameters, Records, run_arms

N = 150


@pytest.fixture(scope="module")
def shipped() -> Parameters:
    return Parameters.shipped()


def with_values(parameters: Parameters, **values: float) -> Parameters:
    layer = parameters.immunogenicity["infliximab"].with_values(**values)
    return replace(parameters, immunogenicity={**parameters.immunogenicity, "infliximab": layer})


def both(parameters: Parameters) -> Records:
    return run_arms([("accent1", arm) for arm in ARMS], studies(), parameters, N, threads=1)


def test_parts_add_up(shipped: Parameters) -> None:
    for one in contrasts(shipped, N, threads=1):
        assert one.biology + one.unmasking == pytest.approx(one.seen)


def test_an_assay_that_reads_whatever_drug_is_there_leaves_no_unmasking(shipped: Parameters) -> None:
    """Read both arms with the same drug-tolerant assay: what it sees is what is there, to the noise of the titre."""
    records = both(
        replace(shipped, cutoffs={**shipped.cutoffs, "idkmonitor": shipped.assay("sponsor-bridging").cutoff})
    )
    weeks = [2 * k for k in range(37)]
    shares = []
    for arm in ARMS:
        record = records["accent1", arm]
        seen = highest_titre(record, "idkmonitor", weeks) >= record.parameters.assay("idkmonitor").cutoff
        shares.append((100.0 * float(seen.mean()), true_share(record, "sponsor-bridging", 72)))
    unmasking = (shares[0][0] - shares[1][0]) - (shares[0][1] - shares[1][1])
    assert abs(unmasking) < 8.0  # the titre's error of 15 % lets some cross the cut-off; 12 of 150 patients
    sensitive = contrasts(shipped, N, weeks=(72,), families=("sponsor-bridging",), threads=1)[0]
    assert abs(unmasking) < abs(sensitive.unmasking) + 8.0


def test_without_high_zone_tolerance_the_schedule_no_longer_protects(shipped: Parameters) -> None:
    """g(C) then only rises with drug: more drug, more stimulus, so nobody on schedule seroconverts later.

    Up to week 14 the scheduled arm has had the first dose of the other and two more: its free drug is never lower,
    so its accumulated hazard is never lower, patient by patient.
    """
    records = both(with_values(shipped, C_tol=math.inf))
    demand, schedule = (records["accent1", arm] for arm in ARMS)
    early = demand.onset_time <= 98.0
    assert early.any()
    assert np.all(schedule.onset_time[early] <= demand.onset_time[early] + 1e-6)
    tolerant = both(shipped)
    protected = tolerant["accent1", ARMS[1]].onset_time > tolerant["accent1", ARMS[0]].onset_time + 1.0
    assert protected.mean() > 0.05  # with tolerance the schedule delays onset in some


def test_no_stimulus_no_contrast(shipped: Parameters) -> None:
    one = contrasts(with_values(shipped, h0=0.0), N, weeks=(72,), threads=1)[0]
    assert one.seen == one.biology == one.unmasking == 0.0
