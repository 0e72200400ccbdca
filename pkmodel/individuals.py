"""Individual PK parameters: from a model, covariates and addressed random effects, also as they change in time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pkmodel.antibody import Immunogenicity
from pkmodel.covariates import SWITCHED_ROLES
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
    normals = draws.normal(Stream.ETA, patients.ids, len(model.eta_parameters), first=first_eta)
    return from_etas(model, patients.covariates_at(time), model.etas(normals), immunogenicity)


def from_etas(
    model: PopulationModel,
    covariates: Mapping[str, NDArray[np.float64]],
    etas: NDArray[np.float64],
    immunogenicity: Immunogenicity | None,
) -> NDArray[np.float64]:
    """PK parameters, shape (patient, parameter), of given etas (patient, eta) as the model has published them.

    The published clearance is that of patients whose antibodies were not seen; so the layer scales its typical value
    and its eta (:class:`pkmodel.antibody.Immunogenicity`).

    Raises
    ------
    InputError
        If ``etas`` has the wrong shape or is not finite, or for missing or impossible covariates.
    """
    if immunogenicity is None:
        return model.individual_parameters(covariates, etas, roles=SWITCHED_ROLES)
    scale = np.array([immunogenicity.eta_CL_scale if name == "CL" else 1.0 for name in model.eta_parameters])
    theta = model.individual_parameters(covariates, model.checked(etas) * scale, roles=frozenset())
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
