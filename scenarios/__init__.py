"""scenarios: what is done to patients. Cohorts, arms, policies, virtual trials and their scores."""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "Cohort": "cohorts",
    "Scenario": "scenario",
    "run": "running",
    "score": "scoring",
    "compare": "comparing",
    "Visit": "visit",
    "Orders": "visit",
    "Ledger": "ledger",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'scenarios' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"scenarios.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
