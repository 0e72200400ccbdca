"""Immunogenicity: parameters of the antibody layer and their meaning.

Before onset there is no antibody and disposition is linear. Onset (seroconversion) is a time-to-event process
driven by exposure::

    dH/dt = h0 m_imm(t) m_steroid(k) w(t) g(C),   g(C) = C/(C + C_ag) / (1 + (C/C_tol)^gamma)
    onset at the first t with  Z m_hla H(t) >= E

with one unit exponential E and one log-normal frailty Z (median 1) per patient, the same in every arm; E is another
for another drug. The hazard wanes with a half-life from the first dose on, w(t): who has tolerated a drug for long
rarely turns against it (Ungar 2014, doi:10.1136/gutjnl-2013-305259: 90 % of antibodies within the first of four
years). H stays finite, so that some never seroconvert, and ratios of hazards stay what they are: a promotion-time
cure model (Chen, Ibrahim and Sinha 1999, doi:10.1080/01621459.1999.10474196). After onset antibody is produced and
binds the drug; equations in :mod:`pkmodel.kernels.binding`.
"""

from __future__ import annotations

import functools
import math
import zlib
from dataclasses import dataclass, fields, replace
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pkmodel.draws import Draws, Stream
from pkmodel.errors import InputError, unknown_name
from pkmodel.kernels import layout as at
from pkmodel.patients import Patients

