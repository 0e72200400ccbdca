"""Addressed random numbers for patients.

Every use of chance has its own :class:`Stream`; within a stream the ``index`` means something fixed (which
eta, which visit and sample, which dose). The arm of a trial is never part of the address: all arms meet the
same patients, the same assay noise, the same missed visits and the same onset variate, so arms are paired
counterfactuals by construction.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, unique

import numpy as np
from numpy.typing import NDArray

from pkmodel.errors import InputError


@unique
class Stream(IntEnum):
    """What a random number is for. Numbers are part of every published result: never renumber."""

    ETA = 1
    OCCASION = 2
    COVARIATES = 3
    IMMUNE = 4
    RESPONSE = 5
    LOSS = 6
    RELAPSE = 7
    DRUG_ASSAY = 8
    ADA_ASSAY = 9
    ADHERENCE = 10
    COTHERAPY = 11
    POTENCY = 12
    POSTERIOR = 18  # estimates of one patient
    FORECAST = 19
    PROPENSITY = 21  # 21 to 29: clinics and what becomes of response
    SAMPLING = 22
    REGAIN = 23
    PLACEBO = 24
    RESIDUAL = 30  # users' tables
    ALLOCATION = 31  # 31 to 39: virtual trials, reactions
    DROPOUT = 32
    REACTION = 33
    RESAMPLING = 34


@dataclass(frozen=True, slots=True)
class Draws:
    """Random numbers of one simulation.

    Parameters
    ----------
    seed
        0 .. 2**64 - 1; the Philox key.
    replicate
        0 .. 2**32 - 1; independent repetitions under the same seed.

    Notes
    -----
    Philox4x32-10 (doi:10.1145/2063384.2063405), counter ``(index, stream, patient, replicate)``; one uniform
    per variate, normals by the inverse distribution function.
    """

    seed: int
    replicate: int = 0

    def __post_init__(self) -> None:
        for name, value, bits in (("seed", self.seed, 64), ("replicate", self.replicate, 32)):
            if isinstance(value, bool) or not isinstance(value, int | np.integer):
                raise InputError.one(f"{value!r} is not a whole number", "write e.g. seed=1", key=name)
            if not 0 <= int(value) < 2**bits:
                raise InputError.one(f"{value} is out of range", f"use 0 to 2**{bits} - 1", key=name)

    def uniform(
        self, stream: Stream, patients: NDArray[np.int64], count: int = 1, first: int = 0
    ) -> NDArray[np.float64]:
        """Uniforms strictly inside (0, 1), shape (patient, count), for indices first .. first + count - 1."""
        from pkmodel.kernels.philox import fill_uniform

        out = np.empty((len(patients), count))
        fill_uniform(np.uint64(self.seed), int(stream), int(self.replicate), first, _ids(patients), out)
        return out

    def normal(
        self, stream: Stream, patients: NDArray[np.int64], count: int = 1, first: int = 0
    ) -> NDArray[np.float64]:
        """Standard normals, shape (patient, count)."""
        from pkmodel.kernels.philox import fill_normal

        out = np.empty((len(patients), count))
        fill_normal(np.uint64(self.seed), int(stream), int(self.replicate), first, _ids(patients), out)
        return out

    def exponential(
        self, stream: Stream, patients: NDArray[np.int64], count: int = 1, first: int = 0
    ) -> NDArray[np.float64]:
        """Unit exponentials, shape (patient, count): minus the logarithm of the uniform at that address."""
        return -np.log(self.uniform(stream, patients, count, first))


def moment(day: float) -> int:
    """Index of a moment, for draws that belong to a day: whole minutes since day 0.

    Addressing by the day and not by a running number keeps a patient's noise when visits are added.
    """
    return round(day * 1440.0)


def _ids(patients: NDArray[np.int64]) -> NDArray[np.int64]:
    ids = np.ascontiguousarray(patients, dtype=np.int64)
    if ids.size and (int(ids.min()) < 0 or int(ids.max()) >= 2**32):
        raise InputError.one("patient ids must lie in 0 .. 2**32 - 1", "number the patients from 0", key="ids")
    return ids
