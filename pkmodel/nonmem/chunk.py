"""Some patients of a table as one state, carried through their own events to their own samples."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from pkmodel.doses import dose_events
from pkmodel.draws import Draws, Stream, moment
from pkmodel.individuals import from_etas
from pkmodel.kernels import layout as at
from pkmodel.nonmem.steady import steady_amounts
from pkmodel.patients import Patients
from pkmodel.simulation import advance, start
from pkmodel.state import Events, State

if TYPE_CHECKING:
    from pkmodel.nonmem.simulating import Plan

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CHUNK = 128
"""Patients; each is computed at the sampling times of all the others of its chunk."""


class Chunk:
    """Some patients of a plan, from number ``first`` on."""

    def __init__(self, plan: Plan, draws: Draws, etas: Floats, first: int, occasions: bool) -> None:
        self.plan, self.draws, self.first, self.etas = plan, draws, first, etas
        found = plan.episodes
        lowest, highest = np.searchsorted(found.owner, [first, first + CHUNK])
        self.rows = np.arange(lowest, highest)
        self.owner = found.owner[self.rows]
        steps = np.flatnonzero((plan.courses.owner >= first) & (plan.courses.owner < first + CHUNK))
        self.step_owner, self.step_day = plan.courses.owner[steps], plan.courses.day[steps]
        self.theta = self._parameters(
            {name: values[steps] for name, values in plan.courses.values.items()}, etas[self.step_owner]
        )
        # where values act backward, what happens at a record still sees the value that ends with it
        self.side: Literal["left", "right"] = "left" if plan.backward else "right"
        self.occasions = occasions and plan.model.iov.get("CL", 0.0) > 0.0

    def _parameters(self, covariates: Mapping[str, Floats], etas: Floats) -> Floats:
        return from_etas(self.plan.model, covariates, etas, self.plan.immunogenicity)

    def run(self, out: Floats, threads: int | None) -> None:
        """Add this chunk's levels to ``out``."""
        found = self.plan.episodes
        pairs = np.flatnonzero((found.seen_row >= self.rows[0]) & (found.seen_row <= self.rows[-1]))
        if not pairs.size:
            return
        step_of_row = self._steps_at(self.owner, found.origin[self.rows], self.side)
        theta = self.theta[step_of_row]
        doses = np.flatnonzero((found.dose_row >= self.rows[0]) & (found.dose_row <= self.rows[-1]))
        factor = self._occasion_factors(doses)
        state = self._start(theta)
        self._put_steady_amounts(state.values, doses, factor)
        changes = self._changes(step_of_row)
        orders = [self._beside(doses, factor), *self._dose_events(doses, factor)]
        # A value that acts backward ends with its record: the dose of that record still sees it.
        events = Events.merge([*orders, changes] if self.plan.backward else [changes, *orders])
        when = found.seen_time[pairs]
        times = np.unique(when[when > 0.0])
        if not times.size:
            return
        levels = np.zeros((self.rows.size, times.size, 4))
        advance(state, events, until=float(times[-1]), times=times, into=levels, threads=threads)
        seen = levels[found.seen_row[pairs] - self.rows[0], np.searchsorted(times, np.maximum(when, times[0])), 0]
        np.add.at(out, found.seen_sample[pairs], np.where(when > 0.0, seen, 0.0))

    def _start(self, theta: Floats) -> State:
        """A state with one row for each episode."""
        table = self.plan.table
        chosen = np.arange(self.first, min(self.first + CHUNK, table.ids.size))
        firsts = np.searchsorted(table.number, chosen)
        patients = Patients(
            ids=table.ids[chosen], covariates={name: values[firsts] for name, values in table.covariates.items()}
        )
        state = start(self.plan.model, patients, self.draws, immunogenicity=self.plan.immunogenicity)
        rows = self.owner - self.first
        return replace(state, theta=theta, values=state.values[rows].copy(), subject=state.subject[rows])

    def _steps_at(self, owner: Ints, day: Floats, side: Literal["left", "right"]) -> Ints:
        """The covariate step that holds just after each day ("right"), or just before it ("left")."""
        steps = np.empty(owner.size, np.int64)
        lows, highs = np.searchsorted(self.step_owner, owner), np.searchsorted(self.step_owner, owner + 1)
        for place, (low, high, when) in enumerate(zip(lows.tolist(), highs.tolist(), day.tolist(), strict=True)):
            steps[place] = low + np.searchsorted(self.step_day[low:high], when, side=side) - 1
        return steps

    def _changes(self, step_of_row: Ints) -> Events:
        """New parameters at each later covariate step of every episode."""
        origin = self.plan.episodes.origin[self.rows]
        ends = np.searchsorted(self.step_owner, self.owner + 1)
        count = ends - step_of_row - 1
        row = np.repeat(np.arange(self.rows.size), count)
        if not row.size:
            return Events.none()
        step = np.concatenate([np.arange(a + 1, b) for a, b in zip(step_of_row, ends, strict=True)])
        return Events(
            row=row,
            time=self.step_day[step] - origin[row],
            kind=np.full(row.size, at.PARAMETERS_SET),
            value=step.astype(np.float64),
            tables=self.theta,
        )

    def _occasion_factors(self, doses: Ints) -> Floats | None:
        """(dose,) factor on CL from each dose on, addressed by patient and day as in ``pk.simulate``."""
        if not self.occasions:
            return None
        plan, found = self.plan, self.plan.episodes
        day = found.dose_time[doses] + found.origin[found.dose_row[doses]]
        ids = plan.table.ids[found.owner[found.dose_row[doses]]]
        minutes = np.array([moment(x) for x in day.tolist()], np.int64)
        z = np.empty(doses.size)
        for minute in np.unique(minutes):
            mine = minutes == minute
            z[mine] = self.draws.normal(Stream.OCCASION, ids[mine], 1, first=int(minute))[:, 0]
        return np.asarray(np.exp(math.sqrt(plan.model.iov["CL"]) * z))

    def _dose_events(self, doses: Ints, factor: Floats | None) -> list[Events]:
        found, table = self.plan.episodes, self.plan.table
        record, episode = found.dose_record[doses], found.dose_row[doses]
        day = found.dose_time[doses] + found.origin[episode]
        step = self._steps_at(found.owner[episode], day, self.side)
        kinds = np.stack([self.plan.routes[record] == "sc", table.duration[record]], axis=1)
        parts = []
        for injected, duration in np.unique(kinds, axis=0):
            mine = np.flatnonzero((kinds[:, 0] == injected) & (kinds[:, 1] == duration))
            parts.append(
                dose_events(
                    episode[mine] - self.rows[0],
                    found.dose_time[doses[mine]],
                    table.amount[record[mine]],
                    route="sc" if injected else "iv",
                    duration=float(duration),
                    theta=self.theta[step[mine]],
                    steroid=None if self.plan.immunogenicity is None else np.ones(mine.size),
                    occasion=None if factor is None else factor[mine],
                )
            )
        return parts

    def _beside(self, doses: Ints, factor: Floats | None) -> Events:
        """The occasions of later doses, for episodes that run beside the one that gets the dose."""
        if factor is None:
            return Events.none()
        found = self.plan.episodes
        marks = np.flatnonzero((found.mark_row >= self.rows[0]) & (found.mark_row <= self.rows[-1]))
        return Events(
            row=found.mark_row[marks] - self.rows[0],
            time=found.mark_time[marks],
            kind=np.full(marks.size, at.OCCASION_SET),
            value=factor[np.searchsorted(doses, found.mark_dose[marks])],
            tables=np.empty((0, at.N_THETA)),
        )

    def _put_steady_amounts(self, values: Floats, doses: Ints, factor: Floats | None) -> None:
        """Amounts of a steady state, by the covariates of its own record and the occasion it begins."""
        found, table = self.plan.episodes, self.plan.table
        rows = np.flatnonzero(found.steady_record[self.rows] >= 0)
        if not rows.size:
            return
        record = found.steady_record[self.rows[rows]]
        theta = self._parameters(
            {name: column[record] for name, column in table.covariates.items()}, self.etas[self.owner[rows]]
        )
        if factor is not None:
            first_dose = {int(r): k for k, r in reversed(list(enumerate(found.dose_record[doses])))}
            theta[:, at.CL] *= factor[[first_dose[int(r)] for r in record]]
        amounts = steady_amounts(
            theta, table.amount[record], table.interval[record], table.duration[record],
            self.plan.routes[record] == "sc",
        )  # fmt: skip
        for k, column in enumerate((at.A_DEPOT, at.A_CENTRAL, at.A_PERIPHERAL)):
            values[rows, column] = amounts[:, k]
        if factor is not None:
            values[rows, at.OCCASION] = factor[[first_dose[int(r)] for r in record]]