# indices within Stream.IMMUNE; part of every published result, never renumber
_E, _Z, _R_MAX, _TRANSIENT = range(4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Immunogenicity:
    """One drug's antibody layer.

    Attributes
    ----------
    h0
        Baseline onset hazard, 1/d.
    C_ag, C_tol
        Drug level (mg/L) of half-maximal stimulus, and above which high-zone tolerance sets in; infinite
        C_tol switches tolerance off.
    gamma
        Steepness of the tolerance.
    priming_half_life
        Half-life (d) with which the hazard of onset wanes from the first dose on; infinite: never.
    frailty_sd
        SD of log Z.
    hla_factor
        Conditional multiplier on the hazard for HLA-DQA1*05 carriers (covariate ``hla_dqa1_05``).
    R_max_median, R_max_sd
        Antibody production at full drive: median (mg/L/d of drug-binding capacity) and SD of its logarithm.
    tau_rise, tau_R
        Time constants with which production follows its drive, d: upwards and downwards. Antibody comes within
        weeks and goes within months.
    antibody_half_life
        Of free antibody, d.
    k_extra
        Rate by which complexes go faster than the patient's own free drug, 1/d.
    Kss
        Quasi-steady-state constant, mg/L of drug.
    transient_share, transient_half_life
        Share of seroconverters whose drive wanes, and its half-life, d.
    memory_factor
        Multiplier on tau_rise at re-exposure after washout.
    imm_onset, imm_production
        Immunomodulator at full strength: multipliers on onset hazard and production.
    imm_clearance
        Exponent on the PK model's own immunomodulator effect on CL: 1 applies it in full, 0 not at all. Part of a
        published effect is antibody that the immunomodulator kept away.
    steroid_factor
        IV hydrocortisone before a dose: multiplier on the onset hazard until the next dose.
    tgn_half, tgn_full
        6-TGN (pmol per 8e8 red cells) of half and of full immunomodulator strength.
    clearance_scale
        Factor on the published typical CL, so that patients negative by the original study's assay have the
        published clearance.
    eta_CL_scale
        Factor on the published eta of CL, for the same reason: what antibodies do to clearance is part of its
        published variability between patients.
    status
        Where the numbers come from ("first guess, uncalibrated", "calibrated on ...").
    """

    name: str
    drug: str
    h0: float
    C_ag: float
    C_tol: float
    gamma: float
    priming_half_life: float
    frailty_sd: float
    hla_factor: float
    R_max_median: float
    R_max_sd: float
    tau_rise: float
    tau_R: float
    antibody_half_life: float
    k_extra: float
    Kss: float
    transient_share: float
    transient_half_life: float
    memory_factor: float
    imm_onset: float
    imm_production: float
    imm_clearance: float
    steroid_factor: float
    tgn_half: float
    tgn_full: float
    clearance_scale: float
    eta_CL_scale: float
    status: str

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("name", "drug", "status"):
                continue
            if not isinstance(value, int | float) or math.isnan(value) or value < 0.0:
                raise InputError.one(f"{value!r} is not a non-negative number", key=field.name)
        for name in (
            "C_ag",
            "C_tol",
            "tau_rise",
            "tau_R",
            "antibody_half_life",
            "Kss",
            "priming_half_life",
            "transient_half_life",
            "memory_factor",
        ):
            if getattr(self, name) == 0.0:
                raise InputError.one("must be greater than 0", key=name)

    @classmethod
    def load(cls, name: str) -> Immunogenicity:
        """The antibody layer shipped for a drug (or read from a TOML path).

        Raises
        ------
        UnknownNameError
            With the nearest valid names.
        InputError
            For a faulty file.
        """
        return _read(name) if name.endswith(".toml") else _shipped(name)

    def with_values(self, **values: Any) -> Immunogenicity:
        """A copy with some parameters replaced, e.g. ``with_values(C_tol=math.inf)``."""
        known = {field.name for field in fields(self)}
        for name in values:
            if name not in known:
                raise unknown_name("immunogenicity parameter", name, known)
        return replace(self, **values)

    def kernel_row(self, clearance_factor: float) -> NDArray[np.float64]:
        """Parameters in the order of :mod:`pkmodel.kernels.layout`; ``clearance_factor`` is the PK model's own
        immunomodulator effect on CL."""
        row = np.empty(at.N_IMMUNE)
        row[at.H0] = self.h0
        row[at.C_AG], row[at.C_TOL], row[at.GAMMA] = self.C_ag, self.C_tol, self.gamma
        row[at.TAU_RISE], row[at.TAU_R] = self.tau_rise, self.tau_R
        row[at.K_ADA] = math.log(2.0) / self.antibody_half_life
        row[at.K_EXTRA], row[at.KSS] = self.k_extra, self.Kss
        row[at.IMM_ONSET], row[at.IMM_PRODUCTION] = self.imm_onset, self.imm_production
        row[at.IMM_CLEARANCE] = clearance_factor**self.imm_clearance
        row[at.MEMORY_FACTOR] = self.memory_factor
        row[at.WANING] = math.log(2.0) / self.priming_half_life
        return row

    def subjects(self, patients: Patients, draws: Draws) -> NDArray[np.float64]:
        """Each patient's own onset threshold, maximal production and drive rate, shape (patient, 4).

        The last column, the patient's EC50, is left to :mod:`pkmodel.response`.
        """
        ids = patients.ids
        exponential = draws.exponential(Stream.IMMUNE, ids, 1, first=_onset_index(self.drug))[:, 0]
        normal = draws.normal(Stream.IMMUNE, ids, 2, first=_Z)
        transient = draws.uniform(Stream.IMMUNE, ids, 1, first=_TRANSIENT)[:, 0] < self.transient_share
        hla = patients.covariates.get("hla_dqa1_05", np.zeros(len(patients)))
        out = np.zeros((len(patients), at.N_SUBJECT))
        frailty = np.exp(self.frailty_sd * normal[:, 0])
        out[:, at.ONSET_THRESHOLD] = exponential / (frailty * np.where(hla > 0.5, self.hla_factor, 1.0))
        out[:, at.R_MAX] = self.R_max_median * np.exp(self.R_max_sd * normal[:, 1])
        out[:, at.DRIVE_RATE] = np.where(transient, math.log(2.0) / self.transient_half_life, 0.0)
        return out

    def strength(self, tgn: NDArray[np.float64]) -> NDArray[np.float64]:
        """Immunomodulator strength (0..1) at a 6-TGN level: a Hill curve with its half effect at ``tgn_half``,
        scaled to reach 1 at ``tgn_full`` and held there."""
        hill = 2.0
        top = self.tgn_full**hill / (self.tgn_full**hill + self.tgn_half**hill)
        return np.asarray(np.minimum(tgn**hill / (tgn**hill + self.tgn_half**hill) / top, 1.0))


def _onset_index(drug: str) -> int:
    """Where a drug's onset variate lives: seroconversion to another molecule is another event. Frailty
    and production are the patient's, whatever the drug."""
    return _E if drug == "infliximab" else 1000 + zlib.crc32(drug.encode()) % 2**20


NO_LAYER = "none"
"""What a scenario writes where it simulates the PK model alone."""


def layer(name: str) -> Immunogenicity | None:
    """The antibody layer of a name or path; None for "none"."""
    return None if name == NO_LAYER else Immunogenicity.load(name)


@functools.cache
def _shipped(name: str) -> Immunogenicity:
    """What ships with the package does not change while it runs."""
    return _read(name)


def _read(name: str) -> Immunogenicity:
    from pkmodel.parameter_file import read_parameters

    path, known = _find(name)
    if path is None:
        raise unknown_name("immunogenicity", name, known)
    return Immunogenicity(**read_parameters(path, Immunogenicity))


def names() -> list[str]:
    """Names of the shipped antibody layers."""
    return _find("")[1]


def _find(name: str) -> tuple[Any, list[str]]:
    from pathlib import Path

    if name.endswith(".toml"):
        return Path(name), []
    folder = resources.files("pkmodel") / "data" / "immunogenicity"
    known = sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml"))
    return (folder / f"{name}.toml" if name in known else None), known
