"""One policy first, another later."""

from __future__ import annotations

import numpy as np
import pytest

import scenarios as sc
from pkmodel.errors import InputError
from scenarios.policies import make

WINDOW = {"name": "target-window", "target": "4-7 ug/mL"}
FIXED = {"name": "fixed"}


def run(policy: object):
    from dataclasses import replace

    trial = sc.Scenario.load("taxit")
    arms = (trial.arms[0], replace(trial.arms[1], policy=policy))
    return sc.run(replace(trial, arms=arms), patients=80, seed=4)


def test_it_is_the_first_before_and_the_second_after() -> None:
    whole = run(make("target-window", {"target": "4-7 ug/mL"}))
    early = run(make("phased", {"first": WINDOW, "then": FIXED, "at": "0 weeks"}))
    late = run(make("phased", {"first": WINDOW, "then": FIXED, "at": "80 weeks"}))
    half = run(make("phased", {"first": WINDOW, "then": FIXED, "at": "30 weeks"}))
    assert np.array_equal(early.trough[1], early.trough[0])
    assert np.array_equal(late.trough[1], whole.trough[1])
    before = half.visit.values <= 30
    assert np.array_equal(half.trough[1][:, before], whole.trough[1][:, before])
    assert not np.array_equal(half.trough[1], whole.trough[1])
    assert not np.array_equal(half.trough[1], early.trough[1])


def test_it_wants_levels_if_either_does() -> None:
    assert make("phased", {"first": FIXED, "then": WINDOW, "at": "8 weeks"}).needs_levels
    assert not make("phased", {"first": FIXED, "then": FIXED, "at": "8 weeks"}).needs_levels


@pytest.mark.parametrize("part", ["fixed", {"target": "4-7 ug/mL"}, {"name": "fixd"}])
def test_parts_must_be_policies(part: object) -> None:
    with pytest.raises(InputError):
        make("phased", {"first": part, "then": FIXED, "at": "8 weeks"})
