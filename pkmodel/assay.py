"""What a laboratory would have reported: drug assays with a limit of quantification, antibody assay families.

The same antibody gives different answers in different laboratories.  A drug-sensitive assay needs free
antibody and is blind while drug is in the sample; a drug-tolerant one sees total antibody up to a high
concentration of drug.  Titres are in mg/L of drug-binding capacity, to which the AU/mL, U/mL and ng/mL of
published assays cannot be converted.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from pkmodel import units
from pkmodel.errors import InputError, unknown_name
from pkmodel.files import FileModel, read_toml

_FILE = Path(__file__).parent / "data" / "assays.toml"

Floats = NDArray[np.float64]

NEGATIVE, POSITIVE, INCONCLUSIVE = 0, 1, 2
"""Codes of an antibody result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrugAssay:
    """An assay of free drug.

    Attributes
    ----------
    lloq
        Lower limit of quantification, mg/L.
    proportional, additive
        Standard deviation of the analytical error, as a fraction and in mg/L.
    source, status
        Where that comes from and how sure it is.

    Raises
    ------
    InputError
        If a number is negative or not finite.
    """

    name: str
    drugs: tuple[str, ...]
    lloq: float
    proportional: float
    additive: float
    source: str = ""
    status: str = ""

    def __post_init__(self) -> None:
        _not_negative(self.name, lloq=self.lloq, proportional=self.proportional, additive=self.additive)

    def measure(self, free: Floats, z1: Floats, z2: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Return what the laboratory reports for true free drug concentrations.

        Parameters
        ----------
        free
            True free concentration, mg/L, any shape.
        z1, z2
            Standard normal variates of that shape, for the proportional and the additive error.

        Returns
        -------
        value, blq
            Reported concentration in mg/L, NaN below the limit of quantification; True there.
        """
        value = free * (1.0 + self.proportional * z1) + self.additive * z2
        if np.isnan(value).any():
            raise InputError.one("a concentration to be measured is NaN", "check the simulation", key=self.name)
        blq = value < self.lloq
        return np.where(blq, np.nan, value), blq


@dataclass(frozen=True, slots=True, kw_only=True)
class AntibodyAssay:
    """A family of antibody assays.

    Attributes
    ----------
    drugs
        Drugs whose antibodies it reads.
    kind
        "drug-sensitive" or "drug-tolerant".
    cutoff
        Titre from which a result is positive, mg/L of drug-binding capacity.
    drug_limit
        Drug-sensitive: drug (mg/L) from which a sample is not reportable.
        Drug-tolerant: drug (mg/L) up to which it reads all antibody.
    proportional
        Standard deviation of the logarithm of the titre.
    source, status
        Where that comes from and how sure it is.

    Raises
    ------
    InputError
        If the kind is unknown or a number is out of range.
    """

    name: str
    drugs: tuple[str, ...]
    kind: str
    cutoff: float
    drug_limit: float
    proportional: float
    source: str = ""
    status: str = ""

    def __post_init__(self) -> None:
        if self.kind not in ("drug-sensitive", "drug-tolerant"):
            raise unknown_name("kind of antibody assay", self.kind, ("drug-sensitive", "drug-tolerant"))
        _not_negative(self.name, proportional=self.proportional)
        for name, value in (("cutoff", self.cutoff), ("drug_limit", self.drug_limit)):
            if not (math.isfinite(value) and value > 0):
                raise InputError.one(f"{name} of {value:g} mg/L", "give a positive value", key=self.name)

    def read(
        self, free_drug: Floats, antibody_free: Floats, antibody_total: Floats, z: Floats
    ) -> tuple[NDArray[np.int8], Floats]:
        """Return what the laboratory reports for the antibody in samples.

        Parameters
        ----------
        free_drug
            True free drug, mg/L, any shape.
        antibody_free, antibody_total
            True free (S - X) and total (S) antibody, mg/L of drug-binding capacity, same shape.
        z
            Standard normal variates for the log-normal error of the titre, same shape.

        Returns
        -------
        code, titre
            int8 of 0 negative, 1 positive, 2 inconclusive; titre in mg/L of drug-binding capacity, NaN where
            inconclusive.

        Notes
        -----
        Above its limit a drug-tolerant assay is taken to lose signal in proportion to the drug in excess, and
        to be blind at twice the limit.  That is an assumption: interference is published, its shape is not.
        """
        error = np.exp(self.proportional * z)
        if self.kind == "drug-sensitive":
            reportable = free_drug < self.drug_limit
            signal = antibody_free
        else:
            reportable = np.isfinite(free_drug)
            excess = (free_drug - self.drug_limit) / self.drug_limit
            signal = antibody_total * np.clip(1.0 - excess, 0.0, 1.0)
        titre = signal * error
        if np.isnan(titre).any() or np.isnan(free_drug).any():
            raise InputError.one("a sample to be read is NaN", "check the simulation", key=self.name)
        code = np.where(reportable, np.where(titre >= self.cutoff, POSITIVE, NEGATIVE), INCONCLUSIVE)
        return code.astype(np.int8), np.where(reportable, titre, np.nan)


def drug_assays(drug: str | None = None) -> list[str]:
    """Return the names of all drug assays, or of those for one drug, sorted."""
    return sorted(name for name, assay in _library()[0].items() if drug is None or drug in assay.drugs)


def antibody_assays(drug: str | None = None) -> list[str]:
    """Return the names of all antibody assay families, or of those for one drug, sorted."""
    return sorted(name for name, assay in _library()[1].items() if drug is None or drug in assay.drugs)


def load_drug_assay(name: str, drug: str | None = None) -> DrugAssay:
    """Return a drug assay by name, making sure that it is for ``drug`` unless that is None.

    Raises
    ------
    UnknownNameError
        If there is no such assay.
    InputError
        If it is for another drug.
    """
    assays = _library()[0]
    if name not in assays:
        raise unknown_name("drug assay", name, drug_assays(drug))
    _check_drug("drug assay", name, assays[name].drugs, drug, drug_assays(drug))
    return assays[name]


def load_antibody_assay(name: str, drug: str | None = None) -> AntibodyAssay:
    """Return an antibody assay family by name, making sure that it is for ``drug`` unless that is None.

    Raises
    ------
    UnknownNameError
        If there is no such family.
    InputError
        If it is for another drug.
    """
    assays = _library()[1]
    if name not in assays:
        raise unknown_name("antibody assay", name, antibody_assays(drug))
    _check_drug("antibody assay", name, assays[name].drugs, drug, antibody_assays(drug))
    return assays[name]


def _check_drug(kind: str, name: str, drugs: tuple[str, ...], drug: str | None, usable: list[str]) -> None:
    if drug is not None and drug not in drugs:
        problem = f"{kind} '{name}' is for {' and '.join(drugs)}, not {drug}"
        raise InputError.one(problem, f"for {drug}: {', '.join(usable) or 'none'}", key="assays")


def _not_negative(key: str, **values: float) -> None:
    for name, value in values.items():
        if not (math.isfinite(value) and value >= 0):
            raise InputError.one(f"{name} of {value:g}", "give zero or more", key=key)


_Concentration = Annotated[float, BeforeValidator(units.concentration)]


class _Assay(FileModel):
    name: str = Field(min_length=1)
    drugs: list[str] = Field(min_length=1)
    proportional: float = Field(ge=0)
    source: str = Field(min_length=3)
    status: str = Field(min_length=3)


class _DrugAssay(_Assay):
    lloq: _Concentration
    additive: _Concentration


class _AntibodyAssay(_Assay):
    kind: Literal["drug-sensitive", "drug-tolerant"]
    cutoff: _Concentration
    drug_limit: _Concentration


class _AssayFile(FileModel):
    drug_assay: list[_DrugAssay]
    antibody_assay: list[_AntibodyAssay]


@functools.cache
def _library() -> tuple[dict[str, DrugAssay], dict[str, AntibodyAssay]]:
    content = read_toml(_FILE, _AssayFile)
    drug = {a.name: DrugAssay(**{**dict(a), "drugs": tuple(a.drugs)}) for a in content.drug_assay}
    antibody = {a.name: AntibodyAssay(**{**dict(a), "drugs": tuple(a.drugs)}) for a in content.antibody_assay}
    return drug, antibody
