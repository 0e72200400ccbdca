"""No dose is lost between decision days: a file says so before, a run says so at the latest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from clinic_trial import ARM, TRIAL, trial

import scenarios as sc
from pkmodel.errors import InputError
from scenarios.arm import ArmRun
from scenarios.cohorts import Cohort
from scenarios.setting import Setting

N, SEED = 40, 7


def parsed(policy, review="2 weeks", clinic="", late_by="2 weeks"):
    text = TRIAL + ARM.format(name="one", policy=policy, clinic=clinic)
    text = text.replace('review_every = "2 weeks"', f'review_every = "{review}"')
    return sc.Scenario.parse(text.replace('late_by = "2 weeks"', f'late_by = "{late_by}"'), file="my.toml")


def test_an_alternative_whose_doses_fall_between_reviews_is_refused():
    with pytest.raises(InputError, match=r"review_every: 8 weeks does not divide .*timetable of adalimumab, 2 weeks"):
        sc.Scenario.load("reactive-tdm").with_settings(["review_every=8 weeks"])


def test_the_remedy_works():
    with pytest.raises(InputError, match=r'my\.toml:11: review_every: .*write review_every = "2 weeks"'):
        parsed('name = "fixed"', "8 weeks")
    assert parsed('name = "fixed"', "2 weeks").review_every == 14.0


@pytest.mark.parametrize(
    ("policy", "length"),
    [
        ('name = "reactive-tdm", escalation = "interval"', "an interval of adalimumab .* 1 week"),
        ('name = "target-window", target = "4-7 ug/mL", interval_step = "1 week"', "7 weeks"),
        ('name = "target-window", target = "4-7 ug/mL", min_interval = "5 weeks"', "5 weeks"),
        ('name = "proportional"', "1 week"),
        ('name = "stepwise", middle = "5 weeks"', "5 weeks"),
        ('name = "phased", at = "30 weeks", first = { name = "fixed" }, then = { name = "proportional" }', "1 week"),
    ],
)
def test_an_interval_that_a_policy_can_choose_must_fit(policy, length):
    with pytest.raises(InputError, match=rf'review_every.*{length}.*write review_every = "1 week"'):
        parsed(policy)
    assert parsed(policy, "1 week")


def test_intervals_stay_free_where_nobody_chooses_them():
    assert parsed('name = "escalate-on-loss", action = "double-dose"')
    assert parsed('name = "reactive-tdm"')
    assert parsed('name = "escalate-on-loss", action = "halve-interval"')  # never after a switch


def test_a_halved_interval_must_fit():
    text = trial("fixed").text
    text = (
        text[: text.index("[[arm]]")]
        + """
[[arm]]
name = "one"
policy = { name = "escalate-on-loss", action = "halve-interval" }
[[arm.dosing]]
dose = "5 mg/kg"
every = "8 weeks"
until = "78 weeks"
"""
    )
    assert sc.Scenario.parse(text)
    with pytest.raises(InputError, match=r'infliximab that the policy can choose, 4 weeks\); write .* "4 weeks"'):
        sc.Scenario.parse(text.replace('"2 weeks"', '"8 weeks"'))


def test_steps_of_the_clinic_count():
    policy = 'name = "target-window", target = "4-7 ug/mL", interval_step = "1 week"'
    assert parsed(policy, clinic='interval_step = "2 weeks"')


def test_a_late_dose_must_fit():
    with pytest.raises(InputError, match=r"late_by, 10 days"):
        parsed('name = "fixed"', late_by="10 days")


def test_a_timetable_that_begins_again_must_fit():
    text = TRIAL + ARM.format(name="one", policy='name = "fixed"', clinic="CLINIC")
    text = text.replace("weeks = [0, 2, 6]", "weeks = [0, 3, 6]", 1)
    assert sc.Scenario.parse(text.replace("CLINIC", ""))
    with pytest.raises(InputError, match=r"infliximab begun again, 3 weeks"):
        sc.Scenario.parse(text.replace("CLINIC", "reinduction = true"))


@dataclass(frozen=True)
class Orders:
    """Orders the same for everybody on one day."""

    day: float
    orders: dict
    needs_levels: ClassVar[bool] = False

    def __call__(self, visit):
        planned = visit.as_planned()
        if visit.day != self.day:
            return planned
        return replace(planned, **{key: np.full(N, value, kind) for key, (value, kind) in self.orders.items()})


def go(policy, days=None):
    scenario = trial("fixed")
    setting = Setting.of(scenario, SEED, 1)
    setting = setting if days is None else replace(setting, days=days)
    arm = replace(scenario.arms[0], policy=policy, adherence=None)
    return ArmRun(setting, arm, Cohort.load("adult-crohn").sample(N, seed=SEED)).carry_through()


def test_a_run_stops_where_an_interval_is_shorter_than_the_way_to_the_next_look():
    with pytest.raises(InputError, match=r"by day 112 more than one dose has come due since day 105"):
        go(Orders(98.0, {"interval": (7.0, float)}))
    assert (go(Orders(98.0, {"interval": (14.0, float)})).plan.counts[:, 0] > 30).all()


def test_a_run_stops_where_a_timetable_has_gone_on_unseen():
    switch = Orders(98.0, {"switch_to": (1, np.int8)})
    assert (go(switch).plan.counts[:, 1] > 20).all()
    sparse = (0.0, 14.0, 42.0, 98.0, *np.arange(154.0, 546.0, 56.0), 546.0)
    with pytest.raises(InputError, match=r"by day 154 more than one dose has come due since day 112 \(40 patients"):
        go(switch, sparse)
