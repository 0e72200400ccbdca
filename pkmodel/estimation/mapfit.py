"""Maximum a posteriori estimation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pkmodel.drug import PopulationModel
from pkmodel.estimation.estimate import Estimate, Estimates
from pkmodel.record import PatientRecord


def fit(
    model: PopulationModel, record: PatientRecord, *, starts: int = 3, warm: NDArray[np.float64] | None = None
) -> Estimate:
    """The most probable parameters of one patient."""
    raise NotImplementedError


def fit_many(
    model: PopulationModel,
    records: Sequence[PatientRecord],
    *,
    starts: int = 3,
    warm: Sequence[NDArray[np.float64]] | None = None,
    threads: int | None = None,
) -> Estimates:
    """The most probable parameters of many patients."""
    raise NotImplementedError
