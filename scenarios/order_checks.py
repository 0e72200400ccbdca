"""Orders are checked before they are carried out: a policy's slip must not become a dose."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pkmodel.errors import Fault, InputError
from scenarios.visit import Orders, Visit


def check_orders(orders: Orders, visit: Visit, policy: object) -> None:
    """Refuse orders that no clinic could carry out.

    Raises
    ------
    InputError
        Naming the policy, the day, and every array that is wrong.
    """
    faults = [Fault(key=key, problem=problem) for key, problem in _problems(orders, visit)]
    if faults:
        where = f"orders of {type(policy).__name__} on day {visit.day:g}"
        raise InputError([Fault(key=fault.key, problem=f"{where}: {fault.problem}") for fault in faults])


def _problems(orders: Orders, visit: Visit) -> Iterator[tuple[str, str]]:
    n = visit.due.size
    arrays = {
        name: value
        for name in (
            "give", "amount", "dose", "interval", "switch_to", "immunomodulator", "pause", "restart", "stop", "reason",
        )
        if (value := getattr(orders, name)) is not None
    }  # fmt: skip
    shaped = {name: value for name, value in arrays.items() if np.shape(value) == (n,)}
    for name in arrays.keys() - shaped.keys():
        yield name, f"shape {np.shape(arrays[name])}, expected ({n},), one for each patient"
    for name in ("amount", "dose"):
        if name in shaped and not (np.isfinite(shaped[name]).all() and (shaped[name] >= 0.0).all()):
            yield name, "a dose is negative or not a number; doses are mg from 0"
    if "interval" in shaped and not (shaped["interval"] > 0.0).all():
        yield "interval", "an interval is not positive; intervals are days"
    if "switch_to" in shaped:
        to = shaped["switch_to"]
        if ((to < -1) | (to >= len(visit.drugs))).any():
            yield "switch_to", f"there are drugs 0 to {len(visit.drugs) - 1}, and -1 to stay"
        if (to == visit.drug).any():
            yield "switch_to", "a switch to the drug the patient is on; order a restart instead"
    if "immunomodulator" in shaped and not np.isin(shaped["immunomodulator"], (-1, 0, 1)).all():
        yield "immunomodulator", "expected -1 (stop), 0 or 1 (start)"
    if "reason" in shaped:
        reason = shaped["reason"]
        if ((reason < 0) | (reason >= len(orders.reasons))).any():
            yield "reason", f"there are reasons 0 to {len(orders.reasons) - 1}"
