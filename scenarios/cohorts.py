"""Cohorts: where virtual patients come from.

A cohort is either a virtual population (a TOML file of truncated distributions joined by a Gaussian copula)
or the rows of a CSV file.  Patient ``i`` of a cohort under a seed is the same patient whatever the number of
patients asked for and however the work is cut into chunks.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pkmodel.draws import Draws, Stream
from pkmodel.errors import InputError, PkWarning, unknown_name
from pkmodel.files import read_toml
from pkmodel.patients import Patients
from scenarios.cohort_csv import read_cohort_csv
from scenarios.cohort_file import CohortFile, CovariateFile
from scenarios.references import is_path

_DATA = Path(__file__).parent / "data" / "cohorts"

# Address of each covariate in the stream of random numbers: part of every published result, never renumber.
# Others follow in alphabetical order from _OTHERS on.
_INDEX = {"weight": 0, "albumin": 1, "crp": 2, "female": 3, "hla_dqa1_05": 4}
_OTHERS = 16

Columns = dict[str, NDArray[np.float64]]


class Population(Protocol):
    """Anything that can say what the patients with given numbers are like."""

    def covariates(self, ids: NDArray[np.int64], seed: int) -> Columns:
        """Return one float64 column per covariate, shape (patient,), internal units."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """A source of patients.

    Attributes
    ----------
    name
        Name of a shipped cohort, or the file's path.
    title, disease, status
        What it is, and how far its numbers can be trusted.
    covariate_names
        Names of the covariates each patient gets, in internal units (kg, g/L, mg/L, 0/1).
    size
        Number of rows of a CSV cohort; None for a virtual cohort, which has no end.
    """

    name: str
    title: str
    disease: str
    status: str
    covariate_names: tuple[str, ...]
    size: int | None
    population: Population

    @classmethod
    def load(cls, name: str | Path) -> Cohort:
        """Load a shipped cohort by name, or a cohort from a ``.csv`` or ``.toml`` file.

        Raises
        ------
        UnknownNameError
            If no cohort has that name.
        InputError
            With every fault of the file.
        """
        text = str(name)
        if is_path(text):
            return _from_csv(Path(text)) if text.lower().endswith(".csv") else _from_toml(Path(text), text)
        if text not in cls.names():
            raise unknown_name("cohort", text, cls.names())
        return _from_toml(_DATA / f"{text}.toml", text)

    @staticmethod
    def names() -> list[str]:
        """Names of the shipped cohorts."""
        return sorted(path.stem for path in _DATA.glob("*.toml"))

    def sample(self, n: int, seed: int = 1, first: int = 0) -> Patients:
        """Return the patients ``first`` .. ``first + n - 1`` of this cohort.

        Parameters
        ----------
        n
            Number of patients, at least 1.
        seed
            Of the random numbers; a CSV cohort does not use it.
        first
            Number of the first patient, from 0.

        Notes
        -----
        Patient ``k`` of a CSV cohort has the covariates of row ``k`` (from 0).  Past the last row the rows
        are used again, with a :class:`~pkmodel.errors.PkWarning`: such patients share covariates only.

        Raises
        ------
        InputError
            If ``n`` or ``first`` is not a whole number in range.
        """
        _check_count("patients", n, least=1)
        _check_count("first", first, least=0)
        if self.size is not None and first + n > self.size:
            message = f"more patients than the {self.size} rows of {self.name}: rows are used again"
            warnings.warn(message, PkWarning, stacklevel=2)
        ids = np.arange(first, first + n, dtype=np.int64)
        return Patients(ids=ids, covariates=self.population.covariates(ids, seed))


@dataclass(frozen=True, slots=True)
class TablePopulation:
    """Patients that are the rows of a table; past its end the rows are used again."""

    columns: Mapping[str, NDArray[np.float64]]

    def covariates(self, ids: NDArray[np.int64], seed: int) -> Columns:
        """Return the rows of these patients, used cyclically; ``seed`` has no effect."""
        return {name: values[ids % len(values)] for name, values in self.columns.items()}


@dataclass(frozen=True, slots=True)
class VirtualPopulation:
    """Truncated distributions joined by a Gaussian copula.

    Parameters
    ----------
    marginals
        Distribution of each covariate; binary ones are independent, except that medians may depend on sex.
    continuous
        Names of the continuous covariates in the order of ``cholesky``.
    cholesky
        Lower triangular factor of the correlation matrix of their underlying normals.
    """

    marginals: Mapping[str, CovariateFile]
    continuous: tuple[str, ...]
    cholesky: NDArray[np.float64]

    def covariates(self, ids: NDArray[np.int64], seed: int) -> Columns:
        """Draw the covariates of these patients; each number has a fixed address."""
        draws = Draws(seed)
        columns: Columns = {}
        for name in sorted(set(self.marginals) - set(self.continuous)):
            uniform = draws.uniform(Stream.COVARIATES, ids, 1, first=self._index(name))[:, 0]
            columns[name] = (uniform < (self.marginals[name].probability or 0.0)).astype(np.float64)
        female = columns.get("female", np.zeros(len(ids)))
        for name, normal in self._normals(draws, ids).items():
            columns[name] = _truncated(self.marginals[name], normal, female)
        return {name: columns[name] for name in self.marginals}

    def _normals(self, draws: Draws, ids: NDArray[np.int64]) -> Columns:
        """Correlated standard normals, by sums over columns: a matrix product may round by size of chunk."""
        raw = [draws.normal(Stream.COVARIATES, ids, 1, first=self._index(name))[:, 0] for name in self.continuous]
        mixed: Columns = {}
        for row, name in enumerate(self.continuous):
            total = np.zeros(len(ids))
            for column in range(row + 1):
                total += self.cholesky[row, column] * raw[column]
            mixed[name] = total
        return mixed

    def _index(self, name: str) -> int:
        if name in _INDEX:
            return _INDEX[name]
        return _OTHERS + sorted(set(self.marginals) - set(_INDEX)).index(name)


def _truncated(
    marginal: CovariateFile, normal: NDArray[np.float64], female: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Map standard normals to a truncated normal or lognormal, by the inverse distribution function.

    The map is increasing, so it keeps the rank correlations of the normals.
    """
    from scipy.special import ndtr, ndtri

    assert marginal.low is not None
    assert marginal.high is not None
    centre, spread, low, high = _scale(marginal, female)
    at_low, at_high = ndtr((low - centre) / spread), ndtr((high - centre) / spread)
    values = centre + spread * ndtri(at_low + ndtr(normal) * (at_high - at_low))
    if marginal.distribution == "lognormal":
        values = np.exp(values)
    # Not the truncation: that is done above.  This only takes back a last digit of rounding at a bound.
    return np.asarray(np.clip(values, marginal.low, marginal.high))


