"""State in, state out: everything that is known of every patient at one moment, and what happens next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.kernels import layout as at


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Events:
    """Events of all patients, in order of patient and time.

    Attributes
    ----------
    row
        (event,) row of the patient in the state, not decreasing.
    time
        (event,) day; not decreasing within a patient.
    kind
        (event,) a kind of :mod:`pkmodel.kernels.layout`.
    value
        (event,) mg (bolus, depot), mg/d (change of infusion rate), or the new value.
    tables
        (table row, parameter): what events of kind ``PARAMETERS_SET`` point into.
    """

    row: NDArray[np.int64]
    time: NDArray[np.float64]
    kind: NDArray[np.int64]
    value: NDArray[np.float64]
    tables: NDArray[np.float64]

    @classmethod
    def none(cls) -> Events:
        """No events."""
        return cls(
            row=np.empty(0, np.int64),
            time=np.empty(0),
            kind=np.empty(0, np.int64),
            value=np.empty(0),
            tables=np.empty((0, at.N_THETA)),
        )

    @classmethod
    def merge(cls, parts: Sequence[Events]) -> Events:
        """All events of several lists; at equal times of a patient the order of the parts holds."""
        parts = [part for part in parts if part.row.size]
        if len(parts) <= 1:
            return parts[0] if parts else cls.none()
        offsets = np.cumsum([0] + [part.tables.shape[0] for part in parts])
        values = [
            np.where(part.kind == at.PARAMETERS_SET, part.value + offset, part.value)
            for part, offset in zip(parts, offsets[:-1], strict=True)
        ]
        row = np.concatenate([part.row for part in parts])
        time = np.concatenate([part.time for part in parts])
        order = np.lexsort((time, row))
        return cls(
            row=row[order],
            time=time[order],
            kind=np.concatenate([part.kind for part in parts])[order],
            value=np.concatenate(values)[order],
            tables=_stacked([part.tables for part in parts]),
        )

    def split(self, until: float) -> tuple[Events, Events]:
        """(events before ``until``, events at ``until`` or later)."""
        if not self.row.size or float(self.time.max()) < until:
            return self, Events.none()
        early = self.time < until
        return self._where(early), self._where(~early)

    def of_kind(self, kind: int) -> Events:
        """These events of one kind."""
        return self._where(self.kind == kind)

    def _where(self, mask: NDArray[np.bool_]) -> Events:
        return Events(
            row=self.row[mask],
            time=self.time[mask],
            kind=self.kind[mask],
            value=self.value[mask],
            tables=self.tables,
        )

    def offsets(self, patients: int) -> NDArray[np.int64]:
        """(patient + 1,) where each patient's events begin."""
        return np.searchsorted(self.row, np.arange(patients + 1))


def _stacked(tables: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """All rows; an empty table says nothing of how many columns its model has."""
    filled = [table for table in tables if table.shape[0]]
    return np.concatenate(filled) if filled else tables[0]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class State:
    """All patients at one moment; complete: simulation continues from it as if it had never stopped.

    Attributes
    ----------
    time
        Day.
    theta
        (patient, parameter) current PK parameters, order of ``pkmodel.structure.ALL_PARAMETERS``.
    values
        (patient, column) amounts, hazards, clocks; columns in :mod:`pkmodel.kernels.layout`.
    subject
        (patient, 3) each patient's own onset threshold, maximal production, drive rate.
    immune, response
        Parameters shared by everybody, as the kernels read them.
    pending
        Events already ordered that lie after ``time`` (the end of a running infusion).
    """

    time: float
    theta: NDArray[np.float64]
    values: NDArray[np.float64]
    subject: NDArray[np.float64]
    immune: NDArray[np.float64]
    response: NDArray[np.float64]
    pending: Events

    @property
    def integrated(self) -> bool:
        """Whether these patients are integrated (three compartments, saturable elimination) or in closed form."""
        return int(self.values.shape[1]) == at.N_STATE_WIDE

    def __len__(self) -> int:
        return int(self.values.shape[0])

    def free_drug(self) -> NDArray[np.float64]:
        """Free drug in the central volume, mg/L, shape (patient,)."""
        d, s = self._total_drug(), self.antibody_total()
        kss = self.immune[at.KSS]
        b = d - s - kss
        root = np.sqrt(b * b + 4.0 * kss * d)
        bound = s > 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            c = np.where(b >= 0.0, 0.5 * (b + root), 2.0 * kss * d / (root - b))
        return np.where(bound, c, d)

    def antibody_total(self) -> NDArray[np.float64]:
        """Total antibody, mg/L of drug-binding capacity, shape (patient,)."""
        return self.values[:, at.A_ANTIBODY] / self.theta[:, at.V1]

    def antibody_free(self) -> NDArray[np.float64]:
        """Antibody not bound to drug, mg/L of drug-binding capacity, shape (patient,)."""
        return np.maximum(self.antibody_total() - (self._total_drug() - self.free_drug()), 0.0)

    def _total_drug(self) -> NDArray[np.float64]:
        return self.values[:, at.A_CENTRAL] / self.theta[:, at.V1]
