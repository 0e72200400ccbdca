"""From a checked scenario file to the parts of a scenario."""

from __future__ import annotations

import math

from pkmodel import units
from pkmodel.cotherapy import Cotherapy
from scenarios.scenario_file import (
    AdherenceFile,
    AlternativeFile,
    ArmFile,
    AssaysFile,
    ClinicFile,
    CotherapyFile,
    TrialFile,
)
from scenarios.scenario_parts import Adherence, Alternative, Arm, AssayPanel, Clinic, TrialDesign
from scenarios.timetable import regimen

_DAYS_PER_YEAR = 365.25


def build_arm(arm: ArmFile) -> Arm:
    """An arm with its policy, drugs and clinic."""
    from scenarios import policies

    parameters = {key: value for key, value in arm.policy.items() if key != "name"}
    return Arm(
        name=arm.name,
        regimen=regimen([part.model_dump() for part in arm.dosing], premedicated=arm.premedication is not None),
        policy=policies.make(arm.policy["name"], parameters),
        cotherapy=tuple(map(_cotherapy, arm.cotherapy)),
        adherence=None if arm.adherence is None else _adherence(arm.adherence),
        clinic=_clinic(arm.clinic),
        alternatives=tuple(map(_alternative, arm.alternative)),
    )


def build_panel(assays: AssaysFile) -> AssayPanel:
    """The names of three assays."""
    return AssayPanel(drug=assays.drug, drug_sensitive=assays.drug_sensitive, drug_tolerant=assays.drug_tolerant)


def build_design(trial: TrialFile, arms: int) -> TrialDesign:
    """Who is in which of so many arms, and who leaves."""
    return TrialDesign(
        randomised=trial.design == "randomised",
        ratio=tuple(trial.ratio or [1] * arms),
        block=trial.block,
        dropout=trial.dropout_per_year / _DAYS_PER_YEAR,
    )


def _cotherapy(one: CotherapyFile) -> Cotherapy:
    until = math.inf if one.until is None else one.until
    return Cotherapy(drug=one.drug, start=one.start, until=until, share=one.share)


def _adherence(one: AdherenceFile) -> Adherence:
    return Adherence(missed=one.missed, late=one.late, late_by=one.late_by or 0.0, clustering=one.clustering)


def _clinic(one: ClinicFile) -> Clinic:
    given = one.model_dump()
    given["max_dose"] = None if one.max_dose is None else units.dose(one.max_dose)
    return Clinic(**given)


def _alternative(one: AlternativeFile) -> Alternative:
    parts = [part.model_dump() for part in one.dosing]
    return Alternative(
        drug=one.drug,
        model=one.model,
        immunogenicity=one.immunogenicity,
        assays=build_panel(one.assays),
        regimen=regimen(parts, premedicated=one.premedication is not None),
    )
