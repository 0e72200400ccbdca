"""A trial in which clinics do what they do: two drugs, missed and late visits, response that can come back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

import scenarios as sc
from scenarios.arm import ArmRun
from scenarios.cohorts import Cohort
from scenarios.ledger import Ledger
from scenarios.scenario_parts import Clinic
from scenarios.setting import Setting

TRIAL = """
title = "Contract"
question = "Does the policy keep to the rules?"
drug = "infliximab"
model = "infliximab-fasanmade-2011"
immunogenicity = "infliximab"
cohort = "adult-crohn"
window = "taxit"
duration = "78 weeks"
visits_weeks = [0, 2, 6, 14, 22, 30, 38, 46, 54, 62, 70, 78]
review_every = "2 weeks"
regain_after = "12 weeks"
[assays]
drug = "infliximab-elisa"
"""
ARM = """
[[arm]]
name = "{name}"
policy = {{ {policy} }}
[arm.adherence]
missed = 0.1
late = 0.1
late_by = "2 weeks"
clustering = 0.2
[arm.clinic]
{clinic}
[[arm.dosing]]
dose = "5 mg/kg"
weeks = [0, 2, 6]
[[arm.dosing]]
dose = "5 mg/kg"
every = "8 weeks"
until = "78 weeks"
[[arm.alternative]]
drug = "adalimumab"
model = "adalimumab-berends-2018"
immunogenicity = "adalimumab"
[arm.alternative.assays]
drug = "adalimumab-elisa"
drug_sensitive = "tours-elisa"
drug_tolerant = "idkmonitor-adalimumab"
[[arm.alternative.dosing]]
dose = "160 mg"
weeks = [0]
[[arm.alternative.dosing]]
dose = "80 mg"
weeks = [2]
[[arm.alternative.dosing]]
dose = "40 mg"
every = "2 weeks"
start = "4 weeks"
until = "104 weeks"
[[arm.alternative]]
drug = "vedolizumab"
model = "vedolizumab-okamoto-2021"
immunogenicity = "none"
[arm.alternative.assays]
drug = "vedolizumab-elisa"
drug_sensitive = "vedolizumab-elisa-ada"
drug_tolerant = "vedolizumab-tolerant-ada"
[[arm.alternative.dosing]]
dose = "300 mg"
weeks = [0, 2, 6]
[[arm.alternative.dosing]]
dose = "300 mg"
every = "8 weeks"
until = "104 weeks"
"""
CLINIC = 'turnaround = "7 days"\nearly_by = "3 days"\nvial = "100 mg"\nmax_dose = "10 mg/kg"\nreinduction = true'
PARAMETERS = {
    "drug-holiday": 'start = "30 weeks", length = "12 weeks"',
    "episodic": 'earliest = "14 weeks"',
    "escalate-on-loss": 'action = "double-dose", then = "switch-within-class"',
    "immunomodulator-on-antibody": "stop_when_negative = true",
    "model-informed": 'target = "3-7 ug/mL"',
    "phased": 'at = "30 weeks", first = { name = "fixed" }, then = { name = "target-window", target = "4-7 ug/mL" }',
    "proportional": 'interval_step = "2 weeks", min_interval = "2 weeks"',
    "reactive-tdm": 'primary_nonresponse = true, high_titre = "add-immunomodulator"',
    "switch-on-loss": 'to = "within-class", primary_nonresponse = true',
    "target-window": 'target = "4-7 ug/mL"',
}


def trial(name, clinic=""):
    """One arm under the policy of that name."""
    policy = ", ".join(filter(None, [f'name = "{name}"', PARAMETERS.get(name, "")]))
    return sc.Scenario.parse(TRIAL + ARM.format(name=name, policy=policy, clinic=clinic))


N, SEED = 120, 7


@dataclass(frozen=True)
class Script:
    """Does what it is told on given days, to everybody."""

    orders: dict
    needs_levels: ClassVar[bool] = True

    def __call__(self, visit):
        return replace(visit.as_planned(), **self.orders.get(visit.day, lambda _: {})(visit))


def everybody(value, dtype=bool):
    return lambda visit: np.full(visit.due.size, value, dtype)


def go(clinic=None, policy=None, adherence=None, n=N, scenario=None, watch=None, **response):
    """An arm, what its policy was shown and its ledger; ``response``: other parameters for its first drug."""
    scenario = scenario or trial("fixed")
    setting = Setting.of(scenario, SEED, 1)
    setting = replace(setting, response=setting.response.with_values(**response))
    arm = replace(scenario.arms[0], adherence=adherence, clinic=clinic or Clinic())
    arm = arm if policy is None else replace(arm, policy=policy)
    ledger, shown = Ledger(), []
    patients = Cohort.load("adult-crohn").sample(n, seed=SEED)

    class Watched:
        needs_levels = arm.policy.needs_levels
        levels_at_symptoms = getattr(arm.policy, "levels_at_symptoms", None)

        def __call__(self, visit):
            shown.append(visit)
            return arm.policy(visit)

    run = ArmRun(setting, replace(arm, policy=Watched()), patients)
    run.carry_through(True, watch=watch, pages=ledger.pages("arm"))
    return run, {visit.day: visit for visit in shown}, ledger
