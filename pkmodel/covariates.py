"""Covariates: what is known about a patient, and how it moves a parameter.

Each form is one function of the covariate ``x``, its reference and one coefficient, and equals 1 for the
reference patient.  Names of covariates are a closed list, so that a misspelling in a model file is noticed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pkmodel.errors import Fault, InputError, PkWarning, unknown_name
from pkmodel.structure import ALL_PARAMETERS

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Covariate:
    """A covariate's unit and the values it can take in a living patient.

    The limits are wide: they exist to catch a wrong unit (albumin of 4.1, in g/dL instead of g/L, would
    multiply an infliximab clearance by up to 35), not to judge a patient.
    """

    unit: str
    low: float
    high: float
    meaning: str
    only_0_or_1: bool = False

    def check(self, name: str, values: Floats) -> None:
        """Refuse values that are missing or impossible.

        Raises
        ------
        InputError
            With the number of offending patients, the first of them (counted from 0) and its value.
        """
        bad = ~((values >= self.low) & (values <= self.high))
        if self.only_0_or_1:
            bad |= (values != 0) & (values != 1)
        if bad.any():
            first = int(np.argmax(bad))
            count = f"{int(bad.sum())} of {bad.size}"
            problem = f"{count} values are impossible; first: patient {first}, {values[first]:g}"
            allowed = "0 or 1" if self.only_0_or_1 else f"{self.low:g} to {self.high:g} {self.unit}".strip()
            raise InputError.one(problem, f"{name} ({self.meaning}) is {allowed}", key=name)


COVARIATES: Mapping[str, Covariate] = MappingProxyType(
    {
        "weight": Covariate(unit="kg", low=1.0, high=400.0, meaning="body weight"),
        "lean_body_weight": Covariate(unit="kg", low=1.0, high=200.0, meaning="lean body weight"),
        "albumin": Covariate(unit="g/L", low=10.0, high=70.0, meaning="serum albumin"),
        "crp": Covariate(unit="mg/L", low=0.0, high=1000.0, meaning="C-reactive protein"),
        "female": Covariate(unit="", low=0.0, high=1.0, meaning="1 female, 0 male", only_0_or_1=True),
        "ada_positive": Covariate(
            unit="", low=0.0, high=1.0, meaning="1 where the study's assay found antibodies", only_0_or_1=True
        ),
        # may be between 0 and 1: the effect of an immunomodulator ramps up over weeks
        "immunomodulator": Covariate(unit="", low=0.0, high=1.0, meaning="share of full immunomodulator effect"),
        "weekly_dosing": Covariate(unit="", low=0.0, high=1.0, meaning="1 if dosed every week", only_0_or_1=True),
        "ada_titre": Covariate(unit="", low=0.0, high=1e7, meaning="antibody titre by the study's assay, 0 negative"),
        "asian": Covariate(unit="", low=0.0, high=1.0, meaning="1 Asian, 0 not, as in the study", only_0_or_1=True),
        "crohns_disease": Covariate(
            unit="", low=0.0, high=1.0, meaning="1 Crohn's disease, 0 ulcerative colitis", only_0_or_1=True
        ),
    }
)

CARRIED: Mapping[str, Covariate] = MappingProxyType(
    {
        "hla_dqa1_05": Covariate(
            unit="", low=0.0, high=1.0, meaning="1 carrier of HLA-DQA1*05, 0 not", only_0_or_1=True
        ),
    }
)
"""What patients carry for the antibody layer: no PK model has an effect of it."""

ABSENT_IS_ZERO = frozenset({"ada_positive", "ada_titre", "immunomodulator", "weekly_dosing"})
"""Covariates that mean "none" where a patient does not carry them, in effects with a role that supplies them."""


class Effect(Protocol):
    """A factor on one parameter: :class:`CovariateEffect`, or an expression (:mod:`pkmodel.expressions`)."""

    @property
    def parameter(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def covariates(self) -> tuple[str, ...]: ...
    def definition(self, covariate: str) -> Covariate: ...
    def absent(self, covariate: str) -> float | None: ...
    def one_at_zero(self) -> bool: ...
    def on(self, columns: Mapping[str, Floats]) -> Floats: ...


def power(x: Floats, reference: float, coefficient: float) -> Floats:
    """Return ``(x / reference) ** coefficient``."""
    return np.asarray(np.power(x / reference, coefficient), dtype=np.float64)


def linear(x: Floats, reference: float, coefficient: float) -> Floats:
    """Return ``1 + coefficient * (x - reference)``."""
    return 1.0 + coefficient * (x - reference)


def factor(x: Floats, reference: float, coefficient: float) -> Floats:
    """Return ``coefficient ** (x - reference)``: the factor itself where a 0/1 covariate is 1."""
    return np.asarray(np.power(coefficient, x - reference), dtype=np.float64)


FORMS: Mapping[str, Callable[[Floats, float, float], Floats]] = MappingProxyType(
    {"power": power, "linear": linear, "factor": factor}
)

SWITCHED_ROLES = frozenset({"antibody", "immunomodulator"})
"""Effects that the antibody layer replaces, and that therefore can be left out."""

ROLES = frozenset({"covariate", "regimen"}) | SWITCHED_ROLES
"""Who supplies the covariate: the patient, the regimen, or the state of antibodies or co-therapy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CovariateEffect:
    """One factor on one parameter.

    Attributes
    ----------
    parameter, covariate
        Which parameter is multiplied, and by a function of what.
    form
        "power", "linear" or "factor"; see the functions of those names.
    coefficient, reference
        Their arguments; the reference is in the covariate's internal unit.
    role
        "covariate" (must be given unless it has a default), "regimen", "antibody" or "immunomodulator"
        (0 where not given).
    default
        Value used, with a warning, where the patients do not carry the covariate; None to insist on it.
    declared
        What the covariate is, for one that is not among ``COVARIATES``.

    Raises
    ------
    InputError
        For an unknown parameter, covariate, form or role, or a coefficient that could turn a factor negative.
    """

    parameter: str
    covariate: str
    form: str
    coefficient: float
    reference: float = 0.0
    role: str = "covariate"
    default: float | None = None
    declared: Covariate | None = None

    def __post_init__(self) -> None:
        known = COVARIATES if self.declared is None else {self.covariate: self.declared}
        for kind, name, valid in (
            ("parameter", self.parameter, ALL_PARAMETERS),
            ("covariate", self.covariate, known),
            ("form", self.form, FORMS),
            ("role", self.role, ROLES),
        ):
            if name not in valid:
                raise unknown_name(kind, name, valid, key=kind)
        if self.form == "power" and not self.reference > 0:
            raise InputError.one(f"is {self.reference:g}", "a power needs a positive reference", key="reference")
        if self.form == "factor" and not self.coefficient > 0:
            raise InputError.one(f"is {self.coefficient:g}", "a factor is positive", key="value")

    @property
    def covariates(self) -> tuple[str, ...]:
        """The covariate, as the one of a tuple."""
        return (self.covariate,)

    def definition(self, covariate: str) -> Covariate:
        """What the covariate is."""
        return COVARIATES[covariate] if self.declared is None else self.declared

    def absent(self, covariate: str) -> float | None:
        """Value of the covariate where it is not given; None if it must be."""
        return self.default if self.role == "covariate" else 0.0

    def one_at_zero(self) -> bool:
        """Whether the factor is exactly 1 where the covariate is 0."""
        return self.reference == 0.0

    def on(self, columns: Mapping[str, Floats]) -> Floats:
        """Return the factor for each patient of ``columns``, shape (patient,); see :meth:`values`."""
        return self.values(columns[self.covariate])

    def values(self, x: Floats) -> Floats:
        """Return the factor for each covariate value ``x``, shape (patient,).

        Raises
        ------
        InputError
            If a linear form leaves the range where it is positive.
        """
        found = FORMS[self.form](x, self.reference, self.coefficient)
        if self.form == "linear" and not (found > 0).all():
            worst = float(x[int(np.argmin(found))])
            problem = f"the factor on {self.parameter} is not positive at {worst:g}"
            raise InputError.one(problem, "the model does not reach that far", key=self.covariate)
        return found


