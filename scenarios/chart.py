"""A patient's chart: all doses given and all results so far, for policies that estimate.

It holds what a clinic has written down, and what the policy itself noted at the visit before. It holds no truth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pkmodel.errors import InputError
from pkmodel.patients import Patients
from pkmodel.regimen import Regimen

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chart:
    """Charts of all patients, of the scenario's drug; what comes after a switch to another is not in them.

    Attributes
    ----------
    model
        Name or path of the drug's model in the scenario: what a policy that assumes "the right model" takes.
    route, infusion
        "iv" or "sc" (None: the model's own), and the length of an infusion in days, 0 for a bolus.
    lloq
        Limit of quantification of the drug assay, ug/mL.
    covariates
        By name, (patient,): what was measured at the start.
    dose_days, milligrams
        (patient, dose) doses that were given, in order of time; NaN where a patient has had fewer.
    level_days, levels
        (patient, level) samples whose results are in hand, in order of time, ug/mL; a day that is NaN is none, a level
        that is NaN on a day is below ``lloq``.
    notes
        What the policy noted in its last orders (:class:`scenarios.visit.Orders`), arrays (patient, any).
    threads
        1 for serial kernels; the same bits.
    """

    model: str
    route: str | None
    infusion: float
    lloq: float
    covariates: Mapping[str, Floats]
    dose_days: Floats
    milligrams: Floats
    level_days: Floats
    levels: Floats
    notes: tuple[Floats, ...] = ()
    threads: int | None = None

    def take(self, rows: NDArray[np.intp]) -> Chart:
        """The charts of some patients, in that order."""
        return replace(
            self,
            covariates={name: values[rows] for name, values in self.covariates.items()},
            dose_days=self.dose_days[rows],
            milligrams=self.milligrams[rows],
            level_days=self.level_days[rows],
            levels=self.levels[rows],
            notes=tuple(one[rows] for one in self.notes),
        )


class ChartBook:
    """The charts of an arm as they grow. That of a patient who is switched to another drug is closed."""

    def __init__(self, model: str, regimen: Regimen, lloq: float, patients: Patients, threads: int | None) -> None:
        alike = {(dose.route, dose.duration) for dose in regimen.doses}
        if len(alike) > 1:
            problem = "the doses of an arm whose policy estimates differ in route or length of the infusion"
            raise InputError.one(problem, "give them all alike", key="dosing")
        n = len(patients)
        self.model, self.lloq, self.covariates, self.threads = model, lloq, patients.covariates, threads
        self.route, self.infusion = alike.pop()
        self.doses = _Entries(n)
        self.results = _Entries(n)
        self.notes: tuple[Floats, ...] = ()
        self.closed = np.zeros(n, np.bool_)

    def close(self, gone: NDArray[np.bool_]) -> None:
        """Nothing is written any more: doses and levels are of another drug now."""
        self.closed |= gone

    def give(self, rows: NDArray[np.intp], milligrams: Floats, day: float) -> None:
        """Note doses given today."""
        self._write(self.doses, rows, milligrams, day)

    def receive(self, rows: NDArray[np.intp], levels: Floats, day: float) -> None:
        """Note results of samples of ``day``; NaN below the limit."""
        self._write(self.results, rows, levels, day)

    def _write(self, entries: _Entries, rows: NDArray[np.intp], values: Floats, day: float) -> None:
        open_ = ~self.closed[rows]
        entries.append(rows[open_], day, values[open_])

    def note(self, notes: tuple[Floats, ...]) -> None:
        """Keep what the policy wants to find at the next visit."""
        self.notes = tuple(one.copy() for one in notes)

    def open(self) -> Chart:
        """Copies: a policy must not be able to change what is written."""
        dose_days, milligrams = self.doses.copies()
        level_days, levels = self.results.copies()
        return Chart(
            model=self.model,
            route=self.route,
            infusion=self.infusion,
            lloq=self.lloq,
            covariates={name: values.copy() for name, values in self.covariates.items()},
            dose_days=dose_days,
            milligrams=milligrams,
            level_days=level_days,
            levels=levels,
            notes=tuple(one.copy() for one in self.notes),
            threads=self.threads,
        )


class _Entries:
    """Entries (day, value) of every patient, as many for each as there were."""

    def __init__(self, n: int) -> None:
        self.count = np.zeros(n, np.int64)
        self.days, self.values = np.full((n, 8), np.nan), np.full((n, 8), np.nan)

    def append(self, rows: NDArray[np.intp], day: float, values: Floats) -> None:
        if not rows.size:
            return
        if self.count[rows].max() == self.days.shape[1]:
            more = np.full_like(self.days, np.nan)
            self.days, self.values = np.hstack([self.days, more]), np.hstack([self.values, more])
        self.days[rows, self.count[rows]] = day
        self.values[rows, self.count[rows]] = values
        self.count[rows] += 1

    def copies(self) -> tuple[Floats, Floats]:
        most = int(self.count.max(initial=0))
        return self.days[:, :most].copy(), self.values[:, :most].copy()
