"""When did antibodies appear? Onset day and production from levels and titres, by a profile over onset days.

For each onset day of a grid, and for "never", the parameters and the maximal production are estimated as in a MAP, with
the antibody system integrated by the simulator. What each answer deserves is its Laplace marginal likelihood times the
layer's own probability of onset in that stretch of time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pkmodel.antibody import Immunogenicity
from pkmodel.assay import AntibodyAssay
from pkmodel.drug import PopulationModel
from pkmodel.errors import InputError
from pkmodel.estimation.design import Plan
from pkmodel.estimation.engine import begin, frailties, hazard_scale
from pkmodel.estimation.mapfit import fit
from pkmodel.kernels import layout
from pkmodel.record import PatientRecord
from pkmodel.simulation import advance
from pkmodel.state import State
from pkmodel.structure import COLUMN

Floats = NDArray[np.float64]

_STEP = 1e-3  # of a random effect, for slopes; the integrator is good to about 1e-7
_MOST = 25
_ENOUGH = 1e-2  # of the objective: a stretch's weight is then known to 0.5 %
# of the logarithm of a titre, around what the layer predicts. An assumption: an assay repeats itself to 0.15, but a
# layer calibrated on groups misses a single patient by more.
_TITRE_SD = 0.5
_BLUNDER = 0.01  # probability that a laboratory calls a sample wrongly, whatever is in it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OnsetEstimate:
    """Onset of antibodies in one patient.

    Attributes
    ----------
    days
        (cell + 1,) edges of the stretches of time that were tried, in days.
    probability
        (cell,) posterior probability that onset lies in each.
    never
        Posterior probability of no onset before the last sample.
    day
        Middle of the most probable stretch.
    parameters, production
        Individual parameters and maximal antibody production (mg/L/d of drug-binding capacity) if onset is there.
    predictions, titres
        (level,) drug in mg/L and (reading,) titres in mg/L that follow.
    warnings
        In words.
    """

    days: Floats
    probability: Floats
    never: float
    day: float
    parameters: dict[str, float]
    production: float
    predictions: Floats
    titres: Floats
    warnings: tuple[str, ...]


def fit_onset(
    model: PopulationModel,
    record: PatientRecord,
    layer: Immunogenicity,
    assay: AntibodyAssay,
    *,
    step: float = 14.0,
) -> OnsetEstimate:
    """Estimate onset and production of antibodies from drug levels and antibody results.

    Parameters
    ----------
    model
        Its own binary antibody term must not be fed: leave ``ada_positive`` out of the record.
    record
        Levels, antibody results, or both.
    layer, assay
        Of the drug. Titres must be in mg/L of drug-binding capacity.
    step
        Length of the stretches of time, days.

    Raises
    ------
    InputError
        Without levels and results; if the record carries ``ada_positive``; if layer or assay are for another drug.

    Notes
    -----
    Scope: antibodies that stay (no waning drive), no steroid premedication, onset at the middle of a stretch.
    A result counts by the probability of being called so (1 % of blunders), and by its titre where there is one above
    the cut-off; titres scatter around the layer's with a log SD of 0.5, which is an assumption. The answer leans on the
    layer, which was calibrated on groups and never on single patients.
    """
    _refuse(model, record, assay, step)
    problem = _Problem(model, record, layer, assay, step)
    z = problem.search()
    values, predictions, titres = problem.evaluate(z)
    log_det = np.linalg.slogdet(problem.quadratic(z)[1])[1]
    weight = -0.5 * values - 0.5 * log_det + problem.log_prior(z)
    share = np.exp(weight - weight.max())
    share /= share.sum()
    best = int(np.argmax(share[:-1])) if share[:-1].size else 0
    return OnsetEstimate(
        days=problem.edges + record.doses[0].day,
        probability=share[:-1],
        never=float(share[-1]),
        day=float(problem.onsets[best] + record.doses[0].day),
        parameters=problem.parameters(z[best]),
        production=float(layer.R_max_median * math.exp(layer.R_max_sd * z[best, -1])),
        predictions=predictions[best],
        titres=titres[best],
        warnings=_warnings(share, record),
    )


class _Problem:
    """All onsets at once: rows of the simulation are onset days, and their neighbours for slopes."""

    def __init__(
        self, model: PopulationModel, record: PatientRecord, layer: Immunogenicity, assay: AntibodyAssay, step: float
    ) -> None:
        self.model, self.record, self.layer, self.assay = model, record, layer, assay
        self.first = record.doses[0].day
        self.plan = Plan.of(record)
        self.level_days = np.array([level.day for level in record.levels]) - self.first
        self.titre_days = np.array([reading.day for reading in record.antibody]) - self.first
        self.samples = np.unique(np.concatenate([self.level_days, self.titre_days]))
        end = float(self.samples[-1])
        self.edges = np.linspace(0.0, end, max(1, math.ceil(end / step)) + 1)
        measured = np.array([math.nan if one.titre is None else one.titre for one in record.antibody])
        self.told = np.flatnonzero(measured >= assay.cutoff)
        self.log_measured = np.log(measured[self.told])
        self.onsets = np.append(0.5 * (self.edges[1:] + self.edges[:-1]), math.inf)
        self.start = np.append(fit(model, record).z, 0.0)

    def simulate(self, z: Floats, onsets: Floats) -> Floats:
        """Drug and antibody (row, sample, 4) for rows of random effects; antibody appears on each row's own day."""
        out = np.empty((z.shape[0], self.samples.size, 4))
        for day in np.unique(onsets):
            rows = np.flatnonzero(onsets == day)
            state = self._at_first_dose(z[rows])
            mine = np.empty((rows.size, self.samples.size, 4))
            if day < self.samples[-1]:
                state = advance(state, until=day, times=self.samples, into=mine)
                values = state.values.copy()
                values[:, layout.ONSET_TIME], values[:, layout.DRIVE] = day, 1.0
                state = replace(state, values=values)
            advance(state, until=float(self.samples[-1]), times=self.samples, into=mine)
            out[rows] = mine
        return out

    def _at_first_dose(self, z: Floats) -> State:
        r_max = self.layer.R_max_median * np.exp(self.layer.R_max_sd * z[:, -1])
        state, events = begin(self.model, self.plan, z[:, :-1], self.layer, r_max=r_max)
        return replace(state, pending=events)

    def evaluate(self, z: Floats, onsets: Floats | None = None) -> tuple[Floats, Floats, Floats]:
        """Objective (row,), drug (row, level) and titres (row, reading)."""
        out = self.simulate(z, self.onsets if onsets is None else onsets)
        drug = np.maximum(out[:, np.searchsorted(self.samples, self.level_days), 0], 0.0)
        at_titre = out[:, np.searchsorted(self.samples, self.titre_days), :3]
        without_error = np.zeros(at_titre.shape[:2])
        _, titre = self.assay.read(at_titre[:, :, 0], at_titre[:, :, 1], at_titre[:, :, 2], without_error)
        titre = np.maximum(np.nan_to_num(titre), 1e-3 * self.assay.cutoff)
        return (z**2).sum(axis=1) + self._levels(drug) + self._results(titre), drug, titre

    def _levels(self, drug: Floats) -> Floats:
        from scipy.special import log_ndtr

        sd = self.model.residual.sd(drug)
        y = np.array(self.plan.values)
        lloq = np.array(self.plan.lloqs)
        with np.errstate(divide="ignore", invalid="ignore"):
            measured = ((y - drug) / sd) ** 2 + 2.0 * np.log(sd)
            below = -2.0 * log_ndtr((lloq - drug) / sd)
        return np.asarray(np.where(np.isnan(y), below, measured).sum(axis=1))

    def _results(self, titre: Floats) -> Floats:
        """Minus twice the log probability of the antibody results."""
        from scipy.special import ndtr

        total = np.zeros(titre.shape[0])
        for k, reading in enumerate(self.record.antibody):
            if reading.positive is None:
                continue
            called = ndtr(np.log(titre[:, k] / self.assay.cutoff) / _TITRE_SD)
            chance = called if reading.positive else 1.0 - called
            total -= 2.0 * np.log((1.0 - _BLUNDER) * chance + 0.5 * _BLUNDER)
        apart = self.log_measured - np.log(titre[:, self.told])
        return np.asarray(total + ((apart / _TITRE_SD) ** 2).sum(axis=1))

    def search(self) -> Floats:
        """(onset, z) minima, all onsets together by damped Newton steps."""
        z = np.tile(self.start, (self.onsets.size, 1))
        value = self.evaluate(z)[0]
        damping = np.full(self.onsets.size, 1.0)
        for _ in range(_MOST):
            gradient, hessian = self.quadratic(z)
            step = -np.linalg.solve(hessian + damping[:, None, None] * np.eye(z.shape[1]), gradient[:, :, None])[
                :, :, 0
            ]
            step *= np.minimum(1.0, 1.0 / np.maximum(np.abs(step).max(axis=1), 1e-300))[:, None]
            new = self.evaluate(z + step)[0]
            better = new <= value
            gain = np.where(better, value - new, 0.0)
            z[better] += step[better]
            value = np.where(better, new, value)
            damping = np.where(better, 0.2 * damping, 5.0 * damping)
            if ((gain < _ENOUGH) & (better | (np.abs(step).max(axis=1) < 0.01))).all():
                break
        return z

    def quadratic(self, z: Floats) -> tuple[Floats, Floats]:
        """Gradient (onset, z) of the objective and its Fisher-like Hessian, J' W J + 2 I with J of what is observed."""
        n, d = z.shape
        moved = np.concatenate([z, *(z + _STEP * np.eye(d)[a] for a in range(d))])
        values, drug, titre = self.evaluate(moved, np.tile(self.onsets, d + 1))
        gradient = (values[n:] - np.tile(values[:n], d)).reshape(d, n).T / _STEP
        drug, log_titre = drug.reshape(d + 1, n, -1), np.log(titre).reshape(d + 1, n, -1)[:, :, self.told]
        weight = np.where(np.isnan(self.plan.values), 0.5, 2.0) / self.model.residual.sd(drug[0]) ** 2
        slope = (drug[1:] - drug[0]) / _STEP
        hessian = np.tile(2.0 * np.eye(d), (n, 1, 1)) + np.einsum("ank,nk,bnk->nab", slope, weight, slope)
        slope = (log_titre[1:] - log_titre[0]) / _STEP
        return gradient, hessian + 2.0 / _TITRE_SD**2 * np.einsum("ank,bnk->nab", slope, slope)

    def log_prior(self, z: Floats) -> Floats:
        """Log probability of onset in each stretch and of none, by the layer's hazard along the level that the row of
        that stretch would have without antibodies."""
        state = self._at_first_dose(z)
        hazards = np.zeros((z.shape[0], self.edges.size))
        for number, day in enumerate(self.edges[1:], start=1):
            state = advance(state, until=float(day))
            hazards[:, number] = state.values[:, layout.ONSET_HAZARD]
        frailty, weights = frailties(self.layer)
        scale = hazard_scale(self.record, self.layer)
        survival = np.exp(-scale * hazards[:, :, None] * frailty) @ weights
        cells = np.arange(self.edges.size - 1)
        chance = np.append(survival[cells, cells] - survival[cells, cells + 1], survival[-1, -1])
        return np.asarray(np.log(np.maximum(chance, 1e-300)))

    def parameters(self, z: Floats) -> dict[str, float]:
        """Between-subject part of the individual parameters, with the covariates of the first dose."""
        state, _ = begin(self.model, self.plan, z[None, :-1], self.layer)
        return {name: float(state.theta[0, column]) for name, column in COLUMN.items() if column < layout.N_THETA}


def _refuse(model: PopulationModel, record: PatientRecord, assay: AntibodyAssay, step: float) -> None:
    if not record.levels and not record.antibody:
        raise InputError.one("a record without levels and antibody results", "there is nothing to learn from")
    if "ada_positive" in record.covariates or "ada_positive" in record.over_time:
        remedy = "leave it out: the antibody layer replaces the model's own antibody term"
        raise InputError.one("the record carries an observed status", remedy, key="ada_positive")
    if model.drug not in assay.drugs:
        raise InputError.one(f"an assay for {' and '.join(assay.drugs)}", f"take one for {model.drug}", key="assay")
    if not 1.0 <= step < math.inf:
        raise InputError.one(f"stretches of {step:g} days", "give a day or more", key="step")


def _warnings(share: Floats, record: PatientRecord) -> tuple[str, ...]:
    said = []
    if not record.antibody:
        said.append("no antibody results: a fall of the levels is all that speaks for antibodies")
    spread = int((share[:-1] > 0.05).sum())
    if spread > 4:
        said.append(f"{spread} stretches of time are plausible: the day of onset is hardly known")
    if 0.2 < share[-1] < 0.8:
        said.append(f"whether there are antibodies is open (none: {share[-1]:.0%})")
    return tuple(said)
