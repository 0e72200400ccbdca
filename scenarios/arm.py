"""One arm of a trial for one chunk of patients: visit by visit, from what was seen to what is ordered."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pkmodel.cotherapy import strength_events
from pkmodel.doses import dose_events, occasion_factors
from pkmodel.draws import Stream, moment
from pkmodel.kernels import layout as at
from pkmodel.patients import Patients
from pkmodel.regimen import resolve_route
from pkmodel.simulation import advance, start
from pkmodel.state import Events, State
from scenarios.allocation import leaving_days
from scenarios.observe import Report
from scenarios.plan import Plan
from scenarios.reactions import InfusionLog
from scenarios.scenario import Arm
from scenarios.visit import Flags, Orders, Visit

if TYPE_CHECKING:
    from scenarios.running import Setting


class ArmRun:
    """The progress of one arm; after :meth:`carry_through` it holds what was seen.

    Attributes
    ----------
    seen
        By variable, one array (patient,) for each scored visit.
    responder
        (patient,) primary response; False before its assessment.
    ordered
        All events ordered so far: replayed open-loop they give the same state.
    leaves
        (patient,) day of leaving the trial, infinite for those who stay.
    infusions
        Infusions and reactions to them.
    tests
        (patient,) samples that the policy had taken (drug and antibody), beside those of the trial.
    """

    def __init__(self, setting: Setting, arm: Arm, patients: Patients) -> None:
        self.setting, self.arm, self.patients = setting, arm, patients
        n = len(patients)
        self.plan = Plan(arm.regimen, patients.covariates.get("weight"), n)
        self.state: State = start(
            setting.model,
            patients,
            setting.draws,
            immunogenicity=setting.immunogenicity,
            response=setting.response,
        )
        self.lags = setting.response.lags(patients.ids, setting.draws)
        self.responder: Flags = np.zeros(n, np.bool_)
        self.ordered: list[Events] = [self._cotherapy()]
        self.leaves = leaving_days(setting.scenario.design, patients.ids, setting.draws)
        self.infusions = InfusionLog(setting.reactions, patients.ids, setting.draws)
        self.tests = np.zeros(n, np.int64)
        self.seen: dict[str, list[NDArray[Any]]] = {
            name: []
            for name in (
                "trough", "trough_measured", "trough_blq", "ada_drug_sensitive", "ada_drug_tolerant", "antibody_total",
            )
        }  # fmt: skip
        self.free: list[NDArray[np.float64]] = []

    def carry_through(
        self, keep_trajectories: bool = False, watch: Callable[[ArmRun, int, float], None] | None = None
    ) -> ArmRun:
        """Go through all decision days.

        ``watch`` is called at each of them with this run, the number of the day and the day, after orders were
        given: the state is that just before any dose of the day, the plan already knows of the dose.
        """
        setting = self.setting
        scored = set(setting.scenario.visits)
        waiting = self.ordered[0]
        for number, day in enumerate(setting.days):
            if day > 0.0:
                self.state = advance(self.state, waiting, until=day, threads=setting.threads)
                waiting = Events.none()
            if day == setting.response.assessment_day:
                self._judge_response()
            due = self._appointments(day) & (day < self.leaves)
            if self.arm.policy.needs_levels:
                self.tests += due
            wanted = day in scored or (self.arm.policy.needs_levels and bool(due.any()))
            report = setting.laboratory.report(self.state, self.patients.ids, setting.draws) if wanted else None
            if day in scored and report is not None:
                self._note(report)
            if keep_trajectories:
                self.free.append(self.state.free_drug())
            if day < setting.scenario.duration:
                orders = self.arm.policy(self._visit(number, day, due, report))
                events = self._give(replace(orders, give=orders.give & (day < self.leaves)), day)
                self.ordered.append(events)
                waiting = Events.merge([waiting, events])
            if watch is not None:
                watch(self, number, day)
        return self

    def _judge_response(self) -> None:
        """Primary response today; responders begin to be at risk of losing it."""
        setting, values = self.setting, self.state.values
        self.responder = setting.response.responds(values[:, at.EFFECT], self.patients.ids, setting.draws)
        patience = setting.draws.exponential(Stream.LOSS, self.patients.ids)[:, 0]
        values[:, at.LOSS_TARGET] = np.where(self.responder, values[:, at.LOSS_HAZARD] + patience, math.inf)

    def _appointments(self, day: float) -> Flags:
        """Who is due and comes."""
        if self.arm.adherence is None or not self.plan.due(day).any():
            return self.plan.due(day)
        uniform = self.setting.draws.uniform(Stream.ADHERENCE, self.patients.ids, 1, first=moment(day))[:, 0]
        return self.plan.keep_appointments(day, uniform, self.arm.adherence)

    def _visit(self, number: int, day: float, due: Flags, report: Report | None) -> Visit:
        plan, n = self.plan, len(self.patients)
        values = self.state.values
        unknown = np.full(n, -1, np.int8)
        return Visit(
            day=day,
            number=number,
            weight=self.patients.covariates.get("weight", np.full(n, math.nan)),
            due=due,
            dose=plan.dose,
            interval=plan.interval,
            first_dose=plan.first_dose,
            first_interval=plan.first_interval,
            in_maintenance=plan.in_maintenance(),
            days_since_dose=day - plan.last_dose,
            sampled=np.full(n, report is not None),
            level=np.full(n, math.nan) if report is None else report.level,
            below_lloq=np.zeros(n, np.bool_) if report is None else report.below_lloq,
            antibody_sensitive=unknown if report is None else report.sensitive,
            antibody_tolerant=unknown if report is None else report.tolerant,
            lost_response=values[:, at.LOSS_TIME] <= day,
            relapsed=values[:, at.BELOW_SINCE] + self.lags <= day,
            changes=plan.changes,
        )

    def _note(self, report: Report) -> None:
        seen = self.seen
        seen["trough"].append(report.free)
        seen["trough_measured"].append(report.level)
        seen["trough_blq"].append(report.below_lloq.astype(np.int8))
        seen["ada_drug_sensitive"].append(report.sensitive)
        seen["ada_drug_tolerant"].append(report.tolerant)
        seen["antibody_total"].append(report.total)

    def _give(self, orders: Orders, day: float) -> Events:
        """Events of the doses given today."""
        setting, doses = self.setting, self.arm.regimen.doses
        entry = np.minimum(self.plan.taken, len(doses) - 1)
        gap = day - self.plan.last_dose
        rows = self.plan.carry_out(orders, day)
        occasion = occasion_factors(setting.model, self.patients.ids, setting.draws, day) if rows.size else None
        parts = []
        for k in np.unique(entry[rows]):
            dose = doses[int(k)]
            mine = rows[entry[rows] == k]
            route = resolve_route(dose.route, setting.model.structure, model=setting.model.name)
            if route == "iv":
                self.infusions.note(
                    mine, day, antibody=self.state.antibody_free()[mine], gap=gap[mine], premedicated=dose.premedicated
                )
            steroid = None
            if setting.immunogenicity is not None:
                steroid = np.full(mine.size, setting.immunogenicity.steroid_factor if dose.premedicated else 1.0)
            parts.append(
                dose_events(
                    mine,
                    day,
                    orders.amount[mine],
                    route=route,
                    duration=dose.duration,
                    theta=self.state.theta[mine],
                    steroid=steroid,
                    occasion=None if occasion is None else occasion[mine],
                )
            )
        return Events.merge(parts)

    def _cotherapy(self) -> Events:
        """Steps of the immunomodulator's strength for those who take it."""
        draws, ids = self.setting.draws, self.patients.ids
        parts = []
        for therapy in self.arm.cotherapy:
            assert self.setting.immunogenicity is not None  # scenario_checks: co-therapy acts through the layer
            rows = np.flatnonzero(therapy.takers(ids, draws))
            parts.append(
                strength_events(
                    therapy.drug,
                    rows,
                    ids[rows],
                    draws,
                    self.setting.immunogenicity,
                    start=therapy.start,
                    until=therapy.until,
                )
            )
        return Events.merge(parts)
