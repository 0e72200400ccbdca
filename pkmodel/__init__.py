"""pkmodel: virtual trials of biologic dosing in inflammatory bowel disease. Not for treating patients.

The everyday names live here and are imported when first used, so that ``import pkmodel`` and the command line
stay quick.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "load": "library",
    "models": "library",
    "cite": "library",
    "PopulationModel": "drug",
    "Structure": "structure",
    "OwnEquations": "own_equations",
    "Patients": "patients",
    "TimeCourse": "patients",
    "ClearanceChange": "patients",
    "Regimen": "regimen",
    "Dose": "regimen",
    "Immunogenicity": "antibody",
    "Response": "response",
    "Cotherapy": "cotherapy",
    "Draws": "draws",
    "Stream": "draws",
    "DrugAssay": "assay",
    "AntibodyAssay": "assay",
    "load_drug_assay": "assay",
    "load_antibody_assay": "assay",
    "TargetWindow": "windows",
    "State": "state",
    "Events": "state",
    "start": "simulation",
    "advance": "simulation",
    "switch": "switching",
    "simulate": "simulation",
    "PkError": "errors",
    "InputError": "errors",
    "PkWarning": "errors",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'pkmodel' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"pkmodel.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
