"""What was decided, in words of a fixed vocabulary, and why."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scenarios.attendance import Absent
from scenarios.drug_class import class_of
from scenarios.plan import Instructions
from scenarios.visit import Visit

VOCABULARY = (
    "stop", "switch-within-class", "switch-out-of-class", "pause", "restart", "add-immunomodulator",
    "stop-immunomodulator", "escalate-interval", "lengthen-interval", "escalate-dose", "reduce-dose",
    "dose-missed", "dose-late", "dose-on-demand", "dose-withheld",
)  # fmt: skip
"""In the order in which several words of one day are written, joined by '+'; 'continue' where there is none."""

CONTINUE = "continue"

_OWN_REASON = {
    "stop": "symptoms for too long",
    "dose-missed": "the patient did not come",
    "dose-late": "the patient put the appointment off",
    "dose-on-demand": "a dose outside the timetable",
    "dose-withheld": "a dose that was due was not given",
    CONTINUE: "as planned",
}


def decisions(visit: Visit, carried: Instructions, away: Absent, drugs: Sequence[str]) -> NDArray[np.int32]:
    """Return what was decided as bits, one for each word of ``VOCABULARY`` from the lowest; 0 is "continue".

    It is read from what became of the orders, not from what a policy says it does.
    """
    classes = np.array([class_of(name) for name in drugs])
    switched = carried.switch_to >= 0
    same = switched & (classes[np.where(switched, carried.switch_to, visit.drug)] == classes[visit.drug])
    kept = ~carried.begun
    flags = {
        "stop": carried.stop,
        "switch-within-class": same,
        "switch-out-of-class": switched & ~same,
        "pause": carried.pause,
        "restart": carried.begin_again | carried.resume,
        "add-immunomodulator": carried.immunomodulator == 1,
        "stop-immunomodulator": carried.immunomodulator == -1,
        "escalate-interval": kept & (carried.interval < visit.interval),
        "lengthen-interval": kept & (carried.interval > visit.interval),
        "escalate-dose": kept & (carried.dose > visit.dose),
        "reduce-dose": kept & (carried.dose < visit.dose),
        "dose-missed": away.missed,
        "dose-late": away.late,
        "dose-on-demand": carried.give & ~visit.due & kept & ~carried.resume & ~(carried.interval < visit.interval),
        "dose-withheld": visit.due & ~carried.give & ~carried.stop & ~carried.pause,
    }
    bits = np.zeros(visit.due.size, np.int32)
    for number, word in enumerate(VOCABULARY):
        bits |= flags[word].astype(np.int32) << number
    return bits


def words(bits: int) -> str:
    """Return the words of one decision."""
    said = [word for number, word in enumerate(VOCABULARY) if bits >> number & 1]
    return "+".join(said) or CONTINUE


def usual_reason(decision: str) -> str:
    """Return the reason of a decision for which its policy gives none."""
    return _OWN_REASON.get(decision.partition("+")[0], "the policy gives no reason")
