"""A published population model in memory: typical patient, covariates, variability, error, origin."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from pkmodel.covariates import SWITCHED_ROLES, Effect, covariate_columns
from pkmodel.errors import Fault, InputError, unknown_name
from pkmodel.structure import COLUMN, Structure
from pkmodel.variability import ResidualError, correlated, omega_matrix, variance

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """Where a model comes from, and where its numbers were read if not in the paper itself.

    Fields that are not known are empty, never guessed.
    """

    authors: tuple[str, ...] = ()
    title: str = ""
    journal: str = ""
    year: int | None = None
    volume: str = ""
    pages: str = ""
    doi: str = ""
    read_in: str = ""

    def bibtex(self, key: str = "") -> str:
        """Return a BibTeX entry; the key defaults to first author and year."""
        if not key:
            surname = re.sub(r"\s+[A-Z]+$", "", self.authors[0]) if self.authors else "unknown"
            key = re.sub(r"[^a-z0-9]", "", f"{surname}{self.year or ''}".lower())
        fields = {
            "author": " and ".join(self.authors), "title": f"{{{self.title}}}" if self.title else "",
            "journal": self.journal, "year": str(self.year or ""), "volume": self.volume,
            "pages": self.pages.replace("-", "--"), "doi": self.doi,
        }  # fmt: skip
        body = "".join(f",\n  {name} = {{{value}}}" for name, value in fields.items() if value)
        return f"@article{{{key}{body}\n}}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A number that the model must give back; the test suite computes it independently.

    Attributes
    ----------
    quantity
        "half-life" (terminal, day), "trough" (mg/L) or "clearance ratio" (to the reference covariates).
    value, tolerance
        Expected value, and half a unit of its last printed digit.
    covariates
        The patient it holds for.
    regimen, week
        For troughs: the standard regimen, and the week just before whose dose; None means steady state.
    source
        Who reports the value.
    """

    quantity: str
    value: float
    tolerance: float
    covariates: Mapping[str, float]
    regimen: str = ""
    week: float | None = None
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PopulationModel:
    """One population-pharmacokinetic model; immutable; see :func:`pkmodel.library.load` and :meth:`simple`.

    Attributes
    ----------
    name, drug, disease, title
        Identification.
    structure
        Compartments and routes.
    typical
        All parameters of the reference patient (``structure.parameters``), in internal units.
    effects
        Covariate effects; each multiplies one parameter.
    eta_parameters, omega
        Parameters with an exponential eta, in column order, and the (eta, eta) covariance matrix.
    iov
        Variance of the between-occasion eta, by parameter.
    residual
        Residual error of a measured concentration.
    domain
        Range of each covariate in the patients the model was built on, where known.
    reference
        Covariates of the reference patient.
    citation, checks, text
        Origin, numbers to reproduce, and the text of the file.
    """

    name: str
    drug: str
    structure: Structure
    typical: Mapping[str, float]
    disease: str = ""
    title: str = ""
    effects: tuple[Effect, ...] = ()
    eta_parameters: tuple[str, ...] = ()
    omega: Floats = dataclasses.field(default_factory=lambda: np.zeros((0, 0)))
    iov: Mapping[str, float] = dataclasses.field(default_factory=dict)
    residual: ResidualError = dataclasses.field(default_factory=ResidualError)
    domain: Mapping[str, tuple[float, float]] = dataclasses.field(default_factory=dict)
    reference: Mapping[str, float] = dataclasses.field(default_factory=dict)
    citation: Citation = dataclasses.field(default_factory=Citation)
    checks: tuple[Check, ...] = ()
    text: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "typical", MappingProxyType(self.structure.complete(self.typical)))
        known = {*self.structure.required} | ({"LAG"} if self.typical["LAG"] > 0.0 else set())
        faults = [
            Fault(
                key=name,
                problem="varies or depends on a covariate",
                remedy=f"a {self.structure} model has none",
            )
            for name in sorted({effect.parameter for effect in self.effects} | {*self.eta_parameters, *self.iov})
            if name not in known
        ]
        if faults:
            raise InputError(faults)

    @classmethod
    def simple(
        cls,
        *,
        name: str = "simple",
        drug: str = "any",
        CL: float = 0.0,
        V1: float,
        Q: float = 0.0,
        V2: float = 1.0,
        KA: float = 0.0,
        F: float = 1.0,
        LAG: float = 0.0,
        Q3: float = 0.0,
        V3: float = 1.0,
        VMAX: float = 0.0,
        KM: float = 1.0,
        D1: float = 0.0,
        omega: Mapping[str, float] | None = None,
        residual: ResidualError | None = None,
        routes: tuple[str, ...] = ("iv",),
    ) -> PopulationModel:
        """Build a model without covariates; its structure follows from the parameters that are positive.

        Parameters
        ----------
        CL, V1, Q, V2, KA, F, LAG
            Typical values: L/day, L, L/day, L, 1/day, fraction, day; two compartments if Q is positive.
        Q3, V3
            L/day, L; three compartments if Q3 is positive.
        VMAX, KM
            mg/day, mg/L; Michaelis-Menten elimination if VMAX is positive, beside a linear one if CL is too.
        D1
            Days; zero-order absorption if it is positive.
        omega
            Standard deviation of the exponential eta of each parameter that varies, uncorrelated.

        Raises
        ------
        InputError
            If a value is out of range or has no use in the structure.
        """
        values = {
            "CL": CL, "V1": V1, "Q": Q, "V2": V2, "KA": KA, "F": F, "LAG": LAG,
            "Q3": Q3, "V3": V3, "VMAX": VMAX, "KM": KM, "D1": D1,
        }  # fmt: skip
        elimination = "linear" if VMAX == 0.0 else "michaelis-menten" if CL == 0.0 else "both"
        varying, matrix = omega_matrix({key: variance(sd, "SD") for key, sd in (omega or {}).items()})
        return cls(
            name=name,
            drug=drug,
            structure=Structure(
                compartments=3 if Q3 > 0 else 2 if Q > 0 else 1,
                routes=routes,
                elimination=elimination,
                absorption="zero-order" if D1 > 0 else "first-order",
            ),
            typical=values,
            eta_parameters=varying,
            omega=matrix,
            residual=residual or ResidualError(),
        )

    @property
    def required_covariates(self) -> tuple[str, ...]:
        """Covariates that patients must carry, sorted."""
        wanted = {name for effect in self.effects for name in effect.covariates if effect.absent(name) is None}
        return tuple(sorted(wanted))

    def with_values(self, **typical: float) -> PopulationModel:
        """Return a copy with some typical values replaced, ``model.with_values(CL=0.3)``.

        Raises
        ------
        InputError
            If a name is no parameter of this structure or its value is out of range.
        """
        for name in typical:
            if name not in self.structure.parameters:
                raise unknown_name("parameter", name, self.structure.parameters)
        return dataclasses.replace(self, typical={**self.typical, **typical})

    def role_factor(self, role: str) -> float:
        """Return the factor on CL of a switched role at full strength; 1.0 if the model has none.

        Raises
        ------
        InputError
            If the role's term is an expression that also depends on something else.
        """
        if role not in SWITCHED_ROLES:
            raise unknown_name("role", role, SWITCHED_ROLES)
        found = 1.0
        for effect in self.effects:
            if effect.role == role and effect.parameter == "CL":
                if len(effect.covariates) > 1:
                    problem = f"{self.name}: the {role} term depends on {' and '.join(effect.covariates)}"
                    raise InputError.one(problem, "an antibody layer needs one factor for everybody", key="expression")
                found *= float(effect.on({effect.covariates[0]: np.ones(1)})[0])
        return found

    def typical_parameters(
        self, covariates: Mapping[str, Floats], n: int, *, roles: frozenset[str] = SWITCHED_ROLES
    ) -> Floats:
        """Return the parameters of ``n`` patients without their random effects.

        Parameters
        ----------
        covariates
            Arrays of shape (patient,), or single values, in internal units; see ``COVARIATES``.  Those the
            model does not use are ignored.
        n
            Number of patients.
        roles
            Switched roles to apply; the antibody layer leaves out "antibody" because it replaces that effect.

        Returns
        -------
        (patient, parameter) float64, C-contiguous, columns in the order of ``structure.parameters``.

        Raises
        ------
        InputError
            If a covariate is missing, of the wrong length, not finite or physically impossible.
        """
        unknown = sorted(roles - SWITCHED_ROLES)
        if unknown:
            raise unknown_name("role", unknown[0], SWITCHED_ROLES)
        theta = np.empty((n, len(self.structure.parameters)))
        theta[:] = [self.typical[name] for name in self.structure.parameters]
        active = [e for e in self.effects if e.role not in SWITCHED_ROLES or e.role in roles]
        columns = covariate_columns(active, covariates, n, model=self.name)
        for effect in active:
            if all(name in columns for name in effect.covariates):
                theta[:, COLUMN[effect.parameter]] *= effect.on(columns)
        return theta

    def individual_parameters(
        self, covariates: Mapping[str, Floats], etas: Floats, *, roles: frozenset[str] = SWITCHED_ROLES
    ) -> Floats:
        """Return typical parameters times ``exp(eta)``; see :meth:`typical_parameters`.

        Parameters
        ----------
        etas
            Random effects, shape (patient, eta), columns as ``eta_parameters``; see :meth:`etas`.

        Raises
        ------
        InputError
            Also if ``etas`` has the wrong shape or is not finite.
        """
        etas = self.checked(etas)
        theta = self.typical_parameters(covariates, etas.shape[0], roles=roles)
        growth = np.exp(etas)
        for index, name in enumerate(self.eta_parameters):
            theta[:, COLUMN[name]] *= growth[:, index]
        return theta

    def checked(self, etas: Floats) -> Floats:
        """Return random effects as they are, shape (patient, eta), columns as ``eta_parameters``.

        Raises
        ------
        InputError
            If ``etas`` has the wrong shape or is not finite.
        """
        etas = np.ascontiguousarray(etas, dtype=np.float64)
        if etas.ndim != 2 or etas.shape[1] != len(self.eta_parameters):
            expected = f"(patient, {len(self.eta_parameters)}): {', '.join(self.eta_parameters) or 'no etas'}"
            raise InputError.one(f"etas of shape {etas.shape}", f"{self.name} expects {expected}", key="etas")
        if not np.isfinite(etas).all():
            raise InputError.one("etas are not all finite", "check how they were drawn", key="etas")
        return etas

    def etas(self, z: Floats) -> Floats:
        """Return etas of covariance ``omega`` from independent standard normals, shape (patient, eta)."""
        return correlated(z, self.omega)

    def outside_domain(self, covariates: Mapping[str, Floats]) -> dict[str, int]:
        """Return, by covariate, the number of patients outside what the model was built on, where any are."""
        counts = {}
        for name, (low, high) in self.domain.items():
            if name in covariates:
                x = np.asarray(covariates[name], dtype=np.float64)
                counts[name] = int(((x < low) | (x > high)).sum())
        return {name: count for name, count in counts.items() if count}
