"""Estimates and forecasts on simulated patients: are they calibrated, and how far off? A part of the report."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

import pkmodel as pk
from pkmodel import estimation
from validation import rank_pictures, ranks
from validation.measured_patients import (
    FORECAST_WEEK,
    FOUR,
    FOUR_BLQ,
    MODEL,
    NONE,
    ONE,
    ONE_BLQ,
    TWO,
    TWO_BLQ,
    Study,
    patients,
)
from validation.page import Block, Heading, Picture, Table, Words

WRONG_MODEL = "infliximab-wojciechowski-2017"
COVERAGE = (0.87, 0.93)
"""Within which the coverage of 90 % intervals should lie in 2,000 patients."""
_LEAST = 0.5  # mg/L; relative errors of smaller troughs are not judged
_RANKED, _FORECAST, _WRONG = (ONE_BLQ, TWO_BLQ, FOUR_BLQ), (NONE, ONE, TWO, FOUR, ONE_BLQ), (NONE, ONE, TWO, FOUR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """Forecasts of the next trough.

    Attributes
    ----------
    study, fitted
        What was measured, and by which model it was explained.
    patients, coverage
        Number of patients; share of measured troughs inside the 90 % prediction interval.
    judged, bias, rmse
        Patients with a true trough of 0.5 mg/L or more, and among them mean and root mean square of the error of
        the median forecast relative to the true trough (rBias, rRMSE).
    """

    study: Study
    fitted: str
    patients: int
    coverage: float
    judged: int
    bias: float
    rmse: float


def accuracy(study: Study, count: int, *, fitted: str = MODEL, seed: int = 1) -> Accuracy:
    """Forecast one trough of each of ``count`` simulated patients and compare."""
    truth, model = pk.load(MODEL), pk.load(fitted)
    inside, errors = 0, []
    for number, one in enumerate(patients(study, count, model=truth, seed=seed)):
        estimate = estimation.fit(model, one.record)
        coming = estimation.forecast(estimate, (), [7.0 * FORECAST_WEEK], seed=seed + number)
        low, high = coming.measured_band(0.9)[:, 0]
        inside += bool(low <= one.measured <= high)
        if one.trough >= _LEAST:
            errors.append(float(np.median(coming.true)) / one.trough - 1.0)
    return Accuracy(
        study=study, fitted=fitted, patients=count, coverage=inside / count, judged=len(errors),
        bias=float(np.mean(errors)), rmse=math.sqrt(float(np.mean(np.square(errors)))),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """All that the section tells."""

    ranked: tuple[ranks.Calibration, ...]
    right: tuple[Accuracy, ...]
    wrong: tuple[Accuracy, ...]


def study_forecasts(*, ranked: int, forecast: int, workers: int | None = None) -> Found:
    """Ranks of ``ranked`` patients and forecasts of ``forecast`` patients for each set of levels.

    The answer does not depend on the number of ``workers``.
    """
    jobs: list[Callable[[], Any]] = [partial(ranks.calibration, study, ranked) for study in _RANKED]
    jobs += [partial(accuracy, study, forecast) for study in _FORECAST]
    jobs += [partial(accuracy, study, forecast, fitted=WRONG_MODEL) for study in _WRONG]
    if workers == 1:
        done = [job() for job in jobs]
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            done = [waiting.result() for waiting in [pool.submit(job) for job in jobs]]
    first, second = len(_RANKED), len(_RANKED) + len(_FORECAST)
    return Found(ranked=tuple(done[:first]), right=tuple(done[first:second]), wrong=tuple(done[second:]))


def section(found: Found, folder: Path) -> list[Block]:
    """The part of the validation report about single patients; its pictures go into ``folder``."""
    rank_pictures.histograms(found.ranked, folder / "ranks.png")
    rank_pictures.departures(found.ranked, folder / "ranks-ecdf.png")
    return [
        Heading("Forecasts for single patients"),
        *_ranks(found.ranked),
        Picture("ranks.png", "Ranks of the truth among draws"),
        Picture("ranks-ecdf.png", "Cumulative share of ranks minus that of uniform ranks"),
        *_accuracy([*found.right, *found.wrong]),
    ]


def _ranks(found: Sequence[ranks.Calibration]) -> list[Block]:
    number = int(sum(next(iter(found[0].counts.values()))))
    p = [
        least
        for one in found
        for key in one.counts
        if key[0] in ranks.SHIPPED
        for least in (one.p_bins(*key), one.p_ecdf(*key))
    ]
    text = (
        f"Simulation-based calibration: {number} patients each, drawn from {MODEL}. Were the draws from the true "
        "posterior, the rank of the truth among them would be uniform. P values of a chi-square test over 20 bins, and "
        "of the largest departure of the cumulative ranks (below 0.05 they leave their simultaneous 95 % band). Of the "
        f"{len(p)} p values of the two samplers that the package draws from the smallest is {min(p):.2g}; the smallest "
        f"of as many independent ones is below {0.05 / len(p):.2g} by chance once in twenty reports."
    )
    why = (
        "The Gaussian at the mode is not drawn from: a level below its limit, and any few levels, leave a lopsided "
        'posterior. "MAP + Laplace" draws proposals around the mode, weighs them by the posterior and resamples; where '
        "less than a quarter of the proposals counts, or the weights have too heavy a tail, it runs the chain."
    )
    told = [
        f"{one.study}: half of the patients had an effective share of {one.effective:.2f} or more, the largest "
        f"Pareto k of weights that were used was {one.heaviest:.2f}, and the chain was run in {one.chains:.1%}."
        for one in found
    ]
    rows = [
        [str(one.study), sampler, quantity, f"{one.p_bins(sampler, quantity):.2g}",
         f"{one.p_ecdf(sampler, quantity):.2g}"]
        for one in found
        for sampler, quantity in one.counts
    ]  # fmt: skip
    table = Table(["levels", "draws from", "quantity", "p, bins", "p, cumulative"], rows)
    return [Words(text), Words(why), Words(" ".join(told)), table]


def _accuracy(found: Sequence[Accuracy]) -> list[Block]:
    low, high = COVERAGE
    text = (
        f"The trough of week {FORECAST_WEEK}, forecast from levels before it in {found[0].patients} patients each. "
        f"Errors are of the median forecast, relative to the true trough, among patients with a true trough of "
        f"{_LEAST} mg/L or more. 90 % intervals should cover {low:.0%} to {high:.0%} of measured troughs where the "
        "model is right. Whoever had a level below its limit and still a later trough that is judged was picked for "
        "levels that scattered low: the bias of that row is the choice of patients, and its coverage counts everybody."
    )
    rows = [
        [str(one.study), one.fitted, f"{one.coverage:.1%}", _verdict(one), f"{one.judged}", f"{one.bias:+.0%}",
         f"{one.rmse:.0%}"]
        for one in found
    ]  # fmt: skip
    head = ["levels", "model", "90 % interval covers", "as it should", "judged", "rBias", "rRMSE"]
    return [Words(text), Table(head, rows)]


def _verdict(one: Accuracy) -> str:
    if one.fitted != MODEL:
        return "wrong model"
    return "yes" if COVERAGE[0] <= one.coverage <= COVERAGE[1] else "no"