def covariate_columns(
    effects: Sequence[Effect], covariates: Mapping[str, Floats], n: int, *, model: str
) -> dict[str, Floats]:
    """Return the checked covariates that ``effects`` use, each of shape (patient,).

    One that is absent stands at its assumed value; it is left out where its effects are then exactly 1.

    Raises
    ------
    InputError
        Naming every required covariate that is missing, or the first that has impossible values.
    """
    columns: dict[str, Floats] = {}
    missing: dict[str, Fault] = {}
    for effect, name in [(one, name) for one in effects for name in one.covariates]:
        if name in columns:
            continue
        assumed = effect.absent(name)
        if name in covariates:
            columns[name] = _column(name, covariates[name], n, effect.definition(name))
        elif assumed is None:
            known = effect.definition(name)
            wanted = f"give {name} ({', '.join(filter(None, (known.meaning, known.unit)))}) for every patient"
            missing[name] = Fault(key=name, problem=f"{model} needs this covariate", remedy=wanted)
        elif effect.role == "covariate":
            value = f"{assumed:g} {effect.definition(name).unit}".strip()
            said = f"{model}: no {name} given; every patient is taken at {value}"
            warnings.warn(said, PkWarning, stacklevel=4)
            columns[name] = np.full(n, assumed)
        elif not effect.one_at_zero():
            columns[name] = np.zeros(n)
    if missing:
        raise InputError(missing.values())
    return columns


def _column(name: str, values: Floats, n: int, definition: Covariate) -> Floats:
    """Return one covariate as a contiguous (patient,) array, checked."""
    x = np.asarray(values, dtype=np.float64)
    if x.shape not in ((), (n,)):
        raise InputError.one(f"shape {x.shape}", f"expected one value for each of {n} patients", key=name)
    x = np.ascontiguousarray(np.broadcast_to(x, (n,)))
    definition.check(name, x)
    return x
