"""What is fitted: the calibration figures, and fifteen constraints that are no figures of the split.

The constraints tie parameters to published numbers that they stand behind: clearance, its variability between patients
and what an immunomodulator does to it, as the population model printed them (:mod:`validation.population_model`); a
titre; how well troughs and antibodies tell lost response (:mod:`validation.accuracy`); antibodies by dose
(:mod:`validation.dose_ranging`, six groups); and the marginal hazard ratios of HLA-DQA1*05 carriers, of patients on an
immunomodulator and of adalimumab against infliximab. Published ratios are
marginal; the parameters are conditional on a patient's frailty, genotype and drug levels, and another number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from validation import accuracy, dose_ranging, population_model, space
from validation.case import FigureFile, arms_of, figures, studies
from validation.population_model import Plain
from validation.statistics import Estimate, Parts, estimate, highest_titre, weighted_quantiles
from validation.trial import SEED, Parameters, Records, run_arms

Floats = NDArray[np.float64]

HLA = "HLA-DQA1*05, marginal hazard ratio"
IMMUNOMODULATOR = "immunomodulator, marginal hazard ratio"
DRUGS = "adalimumab against infliximab, marginal ratio of cumulative hazards"
CLEARANCE = "clearance of patients negative by the sponsor's assay, over the published one"
VARIABILITY = "its SD between patients, over the published one"
COTHERAPY = "the immunomodulator's effect on it, over the published one"
TITRES = "median titre of the antibody-positive on demand, in cut-offs"
TROUGHS = "low trough as a test of lost response, sensitivity at the published specificity"
ANTIBODIES = "antibodies as a test of lost response, sensitivity at the published specificity"
_PANTS, _FARRELL = "PANTS-IFX-ADA54", "FARRELL-PBO"
_ADALIMUMAB, _WEEKS = "pants-adalimumab", [4, 12, 24, 36, 54]


@dataclass(frozen=True, slots=True)
class Target:
    """What a prediction is compared with: value and standard error, on the scale of the comparison."""

    name: str
    value: float
    error: float
    scale: str  # "share" (percent, compared as it is), "log" (compared as a logarithm)
    accept: tuple[float, float]


def calibration_figures() -> dict[str, tuple[str, FigureFile]]:
    """The figures of role "calibration": the only published figures that the fit reads."""
    return figures("calibration")


def targets() -> list[Target]:
    """Targets in a fixed order: calibration figures by id, then the constraints."""
    found = []
    for name, (_, figure) in sorted(calibration_figures().items()):
        assert figure.low is not None
        assert figure.high is not None
        assert figure.accept_low is not None
        assert figure.accept_high is not None
        error = (figure.high - figure.low) / 3.92
        accept = (figure.accept_low, figure.accept_high)
        found.append(Target(name, figure.value, error, "share", accept))
    # pooled risk ratio of 0.52, odds ratios of 0.31 (Ungar 2015, PMC4602524) and 0.4 (NOR-DRUM): as hazard ratios 0.46
    # (where 35 % have antibodies without it), 0.38 (45 %) and 0.44 (25 %), SD of the logarithm 0.1; the error adds as
    # much for what each is uncertain by
    found.append(Target(IMMUNOMODULATOR, 0.42, 0.15, "log", (0.25, 0.65)))
    # pooled incidences of 7.5 and 28.0 % (PMC9826743), of which the logarithms of those without antibodies are
    # compared; cohorts, assays and co-therapy differ: a factor of 1.65 is an assumption
    found.append(Target(DRUGS, math.log(1 - 0.075) / math.log(1 - 0.280), 0.5, "log", (0.09, 0.64)))
    # Sazonovs 2020, doi:10.1053/j.gastro.2019.09.041: 1.90 (1.60-2.25)
    found.append(Target(HLA, 1.90, math.log(2.25 / 1.60) / 3.92, "log", (1.60, 2.25)))
    found.append(Target(CLEARANCE, 1.0, 0.02, "log", (0.95, 1.05)))
    # errors of these two: assumptions, the paper's were not read; leaving out troughs below 0.1 mg/L takes a tenth off
    # the SD
    found.append(Target(VARIABILITY, 1.0, 0.1, "log", (0.8, 1.25)))
    found.append(Target(COTHERAPY, 1.0, 0.05, "log", (0.88, 1.14)))
    # Farrell 2003, the cohort before the trial: 11 of 15 who lost response were positive, and the median of the 15 was
    # 8.9 ug/mL; 7 with serious reactions had 19.6; 19 were positive in all. So that of the positive is about 10, or
    # six times the limit of 1.69 ug/mL (MEMORY); the error is that of a median of 15 with a log SD of 1.4
    found.append(Target(TITRES, 6.0, 0.45, "log", (2.4, 15.0)))
    # the error is an assumption: intervals of the summary points were not read
    for name, value in ((TROUGHS, accuracy.TROUGH_SENSITIVITY), (ANTIBODIES, accuracy.ANTIBODY_SENSITIVITY)):
        found.append(Target(name, value, 5.0, "share", (value - 15.0, value + 15.0)))
    for group in dose_ranging.GROUPS:
        low, high = group.percent - 3.0 * group.error, group.percent + 3.0 * group.error
        found.append(Target(group.name, group.percent, group.error, "share", (low, high)))
    return found


def needed() -> set[tuple[str, str]]:
    """The (study, arm) pairs that the targets need."""
    of_figures = [arms_of(study, figure) for study, figure in calibration_figures().values()]
    return {*population_model.arms(), accuracy.ARM, *dose_ranging.arms()}.union(*of_figures)


def simulate(
    values: Mapping[str, float], base: Parameters, n: int, threads: int | None = None, seed: int = SEED
) -> Records:
    """Run what the targets need at a set of values."""
    return run_arms(needed(), studies(), space.parameters(values, base), n, threads=threads, seed=seed)


def predictions(records: Records, without: Plain) -> Floats:
    """Predicted targets, in the order of :func:`targets`."""
    found = sorted(calibration_figures().items())
    out = {name: predict(figure, study, records).value for name, (study, figure) in found}
    clearance = population_model.clearance(records, without)
    ratios = (_immunomodulator(records), _drugs(out[_PANTS], records), _hla(records))
    of_clearance = (clearance.typical, clearance.variability, clearance.immunomodulator)
    others = (_titres(records), *accuracy.accuracy(records), *dose_ranging.shares(records))
    return np.array([*out.values(), *ratios, *of_clearance, *others])


def predict(figure: FigureFile, study: str, records: Records) -> Estimate:
    """The prediction of a figure."""
    parts: Parts = [(records[part.study or study, part.arm], part.weight) for part in figure.parts]
    against: Parts = [(records[part.study or study, part.arm], part.weight) for part in figure.against]
    return estimate(figure.statistic, parts, against, figure.options)


def _pants(records: Records, between: str) -> tuple[Parts, dict[str, Any]]:
    """Both arms of PANTS with infliximab, without and with an immunomodulator, and the samples of its figure."""
    study, figure = calibration_figures()[_PANTS]
    return [(records[study, part.arm], part.weight) for part in figure.parts], {**figure.options, "between": between}


def _immunomodulator(records: Records) -> float:
    ((without, _), (together, _)), options = _pants(records, "arms")
    return estimate("cox_ratio", [(together, 1.0)], [(without, 1.0)], options).value


def _hla(records: Records) -> float:
    parts, options = _pants(records, "hla_dqa1_05")
    return estimate("cox_ratio", parts, [], options).value


def _drugs(infliximab: float, records: Records) -> float:
    """Adalimumab's hazard over infliximab's, of which ``infliximab`` percent are positive."""
    parts: Parts = [(records[_ADALIMUMAB, "adalimumab"], 0.5), (records[_ADALIMUMAB, "adalimumab imm"], 0.5)]
    adalimumab = estimate("ever_positive", parts, [], {"assay": "idkmonitor-adalimumab", "weeks": _WEEKS}).value
    least = 1e-6  # a parameter set with nobody, or everybody, positive is far away, not infinitely far
    shares = [min(max(percent / 100.0, least), 1.0 - least) for percent in (adalimumab, infliximab)]
    return math.log1p(-shares[0]) / math.log1p(-shares[1])


def _titres(records: Records) -> float:
    """Median of positive patients' highest titres, in cut-offs; on demand and without hydrocortisone, for 40 weeks.

    In that time the patients have as many infusions as those of the cohort had (199 in 53).
    """
    study, figure = calibration_figures()[_FARRELL]
    family, weeks = figure.options["assay"], list(range(4, 41, 4))
    found, weights = [], []
    for part in figure.parts:
        record = records[study, part.arm]
        titre = highest_titre(record, family, weeks, figure.options["at_doses_from"])
        positive = titre >= record.parameters.assay(family).cutoff
        found.append(titre[positive] / record.parameters.assay(family).cutoff)
        weights.append(np.full(int(positive.sum()), part.weight))
    titres, shares = np.concatenate(found), np.concatenate(weights)
    if not titres.size:
        return 1.0
    return weighted_quantiles(titres, shares, (0.5,))[0]
