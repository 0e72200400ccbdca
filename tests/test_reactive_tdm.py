"""The review's Figure 1, branch by branch, on patients made for it."""

from __future__ import annotations

import numpy as np
import pytest

from pkmodel.errors import InputError
from scenarios.policies import make
from scenarios.visit import Visit

DRUGS = ("infliximab", "adalimumab", "vedolizumab")


def visit(**changes):
    """One patient on infliximab 5 mg/kg every 8 weeks who has lost response and has a new result."""
    values = {
        "weight": 80.0, "due": True, "dose": 400.0, "interval": 56.0, "first_dose": 400.0, "first_interval": 56.0,
        "in_maintenance": True, "days_since_dose": 56.0, "new_result": True, "sampled_day": 210.0, "at_dose": True,
        "level": 0.5, "below_lloq": False, "antibody_sensitive": 0, "antibody_tolerant": 0, "titre": 0.0,
        "lost_response": True, "no_response": False, "relapsed": False, "changes": 0, "days_since_change": np.inf,
        "drug": 0, "within_class": 1, "out_of_class": 2, "immunomodulator": False, "paused": False, "stopped": False,
    } | changes  # fmt: skip
    codes = {"antibody_sensitive", "antibody_tolerant", "drug", "within_class", "out_of_class"}
    arrays = {name: np.array([value], np.int8 if name in codes else None) for name, value in values.items()}
    return Visit(day=210.0, number=20, drugs=DRUGS, **arrays)


def done(policy, **changes):
    """What the policy does to that patient, in a word."""
    seen = visit(**changes)
    orders = policy(seen)
    switch = int(orders.switch_to[0])
    said = orders.reasons[int(orders.reason[0])]
    if switch >= 0:
        return f"to {DRUGS[switch]}", said
    if orders.immunomodulator[0]:
        return "immunomodulator", said
    if orders.dose[0] != seen.dose[0]:
        return f"{orders.dose[0]:g} mg", said
    if orders.interval[0] != seen.interval[0]:
        return f"{orders.interval[0]:g} d", said
    return "nothing", said


LOW, ADEQUATE = {"level": 2.9}, {"level": 3.0}
BLQ = {"level": np.nan, "below_lloq": True}
HIGH, NOT_HIGH = {"antibody_tolerant": 1, "titre": 9.1}, {"antibody_tolerant": 1, "titre": 9.0}
ON_ADALIMUMAB = {"drug": 1, "within_class": -1, "dose": 40.0, "interval": 14.0}


@pytest.mark.parametrize(
    ("patient", "expected"),
    [
        (LOW, "800 mg"),
        (BLQ, "800 mg"),
        (LOW | NOT_HIGH, "800 mg"),
        (LOW | HIGH, "to adalimumab"),
        (BLQ | HIGH, "to adalimumab"),
        (ADEQUATE, "to vedolizumab"),
        (ADEQUATE | NOT_HIGH, "to vedolizumab"),
        (ADEQUATE | HIGH, "to adalimumab"),
        (LOW | {"dose": 800.0}, "immunomodulator"),
        (LOW | {"dose": 800.0, "immunomodulator": True}, "to adalimumab"),
        (LOW | {"dose": 800.0, "immunomodulator": True, "within_class": -1}, "to vedolizumab"),
        (LOW | HIGH | {"within_class": -1}, "immunomodulator"),
        (ADEQUATE | {"out_of_class": -1}, "to adalimumab"),
        (ADEQUATE | {"out_of_class": -1, "within_class": -1}, "nothing"),
        (ON_ADALIMUMAB | {"level": 4.4}, "80 mg"),
        (ON_ADALIMUMAB | {"level": 4.5}, "to vedolizumab"),
        (ON_ADALIMUMAB | {"level": 1.0, "antibody_tolerant": 1, "titre": 4.0}, "80 mg"),
        (ON_ADALIMUMAB | {"level": 1.0, "antibody_tolerant": 1, "titre": 4.1}, "immunomodulator"),
        (LOW | {"antibody_tolerant": 2}, "800 mg"),
        (LOW | {"lost_response": False}, "nothing"),
        (LOW | {"lost_response": False, "relapsed": True}, "800 mg"),
        (LOW | {"lost_response": False, "no_response": True}, "nothing"),
        (LOW | {"new_result": False}, "nothing"),
        (LOW | {"days_since_change": 83.0}, "nothing"),
        (LOW | {"days_since_change": 84.0}, "800 mg"),
        (LOW | {"in_maintenance": False}, "nothing"),
        (LOW | {"paused": True}, "nothing"),
        ({"drug": 2, "within_class": -1, "out_of_class": -1}, "nothing"),
    ],
)
def test_best_options(patient, expected):
    assert done(make("reactive-tdm"), **patient)[0] == expected


@pytest.mark.parametrize(
    ("parameters", "patient", "expected"),
    [
        ({"low_drug_no_antibody": "add-immunomodulator"}, LOW, "immunomodulator"),
        ({"low_drug_no_antibody": "add-immunomodulator"}, LOW | {"immunomodulator": True}, "800 mg"),
        ({"low_drug_low_titre": "switch-within-class"}, LOW | NOT_HIGH, "to adalimumab"),
        ({"high_titre": "add-immunomodulator"}, LOW | HIGH, "immunomodulator"),
        ({"high_titre": "add-immunomodulator"}, LOW | HIGH | {"immunomodulator": True}, "to adalimumab"),
        ({"adequate_drug": "switch-within-class"}, ADEQUATE, "to adalimumab"),
        ({"escalation": "interval"}, LOW, "28 d"),
        ({"escalation": "interval"}, LOW | {"interval": 42.0}, "28 d"),
        ({"escalation": "interval"}, LOW | {"interval": 28.0}, "immunomodulator"),
        ({"primary_nonresponse": True}, LOW | {"lost_response": False, "no_response": True}, "800 mg"),
    ],
)
def test_alternatives(parameters, patient, expected):
    assert done(make("reactive-tdm", parameters), **patient)[0] == expected


def test_reasons_say_what_was_found_and_done():
    assert done(make("reactive-tdm"), **(LOW | HIGH))[1] == (
        "symptoms; antibody of high titre ({titre}), level {level}; switch within class"
    )
    assert done(make("reactive-tdm"), **LOW)[1] == "symptoms; level {level}, low, and no antibody; escalate"
    nothing = done(make("reactive-tdm"), **(ADEQUATE | {"out_of_class": -1, "within_class": -1}))[1]
    assert nothing.endswith("nothing is left to do")


def test_a_halved_interval_that_has_passed_is_acted_on_today():
    policy = make("reactive-tdm", {"escalation": "interval"})
    assert policy(visit(due=False, days_since_dose=28.0)).give[0]
    assert not policy(visit(due=False, days_since_dose=14.0)).give[0]


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"adequate_drug": "escalate"}, "unknown action 'escalate'"),
        ({"escalation": "both"}, "unknown escalation"),
        ({"adequate": {"infliximab": "3 ug/mL"}}, "different drugs"),
        ({"adequate": "3 ug/mL"}, "name different drugs"),
        ({"titre_limit": {"infliximab": "9 mg", "adalimumab": "4 ug/mL"}}, "9 mg"),
        ({"immunomodulator": "steroids"}, "steroids"),
        ({"wait": "soon"}, "soon"),
    ],
)
def test_what_is_refused(parameters, said):
    with pytest.raises(InputError) as caught:
        make("reactive-tdm", parameters)
    assert said in str(caught.value)
