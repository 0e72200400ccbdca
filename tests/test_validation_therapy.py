"""What an immunomodulator does, seen in simulated studies."""

from __future__ import annotations

import numpy as np
import pytest

from pkmodel.antibody import Immunogenicity
from scenarios.scenario import Scenario


def test_full_strength_from_125_and_not_before() -> None:
    layer = Immunogenicity.load("infliximab")
    levels = np.array([0.0, 30.0, 60.0, 100.0, 124.0, 125.0, 235.0, 600.0])
    strength = layer.strength(levels)
    assert strength[0] == 0.0
    assert np.all(np.diff(strength[:5]) > 0.0)
    assert np.all(strength[5:] == 1.0)
    assert strength[4] < 1.0
    # the Hill curve has its half at 60; scaled to 1 at 125, a little more than half
    assert 0.5 < strength[2] < 0.65


def test_a_thiopurine_added_late_lowers_antibodies_that_are_there_over_months() -> None:
    from validation.case import Study
    from validation.trial import Parameters, run_arms

    late = """
[[arm.cotherapy]]
drug = "thiopurine"
from = "30 weeks"
"""
    text = """
title = "late"
question = "late?"
drug = "infliximab"
model = "infliximab-fasanmade-2011"
immunogenicity = "infliximab"
cohort = "adult-crohn"
window = "taxit"
duration = "70 weeks"
visits_weeks = [30, 54]
review_every = "4 weeks"
[assays]
drug = "infliximab-elisa"
"""
    dosing = """
[[arm.dosing]]
dose = "5 mg/kg"
weeks = [0, 2, 6]
[[arm.dosing]]
dose = "5 mg/kg"
every = "8 weeks"
until = "70 weeks"
"""
    whole = text + '[[arm]]\nname = "alone"\n' + dosing + '[[arm]]\nname = "late"\n' + dosing + late
    study = Study(name="late", scenario=Scenario.parse(whole), figures=())
    records = run_arms([("late", "alone"), ("late", "late")], {"late": study}, Parameters.shipped(), 120, threads=1)
    alone, added = records["late", "alone"], records["late", "late"]
    before = alone.column(7.0 * 30)
    np.testing.assert_array_equal(alone.antibody_total[:, : before + 1], added.antibody_total[:, : before + 1])
    had = (alone.onset_time < 7.0 * 26) & (alone.antibody_total[:, before] > 0.01)
    assert had.sum() > 10

    def lowered(week: float) -> float:
        column = alone.column(7.0 * week)
        return float(np.median(added.antibody_total[had, column] / alone.antibody_total[had, column]))

    assert 1.0 > lowered(34.0) > lowered(46.0)  # not at once: production and antibody have half-lives of weeks
    factor = Immunogenicity.load("infliximab").imm_production
    # in the end roughly as production is lowered; not exactly, because more drug stays and binds
    assert lowered(66.0) == pytest.approx(factor, abs=0.15)


def test_established_cotherapy_is_a_negative_start() -> None:
    """'-12 weeks' in a scenario file: at day 0 the thiopurine is at full strength, from 0 it is not."""
    from validation.case import studies

    arm = next(arm for arm in studies()["sonic"].scenario.arms if arm.name == "combination")
    assert arm.cotherapy[0].start == 0.0
    arm = next(arm for arm in studies()["accent1"].scenario.arms if arm.name == "episodic imm")
    assert arm.cotherapy[0].start == -84.0


@pytest.mark.parametrize("text", ['"- weeks"', '"--2 weeks"', '"-2"'])
def test_a_start_that_is_no_time_is_refused(text: str) -> None:
    from validation.case import studies

    scenario = studies()["accent1"].scenario
    with pytest.raises(Exception, match="from"):
        scenario.with_settings([f"arm.1.cotherapy.0.from={text}"])
