"""What the laboratory reports of a moment: levels with error and LLOQ, antibodies as far as the assay sees them.

The noise of a sample is addressed by patient and day, never by arm: arms in which a patient is in the same
state get the same report.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.assay import AntibodyAssay, DrugAssay, load_antibody_assay, load_drug_assay
from pkmodel.draws import Draws, Stream, moment
from pkmodel.state import State
from scenarios.scenario import AssayPanel


@dataclass(frozen=True, slots=True, kw_only=True)
class Laboratory:
    """The three assays of a scenario."""

    drug: DrugAssay
    sensitive: AntibodyAssay
    tolerant: AntibodyAssay

    @classmethod
    def load(cls, panel: AssayPanel, drug: str) -> Laboratory:
        """The assays named in a scenario, checked against its drug."""
        return cls(
            drug=load_drug_assay(panel.drug, drug=drug),
            sensitive=load_antibody_assay(panel.drug_sensitive, drug=drug),
            tolerant=load_antibody_assay(panel.drug_tolerant, drug=drug),
        )

    def report(self, state: State, ids: NDArray[np.int64], draws: Draws) -> Report:
        """Reports on samples taken now."""
        free = state.free_drug()
        noise = draws.normal(Stream.DRUG_ASSAY, ids, 2, first=2 * moment(state.time))
        level, below = self.drug.measure(free, noise[:, 0], noise[:, 1])
        total, unbound = state.antibody_total(), state.antibody_free()
        noise = draws.normal(Stream.ADA_ASSAY, ids, 2, first=2 * moment(state.time))
        sensitive, _ = self.sensitive.read(free, unbound, total, noise[:, 0])
        tolerant, _ = self.tolerant.read(free, unbound, total, noise[:, 1])
        return Report(level=level, below_lloq=below, sensitive=sensitive, tolerant=tolerant, free=free, total=total)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Report:
    """Results of one sampling, arrays (patient,); ``free`` and ``total`` are the truth, kept beside them."""

    level: NDArray[np.float64]
    below_lloq: NDArray[np.bool_]
    sensitive: NDArray[np.int8]
    tolerant: NDArray[np.int8]
    free: NDArray[np.float64]
    total: NDArray[np.float64]
