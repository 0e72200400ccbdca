"""Several published models for one patient, weighted by how well they explain the levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pkmodel.drug import PopulationModel
from pkmodel.estimation.estimate import Estimate
from pkmodel.record import PatientRecord


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Average:
    """Estimates of one patient by several models, and the weight of each (they sum to 1)."""

    estimates: tuple[Estimate, ...]
    weights: tuple[float, ...]
    warnings: tuple[str, ...]


def average(models: Sequence[PopulationModel], record: PatientRecord, *, starts: int = 3) -> Average:
    """Fit every model and weigh them."""
    raise NotImplementedError
