"""Exposure-response: primary response, loss of response, relapse.

Drug acts with delay, as in a turnover model with inhibited production (Dayneka 1993, doi:10.1007/BF01061691, type I):
``dE/dt = (target(C) - E) ln2/t_e`` with ``target(C) = C^g/(EC50^g + C^g)`` of free drug. It is the effect that is
averaged over the cycle and not the concentration, so that time without drug counts however high the peak was. EC50 is
log-normal between patients. At the drug's assessment week a patient responds with probability ``p_max E``. In
responders response is lost when ``integral of lambda_mech + lambda_pk (1 - E)`` reaches the patient's own unit
exponential. ``lambda_mech`` is mechanistic failure: adequate troughs do not help against it. A patient treated on
demand relapses when E has stayed below what a steady level of ``C_relapse`` would keep up, for a patient-specific lag.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, fields, replace
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pkmodel.draws import Draws, Stream
from pkmodel.errors import InputError, unknown_name
from pkmodel.kernels import layout as at


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One drug's exposure-response parameters.

    Attributes
    ----------
    assessment_day
        Day at which primary response is judged.
    t_e
        Half-life with which the effect follows its target, d.
    hill, EC50, EC50_sd
        Steepness g, drug level of half effect in the typical patient (mg/L), and SD of its logarithm between patients.
    p_max
        Probability of primary response at full effect.
    p_placebo
        Probability that response, once lost, is back when it is judged next with no help from any drug.
    lambda_mech, lambda_pk
        Hazards of loss of response (1/d): mechanistic, and pharmacokinetic at no effect.
    C_relapse, relapse_lag
        Steady drug level (mg/L) whose effect in the typical patient is that below which the disease comes back, and
        the mean of its exponential lag, d.
    """

    name: str
    drug: str
    status: str
    assessment_day: float
    t_e: float
    hill: float
    EC50: float
    EC50_sd: float
    p_max: float
    p_placebo: float
    lambda_mech: float
    lambda_pk: float
    C_relapse: float
    relapse_lag: float

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name not in ("name", "drug", "status") and not 0.0 <= value < math.inf:
                raise InputError.one(f"{value!r} is not a non-negative number", key=field.name)
        for name in ("p_max", "p_placebo"):
            if getattr(self, name) > 1.0:
                raise InputError.one(f"{getattr(self, name)} is not a probability", "use 0 to 1", key=name)
        for name in ("t_e", "EC50"):
            if getattr(self, name) == 0.0:
                raise InputError.one("must be greater than 0", key=name)

    @classmethod
    def load(cls, name: str) -> Response:
        """The exposure-response parameters shipped for a drug."""
        return _shipped(name)

    def with_values(self, **values: Any) -> Response:
        """A copy with some parameters replaced."""
        known = {field.name for field in fields(self)}
        for name in values:
            if name not in known:
                raise unknown_name("response parameter", name, known)
        return replace(self, **values)

    def kernel_row(self) -> NDArray[np.float64]:
        """Parameters in the order of :mod:`pkmodel.kernels.layout`."""
        row = np.empty(at.N_RESPONSE)
        row[at.K_EFFECT] = math.log(2.0) / self.t_e
        row[at.HILL] = self.hill
        row[at.LAMBDA_MECH], row[at.LAMBDA_PK] = self.lambda_mech, self.lambda_pk
        row[at.E_RELAPSE] = self.C_relapse**self.hill / (self.EC50**self.hill + self.C_relapse**self.hill)
        return row

    def log_EC50(self, ids: NDArray[np.int64], draws: Draws) -> NDArray[np.float64]:
        """Logarithm of each patient's own EC50 (mg/L), shape (patient,)."""
        return math.log(self.EC50) + self.EC50_sd * draws.normal(Stream.POTENCY, ids)[:, 0]

    def responds(self, effect: NDArray[np.float64], ids: NDArray[np.int64], draws: Draws) -> NDArray[np.bool_]:
        """Primary response at the assessment week, given the effect then."""
        return np.asarray(draws.uniform(Stream.RESPONSE, ids)[:, 0] < self.p_max * effect)

    def subsides(self, losses: NDArray[np.int64], ids: NDArray[np.int64], draws: Draws) -> NDArray[np.bool_]:
        """Whose disease calms down by itself after a loss of response, shape (patient,).

        ``losses`` (patient,) says how many losses there were before. It is the response of a placebo
        group of patients who had lost response to infliximab or did not tolerate it (Sandborn 2007,
        doi:10.7326/0003-4819-146-12-200706190-00159, at week 4), one number per loss and the same in every arm.
        """
        calm = np.zeros(ids.size, np.bool_)
        for number in np.unique(losses):
            mine = losses == number
            calm[mine] = draws.uniform(Stream.PLACEBO, ids[mine], 1, first=int(number))[:, 0] < self.p_placebo
        return calm

    def missing(self, hazard: NDArray[np.float64], days: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Integral of ``1 - E`` over ``days``, d, from the hazard of loss that they accumulated, shape (patient,).

        The hazard is ``lambda_mech + lambda_pk (1 - E)``, so there is no error of quadrature. 0 where ``lambda_pk`` is
        0: nobody loses response for lack of drug then.
        """
        if self.lambda_pk == 0.0:
            return np.zeros_like(hazard)
        return np.asarray((hazard - self.lambda_mech * days) / self.lambda_pk)

    def lags(self, ids: NDArray[np.int64], draws: Draws) -> NDArray[np.float64]:
        """Days from the fall below the effect of C_relapse to relapse, one for each patient."""
        return self.relapse_lag * draws.exponential(Stream.RELAPSE, ids)[:, 0]


@functools.cache
def _shipped(name: str) -> Response:
    """Read once: what ships with the package does not change while it runs."""
    from pkmodel.parameter_file import read_parameters

    folder = resources.files("pkmodel") / "data" / "response"
    known = sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml"))
    if name not in known:
        raise unknown_name("response model", name, known)
    return Response(**read_parameters(folder / f"{name}.toml", Response))


LACK_OVER = 56.0
"""Days over which missing effect is averaged: a whole number of cycles of all usual regimens."""


def restored(before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of missing effect that a change of treatment has restored, shape (patient,).

    ``before`` and ``after`` (patient,) are means of ``1 - E`` over a cycle. It is the probability that the change
    would have prevented a loss for lack of drug, ``(h - h') / h`` of the hazards (the probability of causation: Robins
    and Greenland 1989, doi:10.2307/2531765), and by it such a loss is undone; 0 where the change restored nothing.
    """
    return np.asarray(np.clip(1.0 - after / np.maximum(before, 1e-12), 0.0, 1.0))


NO_RESPONSE_MODEL = np.zeros(at.N_RESPONSE)
"""Kernel row that switches the effect and its hazards off."""
