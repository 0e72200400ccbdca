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
from scenarios.scenario_parts import AssayPanel
from scenarios.visit import Codes, Flags, Floats


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
        return self.read(*state.levels(), state.time, ids, draws)

    def read(
        self, free: Floats, unbound: Floats, total: Floats, day: float, ids: NDArray[np.int64], draws: Draws
    ) -> Report:
        """Reports on samples of ``day`` with true free drug, free and total antibody (mg/L), each (patient,)."""
        noise = draws.normal(Stream.DRUG_ASSAY, ids, 2, first=2 * moment(day))
        level, below = self.drug.measure(free, noise[:, 0], noise[:, 1])
        noise = draws.normal(Stream.ADA_ASSAY, ids, 2, first=2 * moment(day))
        sensitive, _ = self.sensitive.read(free, unbound, total, noise[:, 0])
        tolerant, titre = self.tolerant.read(free, unbound, total, noise[:, 1])
        return Report(
            level=level, below_lloq=below, sensitive=sensitive, tolerant=tolerant, titre=titre, free=free, total=total
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Report:
    """Results of one sampling, arrays (patient,); ``free`` and ``total`` are the truth, kept beside them.

    ``titre`` is the drug-tolerant assay's, mg/L of drug-binding capacity.
    """

    level: Floats
    below_lloq: Flags
    sensitive: Codes
    tolerant: Codes
    titre: Floats
    free: Floats
    total: Floats
