"""The risk that a patient without antibodies makes some, by the antibody layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pkmodel.antibody import Immunogenicity
from pkmodel.estimation.averaging import Average
from pkmodel.estimation.beliefs import Beliefs, believe
from pkmodel.estimation.design import Plan
from pkmodel.estimation.engine import begin, check_horizon, frailties, hazard_scale
from pkmodel.estimation.estimate import Estimate
from pkmodel.estimation.forecasting import with_future_occasions
from pkmodel.kernels import layout
from pkmodel.record import DoseRecord
from pkmodel.simulation import advance

Floats = NDArray[np.float64]


def antibody_risk(
    known: Estimate | Average | Beliefs,
    layer: Immunogenicity,
    until: float,
    *,
    doses: Sequence[DoseRecord] = (),
    since: float | None = None,
    draws: int = 200,
    seed: int = 1,
) -> float:
    """Probability that antibodies appear between ``since`` and ``until``, if there were none at ``since``.

    Parameters
    ----------
    known, doses, draws, seed
        As in :func:`pkmodel.estimation.forecast`.
    layer
        The drug's antibody layer. Its numbers are what they are: see what its calibration can bear.
    until, since
        Days; ``since`` defaults to the last level or antibody result, and to the first dose without any.

    Returns
    -------
    float
        With the accumulated hazard H of the layer along the patient's own drug level, ``m`` the HLA multiplier
        and Z the frailty: 1 - E[exp(-Z m H(until))] / E[exp(-Z m H(since))], means over Z and over the draws
        (those whose past made antibodies likely count less, because none were there).

    Raises
    ------
    InputError
        If the days are out of order, or the layer is for another drug.

    Notes
    -----
    The hazard depends on the level, and therefore on the regimen. What does not enter: the time on drug without
    antibodies says something about a patient's frailty, and is used; earlier treatments and the assay's sensitivity are
    not known. No steroid premedication.
    """
    beliefs = known if isinstance(known, Beliefs) else believe(known, draws=draws, seed=seed)
    record = beliefs.parts[0][0].record
    last = record.doses[0].day
    seen = [last, *(level.day for level in record.levels), *(reading.day for reading in record.antibody)]
    now = max(seen) if since is None else since
    check_horizon(now, until)
    frailty, weights = frailties(layer)
    early, late = 0.0, 0.0
    row = 0
    for estimate, z in beliefs.parts:
        rows = np.arange(row, row + z.shape[0])
        row += z.shape[0]
        plan = Plan.of(record).with_future(doses, [until])
        effects = with_future_occasions(estimate, plan, z, rows, seed)
        hazards = _accumulated(estimate, plan, effects, layer, [now, until])
        scale = hazard_scale(record, layer)
        survival = np.exp(-scale * hazards[:, :, None] * frailty) @ weights
        early += float(survival[0].sum())
        late += float(survival[1].sum())
    return 1.0 - late / early


def _accumulated(estimate: Estimate, plan: Plan, z: Floats, layer: Immunogenicity, days: Sequence[float]) -> Floats:
    """(day, draw) accumulated onset hazard."""
    state, events = begin(estimate.model, plan, z, layer)
    state = replace(state, pending=events)
    first = plan.doses[0].day
    found = []
    for day in days:
        state = advance(state, until=day - first)
        found.append(state.values[:, layout.ONSET_HAZARD].copy())
    return np.array(found)
