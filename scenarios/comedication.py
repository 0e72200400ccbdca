"""Immunomodulators in an arm: who takes one since when, planned by the scenario or ordered by a policy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pkmodel.cotherapy import Cotherapy, strength_events
from pkmodel.draws import Draws
from pkmodel.kernels import layout as at
from pkmodel.state import Events
from scenarios.therapy import Therapy
from scenarios.visit import Codes, Flags


class Comedication:
    """Book-keeping of immunomodulators; their steps of strength go to every drug of the arm.

    Parameters
    ----------
    planned
        What the arm plans; of several for one patient the book-keeping knows the last.
    added
        What a policy starts.

    Attributes
    ----------
    since, until
        (patient,) days; infinite ``since``: never.
    """

    def __init__(self, planned: Sequence[Cotherapy], added: str, therapies: Sequence[Therapy], draws: Draws) -> None:
        self.therapies, self.draws = therapies, draws
        self.ids = therapies[0].ids
        n = self.ids.size
        self.kinds = (*(one.drug for one in planned), added)
        self.kind = np.zeros(n, np.int8)  # number in kinds of what was taken last
        self.since = np.full(n, math.inf)
        self.until = np.full(n, math.inf)
        parts: list[list[Events]] = [[] for _ in therapies]
        for number, one in enumerate(planned):
            rows = np.flatnonzero(one.takers(self.ids, draws))
            for therapy, events in zip(therapies, parts, strict=True):
                events.append(self._steps(therapy, one.drug, rows, one.start, one.until, now=0.0))
            self.kind[rows], self.since[rows], self.until[rows] = number, one.start, one.until
        for therapy, events in zip(therapies, parts, strict=True):
            therapy.order(Events.merge(events))

    def taken(self, day: float) -> Flags:
        """Who takes one on ``day``."""
        return np.asarray((self.since <= day) & (day < self.until))

    def change(self, orders: Codes, day: float) -> Codes:
        """Start (1) and stop (-1) as ordered; returns what was really changed.

        Starting where one is taken already, or stopping nothing, changes nothing.
        """
        if not orders.any():
            return orders
        now = self.taken(day)
        stopped, started = (orders == -1) & now, (orders == 1) & ~now
        self._stop(np.flatnonzero(stopped), day)
        self._start(np.flatnonzero(started), day)
        return np.asarray(started.astype(np.int8) - stopped.astype(np.int8), np.int8)

    def _start(self, rows: NDArray[np.intp], day: float) -> None:
        number = len(self.kinds) - 1
        self.kind[rows], self.since[rows], self.until[rows] = number, day, math.inf
        for therapy in self.therapies:
            therapy.cancel(rows, at.COTHERAPY_SET)
            therapy.order(self._steps(therapy, self.kinds[number], rows, day, math.inf, now=day))

    def _stop(self, rows: NDArray[np.intp], day: float) -> None:
        for therapy in self.therapies:
            therapy.cancel(rows, at.COTHERAPY_SET)
        for number, since in sorted({(int(self.kind[row]), float(self.since[row])) for row in rows}):
            mine = rows[(self.kind[rows] == number) & (self.since[rows] == since)]
            for therapy in self.therapies:
                therapy.order(self._steps(therapy, self.kinds[number], mine, since, day, now=day))
        self.until[rows] = day

    def _steps(
        self, therapy: Therapy, drug: str, rows: NDArray[np.intp], start: float, until: float, *, now: float
    ) -> Events:
        layer = therapy.drug.immunogenicity
        if layer is None:
            return Events.none()  # an immunomodulator acts through the antibody layer alone
        return strength_events(drug, rows, self.ids[rows], self.draws, layer, start=start, until=until, now=now)
