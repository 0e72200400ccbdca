"""What all arms of a run share, loaded once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from pkmodel import antibody, library
from pkmodel.antibody import Immunogenicity
from pkmodel.draws import Draws
from pkmodel.drug import PopulationModel
from pkmodel.response import Response
from scenarios.observe import Laboratory
from scenarios.scenario import Scenario
from scenarios.therapy import Drug


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all arms share: drug model, antibodies, response, laboratory, days of visits.

    ``later`` are laboratories that take over on a day, as (day, laboratory). ``aside`` is entered for long compiled
    loops, in which another thread may keep its books (:mod:`scenarios.turns`).
    """

    scenario: Scenario
    model: PopulationModel
    immunogenicity: Immunogenicity | None
    response: Response
    laboratory: Laboratory
    draws: Draws
    days: tuple[float, ...]
    threads: int | None
    later: tuple[tuple[float, Laboratory], ...] = ()
    aside: Callable[[], AbstractContextManager[None]] = nullcontext

    def drug(self) -> Drug:
        """The scenario's own drug."""
        return Drug(
            name=self.scenario.drug,
            model=self.model,
            immunogenicity=self.immunogenicity,
            response=self.response,
            laboratories=((0.0, self.laboratory), *self.later),
        )

    @classmethod
    def of(cls, scenario: Scenario, seed: int, threads: int | None) -> Setting:
        """Load everything a scenario names."""
        model = library.load(scenario.model)
        response = Response.load(scenario.drug)
        return cls(
            scenario=scenario,
            model=model,
            immunogenicity=antibody.layer(scenario.immunogenicity),
            response=response,
            laboratory=Laboratory.load(scenario.assays, scenario.drug),
            draws=Draws(seed),
            days=decision_days(scenario, response.assessment_day),
            threads=threads,
            later=tuple(
                (change.day, Laboratory.load(change.panel, scenario.drug)) for change in scenario.assay_changes
            ),
        )


def decision_days(scenario: Scenario, assessment_day: float) -> tuple[float, ...]:
    """Days at which every arm stops to look and decide: the same in all arms.

    The union of scored visits, planned doses of all arms, the regular reviews, the day on which primary
    response is judged, and the end.
    """
    days = {0.0, scenario.duration, *scenario.visits}
    days.update(dose.time for arm in scenario.arms for dose in arm.regimen.doses)
    if scenario.review_every > 0.0:
        days.update(scenario.review_every * k for k in range(int(scenario.duration / scenario.review_every) + 1))
    days.add(assessment_day)
    return tuple(sorted(day for day in days if day <= scenario.duration))
