"""The file door of virtual cohorts: what a cohort TOML may say, checked when it is read."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pkmodel.errors import Fault, InputError, did_you_mean
from pkmodel.files import FileModel

_Positive = Annotated[float, Field(gt=0)]
_Probability = Annotated[float, Field(ge=0, le=1)]


class CovariateFile(FileModel):
    """One covariate: a distribution before truncation to [low, high], with its unit and status.

    ``binary`` needs ``probability``; ``normal`` needs ``mean`` and ``sd``; ``lognormal`` needs ``median`` (or
    ``median_male`` and ``median_female``) and ``cv`` (a fraction) or ``log_sd``.  The last two need bounds.
    """

    unit: str
    distribution: Literal["binary", "normal", "lognormal"]
    status: str
    source: str = ""
    probability: _Probability | None = None
    mean: float | None = None
    sd: _Positive | None = None
    median: _Positive | None = None
    median_male: _Positive | None = None
    median_female: _Positive | None = None
    cv: _Positive | None = None
    log_sd: _Positive | None = None
    low: float | None = None
    high: float | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        given = {name for name in _PARAMETERS if getattr(self, name) is not None}
        if given not in _SHAPES[self.distribution]:
            wanted = " or ".join(", ".join(sorted(shape)) for shape in _SHAPES[self.distribution])
            problem = f"a {self.distribution} covariate with {', '.join(sorted(given)) or 'no parameters'}"
            raise InputError.one(problem, f"give exactly: {wanted}")
        if self.low is not None and self.high is not None:
            if not self.low < self.high:
                raise InputError.one(f"low {self.low:g} is not below high {self.high:g}", "swap the bounds")
            if self.distribution == "lognormal" and self.low <= 0:
                raise InputError.one(f"low {self.low:g} of a lognormal", "write a positive lower bound")
        return self


_PARAMETERS = (
    "probability",
    "mean",
    "sd",
    "median",
    "median_male",
    "median_female",
    "cv",
    "log_sd",
    "low",
    "high",
)
_BOUNDS = {"low", "high"}
_SHAPES: dict[str, list[set[str]]] = {
    "binary": [{"probability"}],
    "normal": [{"mean", "sd"} | _BOUNDS],
    "lognormal": [
        {"median", "cv"} | _BOUNDS,
        {"median", "log_sd"} | _BOUNDS,
        {"median_male", "median_female", "cv"} | _BOUNDS,
        {"median_male", "median_female", "log_sd"} | _BOUNDS,
    ],
}


class CorrelationFile(FileModel):
    """Correlation of the underlying normals of two continuous covariates (Gaussian copula)."""

    between: Annotated[list[str], Field(min_length=2, max_length=2)]
    value: Annotated[float, Field(gt=-1, lt=1)]
    status: str
    source: str = ""


class CohortFile(FileModel):
    """A whole cohort file."""

    title: str
    disease: str
    status: str
    source: str
    covariate: Annotated[dict[str, CovariateFile], Field(min_length=1)]
    correlation: list[CorrelationFile] = Field(default_factory=list)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        faults = [*self._correlation_faults(), *self._sex_faults()]
        if faults:
            raise InputError(faults)
        return self

    def _correlation_faults(self) -> list[Fault]:
        continuous = [name for name, one in self.covariate.items() if one.distribution != "binary"]
        seen: set[frozenset[str]] = set()
        faults = []
        for index, correlation in enumerate(self.correlation):
            key = f"correlation.{index}.between"
            for name in correlation.between:
                if name not in continuous:
                    remedy = did_you_mean(name, continuous, what="continuous covariates")
                    faults.append(Fault(problem=f"'{name}' cannot be correlated", remedy=remedy, key=key))
            pair = frozenset(correlation.between)
            if len(pair) < 2 or pair in seen:
                problem = f"the pair {' and '.join(correlation.between)} is given twice or is one covariate"
                faults.append(Fault(problem=problem, remedy="name two different covariates, once", key=key))
            seen.add(pair)
        return faults

    def _sex_faults(self) -> list[Fault]:
        by_sex = [name for name, one in self.covariate.items() if one.median_female is not None]
        sex = self.covariate.get("female")
        if not by_sex or (sex is not None and sex.distribution == "binary"):
            return []
        problem = f"medians by sex ({', '.join(by_sex)}) without a binary covariate 'female'"
        return [Fault(problem=problem, remedy="add [covariate.female]", key="covariate")]
