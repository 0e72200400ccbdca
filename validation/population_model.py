"""What the antibody layer must give back of the population model under it.

The layer replaces the model's own term for antibodies, and simulates what the drug-sensitive assay behind that model
could not see. So the model's clearance, as it was published, must come out again for patients of its own trial:
typical clearance and its variability in patients negative by that trial's assay, and what an immunomodulator does to
it. (The factor for positive patients is left out: it hangs on what the analysts did with samples without drug, which
was not read.) Each is read off simulated troughs as the population model would read them (indirect
inference: Smith 1993, doi:10.1002/jae.3950080506; Gourieroux, Monfort and Renault 1993, doi:10.1002/jae.3950080507):
the clearance with which the same patients, without any antibody, would have had the same troughs on average.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel import library
from validation.case import figures, studies
from validation.statistics import highest_titre
from validation.trial import SEED, Parameters, Record, Records, run_arms

Floats = NDArray[np.float64]

_FIGURE = "ACCENT1-5-ATI-W72"  # arms, their shares, assay and antibody samples are those of this figure
_WEEKS = (14, 22, 30, 38, 46, 54)  # of troughs
_FACTORS = (0.4, 0.6, 0.8, 1.0, 1.25, 1.6, 2.0, 3.0, 5.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plain:
    """The trial's patients as the population model alone has them; nobody loses response, so nobody's dose changes.

    ``seen`` (arm, factor, patient, week): troughs as :func:`seen`, with clearance times each of ``_FACTORS``.
    """

    seen: Floats


def arms() -> list[tuple[str, str]]:
    """The trial's arms on 5 mg/kg, as (study, arm): without and with an immunomodulator."""
    study, figure = figures("calibration")[_FIGURE]
    return [(study, part.arm) for part in figure.parts]


def plain(n: int, threads: int | None = None, seed: int = SEED) -> Plain:
    """Simulate ``n`` patients without any antibody."""
    runs = [_without_antibody(n, factor, threads, seed) for factor in _FACTORS]
    return Plain(seen=np.array([[seen(run[arm]) for run in runs] for arm in arms()]))


def _without_antibody(n: int, factor: float, threads: int | None, seed: int) -> Records:
    shipped = Parameters.shipped()
    bare = shipped.immunogenicity["infliximab"].with_values(
        h0=0.0, clearance_scale=factor, eta_CL_scale=1.0, imm_clearance=1.0
    )
    kept = shipped.response["infliximab"].with_values(lambda_mech=0.0, lambda_pk=0.0)
    silent = Parameters(
        immunogenicity={**shipped.immunogenicity, "infliximab": bare},
        response={**shipped.response, "infliximab": kept},
    )
    return run_arms(arms(), studies(), silent, n, threads=threads, seed=seed)


def seen(record: Record) -> Floats:
    """Troughs (patient, week) on the scale on which the population model's residual error is the same everywhere.

    With an additive error a and a proportional one b, that is asinh(b C / a) / b: linear in the lowest levels, which
    the model hardly tells apart, and logarithmic in high ones.
    """
    study, _ = figures("calibration")[_FIGURE]
    residual = library.load(studies()[study].scenario.model).residual
    columns = [record.column(7.0 * week) for week in _WEEKS]
    troughs = record.free[:, columns]
    return np.asarray(np.arcsinh(residual.proportional * troughs / residual.additive) / residual.proportional)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clearance:
    """Clearance as the population model would have estimated it, each over what it published.

    Attributes
    ----------
    typical
        Of patients negative by the trial's assay.
    variability
        Their SD on the scale of :func:`seen`.
    immunomodulator
        Of those with an immunomodulator over those without.
    """

    typical: float
    variability: float
    immunomodulator: float


def clearance(records: Mapping[tuple[str, str], Record], without: Plain) -> Clearance:
    """As the troughs of patients who have not changed dose show it."""
    study, figure = figures("calibration")[_FIGURE]
    family, shares = figure.options["assay"], [part.weight for part in figure.parts]
    followed = [records[study, part.arm] for part in figure.parts]
    troughs = [seen(record) for record in followed]
    negative, spread = [], []
    for record, levels, bare in zip(followed, troughs, without.seen, strict=True):
        found = highest_titre(record, family, figure.options["weeks"]) >= record.parameters.assay(family).cutoff
        kept = record.loss_time[:, None] >= 7.0 * np.array(_WEEKS)[None, :]
        negative.append(kept & ~found[:, None])
        spread.append(_spread(levels, bare, negative[-1]))
    alone, together = (
        _factor([levels], [bare], [kept], [1.0])
        for levels, bare, kept in zip(troughs, without.seen, negative, strict=True)
    )
    return Clearance(
        typical=_factor(troughs, without.seen, negative, shares),
        variability=float(np.average(spread, weights=shares)),
        immunomodulator=together / alone,
    )


def _factor(
    troughs: Sequence[Floats], plain_troughs: Sequence[Floats] | Floats, kept: Sequence[NDArray[np.bool_]],
    shares: Sequence[float],
) -> float:  # fmt: skip
    """The factor on clearance with which the mean trough without antibody is that with it."""
    weights = [share * one for share, one in zip(shares, kept, strict=True)]
    whole = sum(float(one.sum()) for one in weights)
    if whole == 0.0:
        return 1.0
    mean = sum(float((w * t).sum()) for w, t in zip(weights, troughs, strict=True)) / whole
    curve = sum((w[None] * t).sum(axis=(1, 2)) for w, t in zip(weights, plain_troughs, strict=True)) / whole
    return float(np.exp(np.interp(-mean, -np.asarray(curve), np.log(_FACTORS))))


def _spread(troughs: Floats, plain_troughs: Floats, kept: NDArray[np.bool_]) -> float:
    """SD of patients' mean troughs over that of the same patients, visits and weeks without antibody."""
    some = kept.any(axis=1)
    visits = kept[some].sum(axis=1)
    published = plain_troughs[_FACTORS.index(1.0)]
    here, there = (np.where(kept[some], one[some], 0.0).sum(axis=1) / visits for one in (troughs, published))
    return float(here.std() / there.std())
