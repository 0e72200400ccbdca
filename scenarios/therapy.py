"""One drug of an arm: everything it needs to run, and its state in every patient.

An arm holds one state per drug, and all of them advance all the time: a drug that was left washes out, its antibody
and the memory of it stay, and going back finds them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pkmodel import antibody, library, switching
from pkmodel.antibody import Immunogenicity
from pkmodel.doses import dose_events, occasion_factors
from pkmodel.draws import Draws
from pkmodel.drug import PopulationModel
from pkmodel.patients import Patients
from pkmodel.regimen import Regimen, resolve_route
from pkmodel.response import Response
from pkmodel.simulation import advance, start
from pkmodel.state import Events, State
from scenarios.observe import Laboratory, Report
from scenarios.reactions import InfusionLog, Reactions
from scenarios.scenario_parts import Alternative
from scenarios.visit import Floats

_FREE, _ANTIBODY_FREE, _ANTIBODY_TOTAL = range(3)  # columns of what `advance` writes out


@dataclass(frozen=True, slots=True, kw_only=True)
class Drug:
    """A drug as an arm uses it: PK model, antibody layer, response, and the assays by day.

    ``laboratories`` are (from day, laboratory), the first from day 0 on; ``first_eta`` is the address of its first
    random effect (:mod:`pkmodel.switching`: the effects of two drugs are independent).
    """

    name: str
    model: PopulationModel
    immunogenicity: Immunogenicity | None
    response: Response
    laboratories: tuple[tuple[float, Laboratory], ...]
    first_eta: int = 0

    @classmethod
    def of(cls, declared: Alternative) -> Drug:
        """Load what an alternative names."""
        return cls(
            name=declared.drug,
            model=library.load(declared.model),
            immunogenicity=antibody.layer(declared.immunogenicity),
            response=Response.load(declared.drug),
            laboratories=((0.0, Laboratory.load(declared.assays, declared.drug)),),
            first_eta=switching.eta_index(declared.drug),
        )

    def laboratory(self, day: float) -> Laboratory:
        """Who reads a sample taken on ``day``."""
        return next(one for since, one in reversed(self.laboratories) if since <= day)


class Therapy:
    """One drug in all patients of an arm, and the events that still have to be handed to the engine."""

    def __init__(self, drug: Drug, regimen: Regimen, patients: Patients, draws: Draws, threads: int | None) -> None:
        self.drug, self.regimen, self.draws, self.threads = drug, regimen, draws, threads
        self.ids = patients.ids
        self.state: State = start(
            drug.model,
            patients,
            draws,
            immunogenicity=drug.immunogenicity,
            response=drug.response,
            first_eta=drug.first_eta,
        )
        self.log = InfusionLog(Reactions.for_drug(drug.name), patients.ids, draws)
        self.waiting = Events.none()
        self.ordered: list[Events] = []

    def order(self, events: Events) -> None:
        """Hand in events of today or later."""
        self.ordered.append(events)
        self.waiting = Events.merge([self.waiting, events])

    def cancel(self, rows: NDArray[np.intp], kind: int) -> None:
        """Take back what lies ahead of one kind."""
        self.waiting = self.waiting.without(rows, kind)
        self.state = replace(self.state, pending=self.state.pending.without(rows, kind))

    def advance(self, day: float, early: Collection[float] = ()) -> dict[float, Floats]:
        """Go on to ``day``; returns by each of the days ``early`` before it what a sample then would hold.

        That is an array (patient, 3): free drug, free and total antibody, mg/L. Looking changes nothing.
        """
        times = np.array(sorted(early), dtype=np.float64)
        into = np.empty((self.ids.size, times.size, 4)) if times.size else None
        self.state = advance(
            self.state,
            self.waiting,
            until=day,
            times=times if times.size else None,
            into=into,
            threads=self.threads,
        )
        self.waiting = Events.none()
        return {} if into is None else {float(time): into[:, k, :3] for k, time in enumerate(times)}

    def report(self, day: float) -> Report:
        """What the laboratory says of samples taken now."""
        return self.drug.laboratory(day).report(self.state, self.ids, self.draws)

    def report_on(self, sample: Floats, day: float) -> Report:
        """What the laboratory says of samples of an earlier ``day``, from :meth:`advance`."""
        return self.drug.laboratory(day).read(
            sample[:, _FREE], sample[:, _ANTIBODY_FREE], sample[:, _ANTIBODY_TOTAL], day, self.ids, self.draws
        )

    def dose(self, rows: NDArray[np.intp], entry: NDArray[np.int64], milligrams: Floats, day: float) -> None:
        """Give doses today, each as the entry ``entry`` of the timetable is given (route, duration, premedication)."""
        if not rows.size:
            return
        drug, doses = self.drug, self.regimen.doses
        occasion = occasion_factors(drug.model, self.ids, self.draws, day)
        parts = []
        for k in np.flatnonzero(np.bincount(entry)):
            planned = doses[int(k)]
            chosen = entry == k
            mine = rows[chosen]
            route = resolve_route(planned.route, drug.model.structure, model=drug.model.name)
            if route == "iv":
                unbound = self.state.antibody_free()[mine]
                self.log.note(mine, day, antibody=unbound, premedicated=planned.premedicated)
            factor = None
            if drug.immunogenicity is not None:
                factor = np.full(mine.size, drug.immunogenicity.steroid_factor if planned.premedicated else 1.0)
            parts.append(
                dose_events(
                    mine,
                    day,
                    milligrams[chosen],
                    route=route,
                    duration=planned.duration,
                    theta=self.state.theta[mine],
                    steroid=factor,
                    occasion=None if occasion is None else occasion[mine],
                )
            )
        self.order(Events.merge(parts))

    @property
    def infused(self) -> bool:
        """Its doses are infusions."""
        structure = self.drug.model.structure
        return all(
            resolve_route(dose.route, structure, model=self.drug.model.name) == "iv" for dose in self.regimen.doses
        )


def carry_effect(source: Therapy, target: Therapy, rows: NDArray[np.intp], day: float) -> None:
    """On a switch the effect goes on from its present size, whichever drug made it."""
    switching.carry_effect(source.state, target.state, rows, day)
