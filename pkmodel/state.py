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

    @classmethod
    def side_by_side(
        cls,
        row: NDArray[np.int64],
        parts: Sequence[tuple[NDArray[np.float64], int, NDArray[np.float64]]],
    ) -> Events:
        """One event of each part, (time, kind, value), for every row, in order of row and part.

        Where rows increase, and no part is earlier in a row than the part before it, this is what :meth:`merge` makes
        of the parts, without sorting.
        """
        shape = (row.size, len(parts))
        time, value = np.empty(shape), np.empty(shape)
        kind = np.empty(shape, np.int64)
        for k, (when, what, how_much) in enumerate(parts):
            time[:, k], kind[:, k], value[:, k] = when, what, how_much
        return cls(
            row=np.repeat(row, len(parts)),
            time=time.ravel(),
            kind=kind.ravel(),
            value=value.ravel(),
            tables=np.empty((0, at.N_THETA)),
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

    def without(self, rows: NDArray[np.int64], kind: int) -> Events:
        """These events less those of one kind in ``rows``."""
        gone = (self.kind == kind) & np.isin(self.row, rows)
        return self._where(~gone) if gone.any() else self

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
        begin = np.zeros(patients + 1, np.int64)
        np.cumsum(np.bincount(self.row, minlength=patients), out=begin[1:])
        return begin


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
        (patient, 4) each patient's own onset threshold, maximal production, drive rate, log EC50.
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

    def levels(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Free drug, free and total antibody in the central volume, mg/L (antibody as drug it binds); (patient,)."""
        volume = self.theta[:, at.V1]
        d, s = self.values[:, at.A_CENTRAL] / volume, self.values[:, at.A_ANTIBODY] / volume
        kss = self.immune[at.KSS]
        b = d - s - kss
        root = np.sqrt(b * b + 4.0 * kss * d)
        with np.errstate(divide="ignore", invalid="ignore"):
            c = np.where(b >= 0.0, 0.5 * (b + root), 2.0 * kss * d / (root - b))
        free = np.where(s > 0.0, c, d)
        return free, np.maximum(s - (d - free), 0.0), s

    def free_drug(self) -> NDArray[np.float64]:
        """Free drug in the central volume, mg/L, shape (patient,)."""
        return self.levels()[0]

    def antibody_free(self) -> NDArray[np.float64]:
        """Antibody not bound to drug, mg/L of drug-binding capacity, shape (patient,)."""
        return self.levels()[1]

    def antibody_total(self) -> NDArray[np.float64]:
        """Total antibody, mg/L of drug-binding capacity, shape (patient,)."""
        return self.values[:, at.A_ANTIBODY] / self.theta[:, at.V1]
