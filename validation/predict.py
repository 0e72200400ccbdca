"""Predict every figure: parameter sets times sampling at each study's own n."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

import numpy as np

from validation.case import arms_of, figures, studies
from validation.published import Prediction
from validation.statistics import Estimate
from validation.targets import predict
from validation.trial import SEED, Parameters, run_arms

_DRAWS = 400  # studies per parameter set
_DEFAULT_N = 200  # where a study's n is not known


def predict_one(
    parameters: Parameters, n: int, names: Sequence[str], models: Mapping[str, str] | None = None, seed: int = SEED
) -> dict[str, Estimate]:
    """Figures ``names`` under one parameter set, on ``n`` virtual patients."""
    known = figures()
    needed = set().union(*(arms_of(known[name][0], known[name][1]) for name in names))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        records = run_arms(needed, studies(), parameters, n, models=models, threads=1, seed=seed)
    return {name: predict(known[name][1], known[name][0], records) for name in names}


def simulate_sets(
    sets: Sequence[Parameters],
    n: int,
    names: Sequence[str] | None = None,
    workers: int | None = None,
) -> list[dict[str, Estimate]]:
    """Estimates of all figures (or ``names``), one mapping for each parameter set."""
    work = partial(predict_one, n=n, names=list(names if names is not None else figures()))
    if workers == 1 or len(sets) == 1:
        return list(map(work, sets))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return list(pool.map(work, sets))


def pooled(found: Sequence[Mapping[str, Estimate]]) -> list[Prediction]:
    """Predictions, in order of study and file: median over sets, interval over sets and sampling."""
    return [_pooled(name, [one[name] for one in found]) for name in found[0]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Published and predicted difference of two figures, on the same virtual patients; ``no`` is the share of
    simulated studies of the published sizes that would have found the opposite or nothing."""

    first: str
    second: str
    published: float
    half: float
    median: float
    low: float
    high: float
    no: float


PAIRS = (
    ("ACCENT1-EPI-ATI-W72", "ACCENT1-5-ATI-W72"),
    ("ACCENT1-NOIMM-ATI", "ACCENT1-IMM-ATI"),
    ("FARRELL-PBO", "FARRELL-HC"),
    ("BAERT-ATI-NOIS", "BAERT-ATI-IS"),
    ("ACCENT1-5-ATI-W72", "ACCENT1-10-ATI-W72"),
    ("COMMIT-FAIL-MONO", "COMMIT-FAIL"),
)


def differences(found: Sequence[Mapping[str, Estimate]]) -> list[Difference]:
    """First minus second of each pair, percentage points."""
    known, out = figures(), []
    for first, second in PAIRS:
        one, other = known[first][1], known[second][1]
        n1, n2 = one.n or _DEFAULT_N, other.n or _DEFAULT_N
        rng = np.random.default_rng(zlib.crc32(f"{first} {second}".encode()))
        values = np.array([est[first].value - est[second].value for est in found])
        noisy = np.concatenate(
            [est[first].scatter(n1, _DRAWS, rng) - est[second].scatter(n2, _DRAWS, rng) for est in found]
        )
        low, high = (float(x) for x in np.nanquantile(noisy, (0.025, 0.975)))
        half = 1.96 * float(np.hypot(_error(one.value, n1), _error(other.value, n2)))
        out.append(
            Difference(
                first=first,
                second=second,
                published=one.value - other.value,
                half=half,
                median=float(np.nanmedian(values)),
                low=low,
                high=high,
                no=100.0 * float(np.nanmean(noisy <= half)),
            )
        )
    return out


def _error(percent: float, n: int) -> float:
    return float(np.sqrt(percent * (100.0 - percent) / n))


def _pooled(name: str, found: Sequence[Estimate]) -> Prediction:
    study, figure = figures()[name]
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    values = np.array([one.value for one in found])
    scattered = np.concatenate([one.scatter(figure.n or _DEFAULT_N, _DRAWS, rng) for one in found])
    low, high = (float(x) for x in np.nanquantile(scattered, (0.025, 0.975)))
    inner = tuple(float(x) for x in np.nanquantile(values, (0.025, 0.975)))
    return Prediction(
        study=study,
        figure=figure,
        median=float(np.nanmedian(values)),
        low=low,
        high=high,
        inner=(inner[0], inner[1]),
    )
