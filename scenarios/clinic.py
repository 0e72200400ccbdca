"""What a clinic does to the orders of a policy: caps, whole vials, steps of the interval, stop rules.

Missed and late appointments are in :mod:`scenarios.attendance`, the way of samples and their results in
:mod:`scenarios.results_in_hand`.
"""

from __future__ import annotations

import math

import numpy as np

from scenarios.amounts import in_mg
from scenarios.plan import Instructions, Plan
from scenarios.scenario_parts import Clinic
from scenarios.visit import Codes, Flags, Floats, Orders, Visit

_SLACK = 1e-9  # of a vial: 3.0000000000000004 vials are 3


def as_carried_out(
    orders: Orders, visit: Visit, plan: Plan, clinic: Clinic, *, infused: Flags, symptoms_for: Floats
) -> Instructions:
    """Return what becomes of a policy's orders.

    Parameters
    ----------
    orders, visit
        The orders, and the visit they answer.
    plan
        Before the orders are carried out.
    clinic
        The rules.
    infused
        (drug,) which drugs are infused: vials and the cap concern them.
    symptoms_for
        (patient,) days for which there have been symptoms without a break; 0 without symptoms.
    """
    n = plan.rows.size
    nobody, nothing = np.zeros(n, np.bool_), np.zeros(n, np.int8)
    switch_to = _codes(orders.switch_to, np.full(n, -1, np.int8))
    switched = switch_to >= 0
    stop = _flags(orders.stop, nobody)
    if clinic.stop_after is not None:
        stop = stop | ((symptoms_for >= clinic.stop_after) & ~visit.stopped)
    stop = stop & ~switched
    restart = _flags(orders.restart, nobody) & ~switched & ~stop
    begin_again = restart & (clinic.reinduction | ~visit.paused)
    resume = restart & ~begin_again
    pause = _flags(orders.pause, nobody) & ~switched & ~restart & ~stop
    begun = switched | begin_again
    iv, drug = infused[plan.drug], np.where(switched, switch_to, plan.drug).astype(np.int8)

    # only a dose that was changed is capped in the plan: a plan that differs from the timetable leaves it for good
    dose = np.where(begun | (orders.dose == plan.dose), plan.dose, _capped(orders.dose, visit, clinic, iv))
    interval = np.where(begun | (orders.interval == plan.interval), plan.interval, _stepped(orders.interval, clinic))
    first = plan.first_doses(drug)
    amount = np.where(begun, first, np.where(resume, dose, orders.amount))
    # what is given today is of the drug that the patient is on from today
    amount = _capped(amount, visit, clinic, infused[drug])
    amount = _in_vials(amount, visit, clinic, infused[drug])
    give = np.where(begun, first > 0.0, orders.give | resume) & ~stop
    return Instructions(
        give=give & (amount > 0.0),
        amount=amount,
        dose=dose,
        interval=interval,
        switch_to=switch_to,
        begin_again=begin_again,
        resume=resume,
        immunomodulator=_codes(orders.immunomodulator, nothing),
        pause=pause,
        stop=stop,
    )


def _flags(ordered: Flags | None, default: Flags) -> Flags:
    return default if ordered is None else ordered


def _codes(ordered: Codes | None, default: Codes) -> Codes:
    return default if ordered is None else ordered


def _capped(milligrams: Floats, visit: Visit, clinic: Clinic, iv: Flags) -> Floats:
    if clinic.max_dose is None:
        return milligrams
    return np.where(iv, np.minimum(milligrams, in_mg(clinic.max_dose, visit.weight)), milligrams)


def _in_vials(milligrams: Floats, visit: Visit, clinic: Clinic, iv: Flags) -> Floats:
    """Whole vials; where rounding up would pass the cap, the vials that stay below it."""
    if clinic.vial is None:
        return milligrams
    vials = milligrams / clinic.vial
    whole = np.ceil(vials - _SLACK) if clinic.rounding == "up" else np.maximum(np.floor(vials + 0.5), 1.0)
    if clinic.max_dose is not None:
        whole = np.minimum(whole, np.floor(in_mg(clinic.max_dose, visit.weight) / clinic.vial + _SLACK))
    # a child whose cap is below one vial gets the dose as it is: a part of a vial, not none
    return np.where(iv & (milligrams > 0.0) & (whole >= 1.0), whole * clinic.vial, milligrams)


def _stepped(interval: Floats, clinic: Clinic) -> Floats:
    """A new interval on the clinic's steps and within its limits."""
    if clinic.interval_step is not None:
        steps = np.maximum(np.floor(interval / clinic.interval_step + 0.5), 1.0)
        interval = np.where(np.isfinite(interval), steps * clinic.interval_step, interval)
    low = 0.0 if clinic.min_interval is None else clinic.min_interval
    high = math.inf if clinic.max_interval is None else clinic.max_interval
    return np.clip(interval, low, high)