def _scale(marginal: CovariateFile, female: NDArray[np.float64]) -> tuple[NDArray[np.float64], float, float, float]:
    """Return mean per patient, SD, low and high on the scale on which the covariate is normal."""
    low, high = float(marginal.low or 0.0), float(marginal.high or 0.0)
    if marginal.distribution == "normal":
        return np.full(len(female), marginal.mean), float(marginal.sd or 0.0), low, high
    # sigma of ln(x) from the coefficient of variation of x: sqrt(ln(1 + CV^2))
    spread = marginal.log_sd or math.sqrt(math.log1p(float(marginal.cv or 0.0) ** 2))
    male = marginal.median_male or marginal.median or math.nan
    women = marginal.median_female or marginal.median or math.nan
    centre = np.where(female > 0, math.log(women), math.log(male))
    return centre, spread, math.log(low), math.log(high)


def _from_toml(path: Path, name: str) -> Cohort:
    file = read_toml(path, CohortFile)
    continuous = tuple(sorted(key for key, one in file.covariate.items() if one.distribution != "binary"))
    matrix = np.eye(len(continuous))
    for correlation in file.correlation:
        i, j = (continuous.index(key) for key in correlation.between)
        matrix[i, j] = matrix[j, i] = correlation.value
    try:
        cholesky = np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        problem = "these correlations cannot hold together (their matrix is not positive definite)"
        raise InputError.one(problem, "make them smaller", key="correlation", file=str(path)) from None
    return Cohort(
        name=name,
        title=file.title,
        disease=file.disease,
        status=file.status,
        covariate_names=tuple(file.covariate),
        size=None,
        population=VirtualPopulation(file.covariate, continuous, np.asarray(cholesky, np.float64)),
    )


def _from_csv(path: Path) -> Cohort:
    columns = read_cohort_csv(path)
    if "hla_dqa1_05" not in columns:
        message = f"{path.name} has no column hla_dqa1_05: nobody counts as a carrier, which lowers immunogenicity"
        warnings.warn(message, PkWarning, stacklevel=3)
    return Cohort(
        name=str(path),
        title=f"rows of {path.name}",
        disease="",
        status="given by the user",
        covariate_names=tuple(columns),
        size=len(next(iter(columns.values()))),
        population=TablePopulation(columns),
    )


def _check_count(key: str, value: int, *, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise InputError.one(f"{value!r} is not a whole number of at least {least}", "e.g. 1000", key=key)
