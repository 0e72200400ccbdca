"""One arm of a trial for one chunk of patients: visit by visit, from what was seen to what is ordered."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pkmodel.draws import Stream, moment
from pkmodel.patients import Patients
from pkmodel.state import Events, State
from scenarios.allocation import leaving_days
from scenarios.attendance import Absent, absent, propensities
from scenarios.chart import ChartBook
from scenarios.clinic import as_carried_out
from scenarios.comedication import Comedication
from scenarios.disease import Disease
from scenarios.drug_class import class_of
from scenarios.observe import Report
from scenarios.order_checks import check_orders
from scenarios.plan import Instructions, Plan
from scenarios.results_in_hand import ResultsInHand
from scenarios.scenario_parts import Arm
from scenarios.therapy import Drug, Therapy
from scenarios.truth import true_parameters
from scenarios.visit import Codes, Flags, Floats, Visit

if TYPE_CHECKING:
    from scenarios.ledger import Pages
    from scenarios.looks import Looks
    from scenarios.setting import Setting


class ArmRun:
    """The progress of one arm; after :meth:`carry_through` it holds what was seen.

    Attributes
    ----------
    therapies
        One for each drug of the arm; the first is the scenario's, and what is scored.
    seen
        By variable, one array (patient,) for each scored visit.
    disease
        Response: the truth behind symptoms.
    plan
        Doses, by patient.
    leaves
        (patient,) day of leaving the trial, infinite for those who stay.
    """

    def __init__(self, setting: Setting, arm: Arm, patients: Patients) -> None:
        self.setting, self.arm, self.patients = setting, arm, patients
        n, ids, draws = len(patients), patients.ids, setting.draws
        drugs = [setting.drug(), *map(Drug.of, arm.alternatives)]
        regimens = [arm.regimen, *(one.regimen for one in arm.alternatives)]
        self.weight = patients.covariates.get("weight", np.full(n, math.nan))
        self.plan = Plan(regimens, patients.covariates.get("weight"), n)
        self.therapies = [
            Therapy(drug, regimen, patients, draws, setting.threads)
            for drug, regimen in zip(drugs, regimens, strict=True)
        ]
        self.names = tuple(drug.name for drug in drugs)
        self.infused = np.array([therapy.infused for therapy in self.therapies])
        added = getattr(arm.policy, "immunomodulator", "thiopurine")
        self.comedication = Comedication(arm.cotherapy, added, self.therapies, draws)
        self.disease = Disease(self.therapies, ids, draws, setting.scenario.regain_after)
        self.charts = self._chart_book() if getattr(arm.policy, "needs_chart", False) else None
        self.results = ResultsInHand(n, arm.clinic.turnaround, self.charts)
        self.propensity = None if arm.adherence is None else propensities(arm.adherence, ids, draws)
        self.symptoms_since = np.full(n, math.inf)
        self.leaves = leaving_days(setting.scenario.design, ids, draws)
        self.seen: dict[str, list[NDArray[Any]]] = {
            name: []
            for name in (
                "trough", "trough_measured", "trough_blq", "ada_drug_sensitive", "ada_drug_tolerant", "antibody_total",
                "responding", "drug_number",
            )
        }  # fmt: skip
        self.free: list[Floats] = []

    def _chart_book(self) -> ChartBook:
        one, regimen = self.setting, self.arm.regimen
        return ChartBook(one.scenario.model, regimen, one.laboratory.drug.lloq, self.patients, one.threads)

    @property
    def state(self) -> State:
        """State of the scenario's drug."""
        return self.therapies[0].state

    @property
    def ordered(self) -> list[Events]:
        """All events of the scenario's drug ordered so far."""
        return self.therapies[0].ordered

    @property
    def responder(self) -> Flags:
        """(patient,) primary response; False before its assessment."""
        return self.disease.responder

    def carry_through(
        self,
        keep_trajectories: bool = False,
        watch: Callable[[ArmRun, int, float], None] | None = None,
        pages: Pages | None = None,
        looks: Looks | None = None,
    ) -> ArmRun:
        """Go through all decision days.

        ``watch`` is called at each of them with this run, the number of the day and the day, after orders were
        given: the state is that just before any dose of the day, the plan already knows of the dose. ``pages``
        takes down what was seen and decided, ``looks`` the truth between the decision days.
        """
        setting = self.setting
        scored = set(setting.scenario.visits)
        before = 0.0
        for number, day in enumerate(setting.days):
            early = self._advance(before, day, looks)
            self.disease.follow(day, self.plan.drug)
            if day in scored:
                self._note(self.therapies[0].report(day))
            if keep_trajectories:
                self.free.append(self.state.free_drug())
            if day < setting.scenario.duration:
                self._see_and_decide(number, day, early, pages)
            if watch is not None:
                watch(self, number, day)
            before = day
        return self

    def _advance(self, before: float, day: float, looks: Looks | None) -> dict[float, tuple[Flags, list[Floats]]]:
        """Go on to ``day``. Returns, by day, who was sampled early for a dose of today, and the samples by drug."""
        if day == 0.0:
            return {}
        leads = self._leads(before, day)
        days = {day - lead: leads == lead for lead in range(1, int(leads.max(initial=0)) + 1) if (leads == lead).any()}
        between = () if looks is None else looks.between(before, day)
        with self.setting.aside():
            samples = [therapy.advance(day, {*days, *between}) for therapy in self.therapies]
        if looks is not None:
            looks.take(between, samples)
        return {time: (who, [one[time] for one in samples]) for time, who in days.items()}

    def _leads(self, before: float, day: float) -> NDArray[np.int64]:
        """How many days before a dose that is due on ``day`` its sample is taken; after the last decision day."""
        clinic, n = self.arm.clinic, len(self.patients)
        if clinic.early_by == 0 or not self.arm.policy.needs_levels or not self.plan.due(day).any():
            return np.zeros(n, np.int64)
        uniform = self.setting.draws.uniform(Stream.SAMPLING, self.patients.ids, 1, first=moment(day))[:, 0]
        leads = np.floor(uniform * (clinic.early_by + 1)).astype(np.int64)
        return np.where(self.plan.due(day), np.minimum(leads, math.ceil(day - before) - 1), 0)

    def _see_and_decide(
        self, number: int, day: float, early: dict[float, tuple[Flags, list[Floats]]], pages: Pages | None
    ) -> None:
        present = day < self.leaves
        self.plan.leave(~present)
        away = self._absent(day)
        self.plan.skip(away.missed, away.late, 0.0 if self.arm.adherence is None else self.arm.adherence.late_by, day)
        due = self.plan.due(day)
        visit = self._visit(number, day, due, away, early)
        with self.setting.aside():  # it may estimate parameters
            orders = self.arm.policy(visit)
        check_orders(orders, visit, self.arm.policy)
        if self.charts is not None and orders.notes is not None:
            self.charts.note(orders.notes)
        symptoms_for = np.where(visit.symptoms, day - self.symptoms_since, 0.0)
        carried = as_carried_out(
            orders, visit, self.plan, self.arm.clinic, infused=self.infused, symptoms_for=symptoms_for
        )
        carried = self._carry_out(carried.only(present, self.plan), day)
        if pages is not None:
            pages.take_down(self, visit, orders, carried, away)

    def _absent(self, day: float) -> Absent:
        """Who is due and does not come; a dose put off beyond the end of the plan is missed."""
        due = self.plan.due(day)
        nobody = np.zeros(due.size, np.bool_)
        if self.arm.adherence is None or self.propensity is None or not due.any():
            return Absent(missed=nobody, late=nobody)
        away = absent(
            self.arm.adherence, self.propensity, due, self.plan.postponed, self.patients.ids, self.setting.draws, day
        )
        lapsed = self.plan.lapses(away.late, self.arm.adherence.late_by, day)
        return Absent(missed=away.missed | lapsed, late=away.late & ~lapsed)

    def _visit(
        self, number: int, day: float, due: Flags, away: Absent, early: dict[float, tuple[Flags, list[Floats]]]
    ) -> Visit:
        plan, disease = self.plan, self.disease
        lost, no_response, relapsed = disease.lost(), disease.absent(), disease.relapsed(day, plan.drug)
        symptoms = lost | no_response | relapsed
        appeared = symptoms & ~np.isfinite(self.symptoms_since)
        self.symptoms_since = np.where(symptoms, np.minimum(self.symptoms_since, day), math.inf)
        counted = lost | relapsed | (no_response & getattr(self.arm.policy, "primary_nonresponse", True))
        self._sample(day, due, counted & (due | appeared) & ~away.missed & ~away.late, early)
        new = self.results.receive(day)
        within, out = self._candidates()
        return Visit(
            day=day,
            number=number,
            weight=self.weight.copy(),
            due=due,
            dose=plan.dose.copy(),
            interval=plan.interval.copy(),
            first_dose=plan.first_dose.copy(),
            first_interval=plan.first_interval.copy(),
            in_maintenance=plan.in_maintenance(),
            days_since_dose=day - plan.last_dose,
            new_result=new,
            lost_response=lost,
            no_response=no_response,
            relapsed=relapsed,
            changes=plan.changes.copy(),
            days_since_change=day - plan.last_change,
            drug=plan.drug.copy(),
            drugs=self.names,
            within_class=within,
            out_of_class=out,
            immunomodulator=self.comedication.taken(day),
            paused=plan.paused.copy(),
            stopped=plan.stopped.copy(),
            chart=None if self.charts is None else self.charts.open(),
            truth=true_parameters(self.state) if getattr(self.arm.policy, "oracle", False) else None,
            **self.results.copies(),
        )

    def _sample(
        self, day: float, due: Flags, with_symptoms: Flags, early: dict[float, tuple[Flags, list[Floats]]]
    ) -> None:
        """Take the blood that the policy wants, and send it to the laboratory."""
        policy, drug = self.arm.policy, self.plan.drug
        wanted = due.copy() if policy.needs_levels else np.zeros(due.size, np.bool_)
        for time, (who, samples) in early.items():
            for k, therapy in enumerate(self.therapies):
                mine = who & due & (drug == k)
                if mine.any():
                    self.results.take(mine, due, therapy.report_on(samples[k], time), time)
            wanted &= ~who
        pause = getattr(policy, "levels_at_symptoms", None)
        if pause is not None:
            rested = (day - self.results.last_taken >= pause) & (day - self.plan.last_change >= pause)
            wanted |= with_symptoms & rested & (day < self.leaves)
        for k, therapy in enumerate(self.therapies):
            mine = wanted & (drug == k)
            if mine.any():
                self.results.take(mine, due, therapy.report(day), day)

    def _candidates(self) -> tuple[Codes, Codes]:
        """For each patient the first drug not yet had within the present drug's class, and outside it; -1: none."""
        n = len(self.patients)
        within, out = np.full(n, -1, np.int8), np.full(n, -1, np.int8)
        if len(self.names) == 1:
            return within, out
        classes = [class_of(name) for name in self.names]
        for k in reversed(range(len(self.names))):
            same = np.array([one == classes[k] for one in classes])[self.plan.drug]
            free = ~self.plan.had[:, k]
            within = np.where(free & same, k, within).astype(np.int8)
            out = np.where(free & ~same, k, out).astype(np.int8)
        return within, out

    def _note(self, report: Report) -> None:
        seen = self.seen
        seen["trough"].append(report.free)
        seen["trough_measured"].append(report.level)
        seen["trough_blq"].append(report.below_lloq.astype(np.int8))
        seen["ada_drug_sensitive"].append(report.sensitive)
        seen["ada_drug_tolerant"].append(report.tolerant)
        seen["antibody_total"].append(report.total)
        seen["responding"].append(self.disease.responding.astype(np.int8))
        seen["drug_number"].append(self.plan.drug.copy())

    def _carry_out(self, orders: Instructions, day: float) -> Instructions:
        """Change therapy and give the doses of today; returns what was really changed."""
        plan, disease = self.plan, self.disease
        before, taken = plan.drug, plan.taken
        done = self.comedication.change(orders.immunomodulator, day)
        orders = orders if done is orders.immunomodulator else replace(orders, immunomodulator=done)
        counted = plan.changes
        rows = plan.carry_out(orders, day)
        switched = orders.switch_to >= 0
        disease.switched(switched, day, before, plan.drug)
        disease.changed((plan.changes > counted) & ~switched, day)
        self.results.forget(switched)
        if self.charts is not None:
            self.charts.close(switched)
        entry = np.where(orders.begun, 0, taken)
        for k, therapy in enumerate(self.therapies):
            mine = rows[plan.drug[rows] == k]
            last = len(therapy.regimen.doses) - 1
            therapy.dose(mine, np.minimum(entry[mine], last), orders.amount[mine], day)
        if self.charts is not None:
            self.charts.give(rows, orders.amount[rows], day)
        return orders
