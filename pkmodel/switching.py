"""The same patients on another drug: what goes on, and what begins anew.

A patient on several drugs is one state for each of them. The state of the drug that was left goes on without doses:
it washes out, its antibodies wane, and who returns to it meets their memory. :func:`switch` makes the state of the new
drug.

=========================================  ============================================================================
covariates, HLA carriage                   the patient's
frailty, capacity to make antibody         the patient's: the same variates, in the parameters of the new drug's layer
time of onset                              a unit exponential of the new drug's own (:mod:`pkmodel.antibody`):
                                           antibodies to one drug do not bind another
random effects of the PK model             of the new drug's own, addressed by its name (:func:`eta_index`)
co-therapy                                 goes on, with its strength and the steps that are planned
effect, need for drug                      go on from their present size, with the delay and the EC50 of the new drug
response that is there                     goes on, with what is left of the patient's patience
response that was lost or never was        to be judged anew, on the new drug
=========================================  ============================================================================

Random effects are independent between drugs. Omega is what covariates leave unexplained for one drug, and no source
that was read estimates how much of it a patient takes along to another one. Independence leaves weight, albumin and
the like as what drugs have in common. Addressing both models by the number of the eta alone would not be neutral: the
first eta is that of clearance almost everywhere, and a fast eliminator of one drug would be the same of every other.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pkmodel.antibody import Immunogenicity
from pkmodel.draws import Draws
from pkmodel.drug import PopulationModel
from pkmodel.errors import InputError
from pkmodel.kernels import layout as at
from pkmodel.patients import Patients
from pkmodel.response import Response
from pkmodel.simulation import start
from pkmodel.state import Events, State

_ETAS = 16  # room for the etas of one model


def eta_index(drug: str) -> int:
    """Address of the first random effect of a drug that is not the patients' first; part of every published result."""
    return _ETAS * (1 + zlib.crc32(drug.encode()) % 2**24)


def switch(
    state: State,
    patients: Patients,
    draws: Draws,
    *,
    to: PopulationModel,
    immunogenicity: Immunogenicity | None = None,
    response: Response | None = None,
) -> State:
    """The state of the same patients in the model of another drug, at the day of ``state``.

    Parameters
    ----------
    state
        Of the drug that is left; it is not changed and can be carried on.
    patients, draws
        Those that ``state`` was started with.
    to, immunogenicity, response
        The new drug.

    Raises
    ------
    InputError
        If ``patients`` are not those of ``state``, or the antibody layer does not know the model.
    """
    if len(patients) != len(state):
        raise InputError.one(
            f"{len(patients)} patients, but the state holds {len(state)}",
            "give the patients that the state was started with",
            key="patients",
        )
    new = start(
        to,
        patients,
        draws,
        immunogenicity=immunogenicity,
        response=response,
        time=state.time,
        first_eta=eta_index(to.drug),
    )
    values = new.values
    values[:, at.COTHERAPY] = state.values[:, at.COTHERAPY]
    planned = state.pending.of_kind(at.COTHERAPY_SET)
    if response is not None:
        carry_effect(state, new, np.arange(len(state)), state.time)
        old = state.values
        kept = np.isfinite(old[:, at.LOSS_TARGET]) & ~np.isfinite(old[:, at.LOSS_TIME])
        for column in (at.LOSS_HAZARD, at.LOSS_TARGET):
            values[kept, column] = old[kept, column]
    return replace(new, pending=Events.merge([new.pending, planned]))


def carry_effect(old: State, new: State, rows: NDArray[np.intp], day: float) -> None:
    """Let the effect of ``rows`` go on from its present size, whichever drug made it; ``new`` is changed in place.

    Parameters
    ----------
    old, new
        Of the drug that is left and of the one that is begun.
    rows
        Which patients switch.
    day
        Of the switch; where the effect is too small for the new drug's response, it counts as missing from today.
    """
    effect = old.values[rows, at.EFFECT]
    new.values[rows, at.EFFECT] = effect
    new.values[rows, at.BELOW_SINCE] = np.where(effect >= new.response[at.E_RELAPSE], math.inf, day)
