"""A checked NONMEM-style table in memory, in internal units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

OBSERVATION, DOSE, OTHER, RESET, RESET_AND_DOSE = range(5)
"""Values of EVID."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """Event records of a cohort; every array is (record,), in the order of the file.

    Attributes
    ----------
    file, line
        Where the records come from, for messages.
    patient
        ID.
    time, interval, duration
        TIME, II and the length of an infusion (from RATE or DUR), days.
    amount
        AMT, mg; 0 where no dose is given.
    event
        EVID: observation, dose, other, reset, reset and dose (0 to 4).
    compartment
        CMT; 0 is the default one.
    additional, steady
        ADDL and SS (0, 1 or 2).
    level
        DV, mg/L; NaN where nothing was measured or the level is below its limit.
    lloq
        Lower limit of quantification, mg/L; NaN where unknown.
    below
        True where the level is below the limit of quantification.
    used
        True where there is a level to compare with a prediction (EVID 0, MDV 0).
    covariates
        Name to values, internal units.
    """

    file: str
    line: Ints
    patient: Ints
    time: Floats
    amount: Floats
    duration: Floats
    event: Ints
    compartment: Ints
    additional: Ints
    interval: Floats
    steady: Ints
    level: Floats
    lloq: Floats
    below: NDArray[np.bool_]
    used: NDArray[np.bool_]
    covariates: Mapping[str, Floats] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.line.size)

    @property
    def ids(self) -> Ints:
        """(patient,) distinct IDs in order of appearance."""
        _, first = np.unique(self.patient, return_index=True)
        return self.patient[np.sort(first)]

    @property
    def number(self) -> Ints:
        """(record,) number of each record's patient, from 0, in order of appearance."""
        return np.cumsum(np.concatenate([[0], (np.diff(self.patient) != 0).astype(np.int64)]))

    @property
    def doses(self) -> NDArray[np.bool_]:
        """(record,) where a dose is given."""
        return np.isin(self.event, (DOSE, RESET_AND_DOSE))

    @property
    def samples(self) -> Ints:
        """Rows of all observation records (EVID 0), measured or not."""
        return np.flatnonzero(self.event == OBSERVATION)

    def where(self, mask: NDArray[np.bool_]) -> Table:
        """The records where ``mask`` is true."""
        taken = {f.name: getattr(self, f.name)[mask] for f in fields(self) if f.name not in ("file", "covariates")}
        return replace(self, **taken, covariates={name: values[mask] for name, values in self.covariates.items()})
