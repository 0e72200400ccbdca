"""Individual PK parameters: from a model, covariates and addressed random effects, also as they change in time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel.antibody import Immunogenicity
from pkmodel.draws import Draws, Stream
from pkmodel.drug import PopulationModel
from pkmodel.kernels import layout as at
from pkmodel.patients import Patients
from pkmodel.state import Events


def parameters(
    model: PopulationModel,
    patients: Patients,
    draws: Draws,
    *,
    immunogenicity: Immunogenicity | None = None,
    time: float = 0.0,
    first_eta: int = 0,
) -> NDArray[np.float64]:
    """Individual PK parameters at ``time``, shape (patient, parameter).

    With an antibody layer the model's own antibody and immunomodulator terms are left out: the layer replaces
    the first and applies the second with the strength of the day. ``first_eta`` is the address of the first random
    effect (:func:`pkmodel.switching.eta_index` for a drug that is not the patients' first).
    """
    roles = frozenset({"antibody", "immunomodulator"}) if immunogenicity is None else frozenset[str]()
    normals = draws.normal(Stream.ETA, patients.ids, len(model.eta_parameters), first=first_eta)
    theta = model.individual_parameters(patients.covariates_at(time), model.etas(normals), roles=roles)
    if immunogenicity is not None and immunogenicity.clearance_scale != 1.0:
        theta[:, at.CL] *= immunogenicity.clearance_scale
    return theta


def covariate_events(
    model: PopulationModel,
    patients: Patients,
    draws: Draws,
    immunogenicity: Immunogenicity | None,
    *,
    after: float = 0.0,
    first_eta: int = 0,
) -> Events:
    """New parameters at each time later than ``after`` at which a covariate changes."""
    parts = []
    n = len(patients)
    for day in patients.change_times():
        if day <= after:
            continue
        table = parameters(model, patients, draws, immunogenicity=immunogenicity, time=day, first_eta=first_eta)
        parts.append(
            Events(
                row=np.arange(n),
                time=np.full(n, day),
                kind=np.full(n, at.PARAMETERS_SET),
                value=np.arange(n, dtype=np.float64),
                tables=table,
            )
        )
    return Events.merge(parts)
