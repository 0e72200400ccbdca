"""Reactive drug monitoring: Figure 1 of a review of loss of response to anti-TNF drugs.

Source: Roda G et al. Clin Transl Gastroenterol 2016;7:e135, doi:10.1038/ctg.2015.63, Figure 1 and the text beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from pkmodel import units
from pkmodel.cotherapy import Cotherapy
from pkmodel.errors import InputError, unknown_name
from scenarios.amounts import for_drug, mg_for_drug, parsed_by_drug, raised
from scenarios.visit import Codes, Flags, Floats, Orders, Visit

_ESCALATE, _IMMUNOMODULATOR = "escalate", "add-immunomodulator"
_WITHIN, _OUT = "switch-within-class", "switch-out-of-class"
_ACTIONS = (_ESCALATE, _IMMUNOMODULATOR, _WITHIN, _OUT)

# by branch: what may be chosen, and in this order what is tried after it where it is not possible
_BRANCHES = {
    "low_drug_no_antibody": (_ESCALATE, _IMMUNOMODULATOR, _WITHIN, _OUT),
    "low_drug_low_titre": (_ESCALATE, _WITHIN, _IMMUNOMODULATOR, _OUT),
    "high_titre": (_WITHIN, _IMMUNOMODULATOR, _OUT),
    "adequate_drug": (_OUT, _WITHIN),
}
_FOUND = {
    "low_drug_no_antibody": "level {level}, low, and no antibody",
    "low_drug_low_titre": "level {level}, low, and antibody of low titre ({titre})",
    "high_titre": "antibody of high titre ({titre}), level {level}",
    "adequate_drug": "level {level} is adequate: lack of drug is not the reason",
}
_DONE = {
    _ESCALATE: "escalate",
    _IMMUNOMODULATOR: "add an immunomodulator",
    _WITHIN: "switch within class",
    _OUT: "switch out of class",
}
_REASONS = (
    "",
    *(f"symptoms; {found}; {_DONE[action]}" for found in _FOUND.values() for action in _ACTIONS),
    *(f"symptoms; {found}; nothing is left to do" for found in _FOUND.values()),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactiveTdm:
    """Figure 1 of Roda 2016: at loss of response, level and antibody decide.

    Low drug and antibody of high titre: switch within class (or add an immunomodulator). Low drug and no antibody:
    escalate (or add an immunomodulator). Adequate drug: switch out of class (or within). Beside the figure, its text:
    at a low titre escalation is an option; above 9 ug/mL-eq (infliximab) or 4 (adalimumab) escalation fails, so a
    high titre counts whatever the level. Antibody is read by the drug-tolerant assay; low titre beside adequate drug
    counts as adequate drug. What is not possible (no such drug declared or left, at the cap, taken already) gives
    way to the next option of its branch. Blood is taken when symptoms appear and at doses while they last, not sooner
    than ``wait`` after a change or another sample.

    Parameters
    ----------
    low_drug_no_antibody, low_drug_low_titre, high_titre, adequate_drug
        The choice in each branch: "escalate", "add-immunomodulator", "switch-within-class", "switch-out-of-class".
    escalation
        "dose" (doubled, up to ``max_dose``) or "interval" (halved, down to ``min_interval``).
    adequate, titre_limit
        By drug: level from which it is adequate (the review's: > 3 and > 4.5 ug/mL), titre above which it is high.
    max_dose, min_interval
        By drug: limits of escalation. A drug that is in none of the four tables is left as it is.
    immunomodulator
        "thiopurine" or "methotrexate".
    wait
        Time to leave a change before the next.
    primary_nonresponse
        Use the algorithm also in patients who never responded.
    """

    needs_levels: ClassVar[bool] = False
    low_drug_no_antibody: str = _ESCALATE
    low_drug_low_titre: str = _ESCALATE
    high_titre: str = _WITHIN
    adequate_drug: str = _OUT
    escalation: str = "dose"
    adequate: Mapping[str, str] = field(default_factory=lambda: {"infliximab": "3 ug/mL", "adalimumab": "4.5 ug/mL"})
    titre_limit: Mapping[str, str] = field(default_factory=lambda: {"infliximab": "9 ug/mL", "adalimumab": "4 ug/mL"})
    max_dose: Mapping[str, str] = field(default_factory=lambda: {"infliximab": "10 mg/kg", "adalimumab": "80 mg"})
    min_interval: Mapping[str, str] = field(default_factory=lambda: {"infliximab": "4 weeks", "adalimumab": "1 week"})
    immunomodulator: str = "thiopurine"
    wait: str = "12 weeks"
    primary_nonresponse: bool = False
    _limits: tuple[dict[str, float], dict[str, float]] = field(init=False, repr=False)
    _caps: tuple[dict[str, units.Amount], dict[str, float]] = field(init=False, repr=False)
    _wait_d: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for branch, actions in _BRANCHES.items():
            if getattr(self, branch) not in actions:
                raise unknown_name("action", getattr(self, branch), actions, key=branch)
        if self.escalation not in ("dose", "interval"):
            raise unknown_name("escalation", self.escalation, ("dose", "interval"), key="escalation")
        Cotherapy(drug=self.immunomodulator)
        tables = [self.adequate, self.titre_limit, self.max_dose, self.min_interval]
        if any(set(table) != set(self.adequate) for table in tables):
            raise InputError.one(
                "the tables by drug name different drugs", "give each drug in all four", key="adequate"
            )
        limits = (
            parsed_by_drug(self.adequate, units.concentration, "adequate"),
            parsed_by_drug(self.titre_limit, units.concentration, "titre_limit"),
        )
        caps = (
            parsed_by_drug(self.max_dose, units.dose, "max_dose"),
            parsed_by_drug(self.min_interval, units.time_d, "min_interval"),
        )
        object.__setattr__(self, "_limits", limits)
        object.__setattr__(self, "_caps", caps)
        object.__setattr__(self, "_wait_d", units.time_d(self.wait))

    @property
    def levels_at_symptoms(self) -> float:
        """Days between two samples while symptoms last."""
        return self._wait_d

    def __call__(self, visit: Visit) -> Orders:
        """As planned; what the figure says for whoever has symptoms and a new result."""
        dose, interval = self._escalated(visit)
        possible = {
            _ESCALATE: (dose > visit.dose) | (interval < visit.interval),
            _IMMUNOMODULATOR: ~visit.immunomodulator,
            _WITHIN: visit.within_class >= 0,
            _OUT: visit.out_of_class >= 0,
        }
        action = np.full(visit.due.size, -1, np.int8)
        reason = np.zeros(visit.due.size, np.intp)
        for number, (branch, found) in enumerate(self._branches(visit).items()):
            todo = found
            for name in _in_order(getattr(self, branch), _BRANCHES[branch]):
                chosen = todo & possible[name]
                which = _ACTIONS.index(name)
                action = np.where(chosen, which, action).astype(np.int8)
                reason = np.where(chosen, 1 + number * len(_ACTIONS) + which, reason)
                todo = todo & ~chosen
            reason = np.where(todo, 1 + len(_BRANCHES) * len(_ACTIONS) + number, reason)
        return self._orders(visit, action, dose, interval, reason)

    def _branches(self, visit: Visit) -> dict[str, Flags]:
        """Who is in which branch of the figure."""
        adequate, limit = (for_drug(table, visit) for table in self._limits)
        ill = visit.lost_response | visit.relapsed | (visit.no_response & self.primary_nonresponse)
        judged = visit.new_result & ill & visit.in_maintenance & (visit.days_since_change >= self._wait_d)
        judged &= ~visit.paused & ~visit.stopped & np.isfinite(adequate)
        low = visit.below_lloq | (visit.level < adequate)
        positive = visit.antibody_tolerant == 1
        high = positive & (visit.titre > limit)
        return {
            "low_drug_no_antibody": judged & low & ~positive,
            "low_drug_low_titre": judged & low & positive & ~high,
            "high_titre": judged & high,
            "adequate_drug": judged & ~low & ~high,
        }

    def _escalated(self, visit: Visit) -> tuple[Floats, Floats]:
        """Dose and interval after an escalation; unchanged where the limit is reached."""
        cap, shortest = mg_for_drug(self._caps[0], visit), for_drug(self._caps[1], visit)
        if self.escalation == "dose":
            return np.where(np.isfinite(cap), raised(visit.dose, visit.dose, cap), visit.dose), visit.interval
        halved = np.minimum(np.maximum(0.5 * visit.interval, shortest), visit.interval)
        return visit.dose, np.where(np.isfinite(shortest), halved, visit.interval)

    def _orders(
        self,
        visit: Visit,
        action: Codes,
        dose: Floats,
        interval: Floats,
        reason: np.ndarray[tuple[int], np.dtype[np.intp]],
    ) -> Orders:
        more = action == _ACTIONS.index(_ESCALATE)
        interval = np.where(more, interval, visit.interval)
        dose = np.where(more, dose, visit.dose)
        sooner = more & (interval < visit.interval) & (visit.days_since_dose >= interval)
        switch = np.where(action == _ACTIONS.index(_WITHIN), visit.within_class, -1)
        switch = np.where(action == _ACTIONS.index(_OUT), visit.out_of_class, switch)
        return Orders(
            give=visit.due | sooner,
            amount=dose,
            dose=dose,
            interval=interval,
            switch_to=switch.astype(np.int8),
            immunomodulator=(action == _ACTIONS.index(_IMMUNOMODULATOR)).astype(np.int8),
            reason=reason,
            reasons=_REASONS,
        )


def _in_order(chosen: str, branch: Sequence[str]) -> list[str]:
    return [chosen, *(name for name in branch if name != chosen)]
