"""Endpoints of trials, by name: what a trial asks of each patient.

    in window at week 54            level in the target window at that visit, on the scenario's drug
    response at week 54             primary response, not lost by then
    response and in window at week 54
    loss of response by week 54     of those with primary response
    time to loss of response by week 54
    antibody-free survival to week 54                    (drug-tolerant assay)
    antibody-free survival to week 54, drug-sensitive

Who leaves the trial before the week has failed: not reached a good endpoint, reached a bad one (non-responder
imputation). In times to an event, leaving ends the watch (censoring). A loss is the first one: response that came
back, in scenarios in which it can, counts as lost. Who is on another drug than the scenario's is not in the window.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pkmodel.errors import InputError
from scenarios.intervals import BoolArray, Share
from scenarios.metrics import POSITIVE
from scenarios.readout import ArmReadout
from scenarios.survival import Times

EXAMPLES = (
    "in window at week 54",
    "response at week 54",
    "response and in window at week 54",
    "loss of response by week 54",
    "time to loss of response by week 54",
    "antibody-free survival to week 54",
    "antibody-free survival to week 54, drug-sensitive",
)
_FORM = re.compile(
    r"(?P<what>.+?) (?:at|by|to) week (?P<week>[0-9]+(?:\.[0-9]+)?)(?P<assay>, drug-(?:sensitive|tolerant))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One endpoint.

    Attributes
    ----------
    name
        As it was asked for.
    good
        Whether the event of `share` is what one hopes for.
    share
        Patients of an arm with the event.
    times
        Times to the bad event of an arm's patients; None for an endpoint that is judged on one day.
    """

    name: str
    good: bool
    share: Callable[[ArmReadout], Share]
    times: Callable[[ArmReadout], Times] | None = None


def endpoint(name: str) -> Endpoint:
    """The endpoint of a name.

    Raises
    ------
    InputError
        If it is none, with the forms there are. Whether the week is a visit is seen when it is computed.
    """
    form = _FORM.fullmatch(" ".join(name.split()))
    makers = {
        "in window": _in_window,
        "response": _response,
        "response and in window": _response_in_window,
        "loss of response": _loss,
        "time to loss of response": _time_to_loss,
        "antibody-free survival": _antibody_free,
    }
    if form is None or form["what"] not in makers or (form["assay"] and form["what"] != "antibody-free survival"):
        raise InputError.one(f"'{name}' is no endpoint", f"write one of: {'; '.join(EXAMPLES)}", key="endpoint")
    return makers[form["what"]](name, float(form["week"]), (form["assay"] or ", drug-tolerant").removeprefix(", "))


def _column(arm: ArmReadout, week: float) -> int:
    if week not in arm.weeks:
        known = ", ".join(arm.visits)
        raise InputError.one(f"no visit at week {week:g}", f"choose one of week {known}", key="endpoint")
    return arm.weeks.index(week)


def _left(arm: ArmReadout, week: float) -> BoolArray:
    """Who had left by the end of a week."""
    return np.asarray(arm.stays <= 7.0 * week)


def _kept(arm: ArmReadout, week: float) -> BoolArray:
    lost = arm.loss_time <= 7.0 * week
    return np.asarray(arm.responder & ~lost & ~_left(arm, week))


def _in_window(name: str, week: float, _: str) -> Endpoint:
    return Endpoint(name=name, good=True, share=lambda arm: Share(event=arm.zone[:, _column(arm, week)] == 0))


def _response(name: str, week: float, _: str) -> Endpoint:
    return Endpoint(name=name, good=True, share=lambda arm: Share(event=_kept(arm, week)))


def _response_in_window(name: str, week: float, _: str) -> Endpoint:
    def share(arm: ArmReadout) -> Share:
        return Share(event=_kept(arm, week) & (arm.zone[:, _column(arm, week)] == 0))

    return Endpoint(name=name, good=True, share=share)


def _loss(name: str, week: float, _: str) -> Endpoint:
    def share(arm: ArmReadout) -> Share:
        lost = (arm.loss_time <= 7.0 * week) | _left(arm, week)
        return Share(event=np.asarray(lost), among=arm.responder)

    return Endpoint(name=name, good=False, share=share)


def _time_to_loss(name: str, week: float, _: str) -> Endpoint:
    def times(arm: ArmReadout) -> Times:
        watched = np.minimum(arm.stays, 7.0 * week)
        event = np.asarray(arm.loss_time <= watched)
        days = np.where(event, arm.loss_time, watched)
        return Times(ids=arm.ids, weeks=days / 7.0, event=event).take(np.flatnonzero(arm.responder))

    return Endpoint(name=name, good=False, share=_loss(name, week, _).share, times=times)


def _antibody_free(name: str, week: float, assay: str) -> Endpoint:
    def found(arm: ArmReadout) -> BoolArray:
        codes = arm.ada_drug_sensitive if assay == "drug-sensitive" else arm.ada_drug_tolerant
        return np.asarray(codes[:, : _column(arm, week) + 1] == POSITIVE)

    def share(arm: ArmReadout) -> Share:
        return Share(event=~found(arm).any(axis=1) & ~_left(arm, week))

    def times(arm: ArmReadout) -> Times:
        positive = found(arm)
        event = np.asarray(positive.any(axis=1))
        weeks = np.array(arm.weeks)
        looks = np.count_nonzero(arm.seen[:, : positive.shape[1]], axis=1)
        # who left before the first sample was never watched: week 0
        last = np.where(looks > 0, weeks[np.maximum(looks - 1, 0)], 0.0)
        return Times(ids=arm.ids, weeks=np.where(event, weeks[positive.argmax(axis=1)], last), event=event)

    return Endpoint(name=name, good=True, share=share, times=times)
