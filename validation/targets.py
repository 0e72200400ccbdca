"""What is fitted: the calibration figures, and four constraints that are no figures of the split.

The constraints tie a parameter to the published number it stands for: typical clearance (patients negative by the
sponsor's assay have the clearance that the population model printed), and the marginal hazard ratios of HLA-DQA1*05
carriers, of patients on an immunomodulator and of adalimumab against infliximab. Published ratios are marginal; the
parameters are conditional on a patient's frailty, genotype and drug levels, and another number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from validation import space
from validation.case import FigureFile, arms_of, figures, studies
from validation.statistics import Estimate, Parts, estimate, highest_titre
from validation.trial import SEED, Parameters, Record, Records, run_arms

Floats = NDArray[np.float64]

HLA = "HLA-DQA1*05, marginal hazard ratio"
IMMUNOMODULATOR = "immunomodulator, marginal hazard ratio"
DRUGS = "adalimumab against infliximab, marginal ratio of cumulative hazards"
CLEARANCE = "clearance of patients negative by the sponsor's assay, over the published one"
_ARMS = (("accent1", "5 mg per kg"), ("accent1", "5 mg per kg imm"))
_IMM_SHARE = 0.29
_WEEKS = (14, 22, 30, 38, 46, 54)
_FLOOR = 0.1  # mg/L, the lower limit of the assay of those years (from memory)
_STEP = 1.1
_SAMPLES: dict[str, Any] = {"assay": "idkmonitor", "weeks": [6, 14, 22, 30, 38, 46, 54]}  # of the two hazard ratios


@dataclass(frozen=True, slots=True)
class Target:
    """What a prediction is compared with: value and standard error, on the scale of the comparison."""

    name: str
    value: float
    error: float
    scale: str  # "share" (percent, compared as it is), "log" (compared as a logarithm)
    family: str  # assay family whose cut-off it depends on; "" for none
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
        family = str(figure.options.get("assay", ""))
        accept = (figure.accept_low, figure.accept_high)
        found.append(Target(name, figure.value, error, "share", family, accept))
    # pooled risk ratio of 0.52 (a hazard ratio of 0.4 where 60 % have antibodies), odds ratios of 0.31 (Ungar 2015,
    # PMC4602524) and 0.4 (NOR-DRUM); the error is what these differ by
    found.append(Target(IMMUNOMODULATOR, 0.4, 0.25, "log", "idkmonitor", (0.25, 0.65)))
    # pooled incidences of 7.5 and 28.0 % (PMC9826743), of which the logarithms of those without antibodies are
    # compared; cohorts, assays and co-therapy differ: a factor of 1.65 is an assumption
    found.append(Target(DRUGS, math.log(1 - 0.075) / math.log(1 - 0.280), 0.5, "log", "idkmonitor", (0.09, 0.64)))
    # Sazonovs 2020, doi:10.1053/j.gastro.2019.09.041: 1.90 (1.60-2.25)
    found.append(Target(HLA, 1.90, math.log(2.25 / 1.60) / 3.92, "log", "idkmonitor", (1.60, 2.25)))
    found.append(Target(CLEARANCE, 1.0, 0.02, "log", "sponsor-bridging", (0.95, 1.05)))
    return found


def needed() -> set[tuple[str, str]]:
    """The (study, arm) pairs that the targets need."""
    return set(_ARMS).union(*(arms_of(study, figure) for study, figure in calibration_figures().values()))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plain:
    """The same patients without any antibody, as the population model has them.

    ``level`` (patient, week) are logarithms of troughs, ``slope`` their change per unit of log clearance. Nobody loses
    response here, so nobody's dose changes.
    """

    level: Floats
    slope: Floats


def plain(n: int, threads: int | None = None, seed: int = SEED) -> dict[tuple[str, str], Plain]:
    """Troughs of the population model, and how they depend on clearance."""
    runs = [_without_antibody(n, scale, threads, seed) for scale in (1.0, _STEP)]
    out = {}
    for key in _ARMS:
        first, second = (_log_troughs(run[key]) for run in runs)
        slope = np.minimum((second - first) / math.log(_STEP), -0.5)
        out[key] = Plain(level=first, slope=slope)
    return out


def _without_antibody(n: int, scale: float, threads: int | None, seed: int) -> Records:
    shipped = Parameters.shipped()
    base = shipped.immunogenicity["infliximab"].with_values(h0=0.0, clearance_scale=scale)
    immunogenicity = {**shipped.immunogenicity, "infliximab": base}
    kept = shipped.response["infliximab"].with_values(lambda_mech=0.0, lambda_pk=0.0)
    silent = Parameters(immunogenicity=immunogenicity, response={**shipped.response, "infliximab": kept})
    return run_arms(_ARMS, studies(), silent, n, threads=threads, seed=seed)


def _log_troughs(record: Record) -> Floats:
    columns = [record.column(7.0 * week) for week in _WEEKS]
    return np.asarray(np.log(np.maximum(record.free[:, columns], _FLOOR)))


def simulate(
    values: Mapping[str, float], base: Parameters, n: int, threads: int | None = None, seed: int = SEED
) -> Records:
    """Run what the targets need at a set of values."""
    return run_arms(needed(), studies(), space.parameters(values, base), n, threads=threads, seed=seed)


def predictions(records: Records, without: Mapping[tuple[str, str], Plain]) -> Floats:
    """Predicted targets, in the order of :func:`targets`."""
    out = [predict(figure, study, records).value for _, (study, figure) in sorted(calibration_figures().items())]
    ties = (_immunomodulator(records), _drugs(records), _hla(records), clearance_ratio(records, without))
    return np.array([*out, *ties])


def predict(figure: FigureFile, study: str, records: Records) -> Estimate:
    """The prediction of a figure."""
    parts: Parts = [(records[part.study or study, part.arm], part.weight) for part in figure.parts]
    against: Parts = [(records[part.study or study, part.arm], part.weight) for part in figure.against]
    return estimate(figure.statistic, parts, against, figure.options)


def _arms(records: Records, drug: str, share: float) -> Parts:
    """Both arms of PANTS with a drug; ``share`` of the patients takes an immunomodulator."""
    study = f"pants-{drug}"
    return [(records[study, drug], 1.0 - share), (records[study, f"{drug} imm"], share)]


def _immunomodulator(records: Records) -> float:
    (without, _), (together, _) = _arms(records, "infliximab", 0.57)
    return estimate("cox_ratio", [(together, 1.0)], [(without, 1.0)], {**_SAMPLES, "between": "arms"}).value


def _drugs(records: Records) -> float:
    options = {"infliximab": _SAMPLES, "adalimumab": {"assay": "idkmonitor-adalimumab", "weeks": [4, 12, 24, 36, 54]}}
    positive = {
        drug: estimate("ever_positive", _arms(records, drug, share), [], options[drug]).value / 100.0
        for drug, share in (("infliximab", 0.57), ("adalimumab", 0.5))
    }
    least = 1e-6  # a parameter set with nobody, or everybody, positive is far away, not infinitely far
    hazard = {drug: -math.log1p(-min(max(share, least), 1.0 - least)) for drug, share in positive.items()}
    return hazard["adalimumab"] / hazard["infliximab"]


def _hla(records: Records) -> float:
    parts = _arms(records, "infliximab", 0.57)
    return estimate("cox_ratio", parts, [], {**_SAMPLES, "between": "hla_dqa1_05"}).value


def clearance_ratio(
    records: Mapping[tuple[str, str], Record], without: Mapping[tuple[str, str], Plain], positive: bool = False
) -> float:
    """Geometric mean of clearance over that of the population model, as its troughs show it.

    Over patients negative (or positive) by the sponsor's assay who have not changed dose. A trough lower than the same
    patient's would be without antibody is put down to clearance, as a population model that knows of no antibody does;
    troughs are what such models are mostly fitted to.
    """
    logs, weights = [], []
    for key, share in zip(_ARMS, (1.0 - _IMM_SHARE, _IMM_SHARE), strict=True):
        record, bare = records[key], without[key]
        cutoff = record.parameters.assay("sponsor-bridging").cutoff
        chosen = (highest_titre(record, "sponsor-bridging", [14, 22, 54, 62, 72]) >= cutoff) == positive
        ratio = (_log_troughs(record) - bare.level) / bare.slope
        kept = chosen[:, None] & (record.loss_time[:, None] >= 7.0 * np.array(_WEEKS)[None, :])
        logs.append(ratio[kept])
        weights.append(np.full(int(kept.sum()), share))
    return float(np.exp(np.average(np.concatenate(logs), weights=np.concatenate(weights))))
