"""The way of a sample: taken, under way in the laboratory, in hand.

A result is in hand ``turnaround`` days after its sample. A decision meanwhile has the result before it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenarios.chart import ChartBook
from scenarios.observe import Report
from scenarios.visit import Flags


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _UnderWay:
    arrives: float
    rows: NDArray[np.intp]
    day: float
    at_dose: NDArray[np.bool_]
    report: Report


class ResultsInHand:
    """What the clinic knows of each patient's last sample; arrays (patient,) named as in a visit."""

    def __init__(self, n: int, turnaround: float, charts: ChartBook | None = None) -> None:
        self.turnaround, self.charts = turnaround, charts
        self.under_way: list[_UnderWay] = []
        self.level = np.full(n, math.nan)
        self.below_lloq = np.zeros(n, np.bool_)
        self.sensitive = np.full(n, -1, np.int8)
        self.tolerant = np.full(n, -1, np.int8)
        self.titre = np.full(n, math.nan)
        self.sampled_day = np.full(n, math.nan)
        self.last_taken = np.full(n, -math.inf)  # day of the last sample, in hand or under way
        self.at_dose = np.zeros(n, np.bool_)
        self.samples = np.zeros(n, np.int64)  # taken so far

    def take(self, taken: Flags, at_dose: Flags, report: Report, day: float) -> None:
        """Send samples of ``day`` off to the laboratory."""
        rows = np.flatnonzero(taken)
        self.samples[rows] += 1
        if rows.size:
            self.last_taken[rows] = day
            self.under_way.append(
                _UnderWay(arrives=day + self.turnaround, rows=rows, day=day, at_dose=at_dose[rows], report=report)
            )

    def receive(self, day: float) -> Flags:
        """Take in what has come by ``day``; returns who has a new result."""
        new = np.zeros(self.level.size, np.bool_)
        waiting = []
        for one in sorted(self.under_way, key=lambda one: one.day):
            if one.arrives > day:
                waiting.append(one)
                continue
            rows, report = one.rows, one.report
            new[rows] = True
            self.level[rows] = report.level[rows]
            self.below_lloq[rows] = report.below_lloq[rows]
            self.sensitive[rows], self.tolerant[rows] = report.sensitive[rows], report.tolerant[rows]
            self.titre[rows] = report.titre[rows]
            self.sampled_day[rows] = one.day
            self.at_dose[rows] = one.at_dose
            if self.charts is not None:
                self.charts.receive(rows, np.where(report.below_lloq[rows], math.nan, report.level[rows]), one.day)
        self.under_way = waiting
        return new

    def forget(self, gone: Flags) -> None:
        """Drop all results of patients who have changed the drug: they say nothing of the new one."""
        if not gone.any():
            return
        self.level[gone], self.titre[gone], self.sampled_day[gone] = math.nan, math.nan, math.nan
        self.below_lloq[gone], self.at_dose[gone] = False, False
        self.sensitive[gone], self.tolerant[gone] = -1, -1
        self.under_way = [
            _UnderWay(
                arrives=one.arrives,
                rows=one.rows[~gone[one.rows]],
                day=one.day,
                at_dose=one.at_dose[~gone[one.rows]],
                report=one.report,
            )
            for one in self.under_way
        ]

    def copies(self) -> dict[str, Any]:
        """For a visit: a policy must not be able to change what is in hand."""
        return {
            "level": self.level.copy(),
            "below_lloq": self.below_lloq.copy(),
            "antibody_sensitive": self.sensitive.copy(),
            "antibody_tolerant": self.tolerant.copy(),
            "titre": self.titre.copy(),
            "sampled_day": self.sampled_day.copy(),
            "at_dose": self.at_dose.copy(),
        }
