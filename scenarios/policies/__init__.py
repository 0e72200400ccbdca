"""Dosing policies by name. One file each; a policy file may define its own and needs no entry elsewhere
than in :data:`_MODULES`."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from pkmodel.errors import Fault, InputError, did_you_mean, unknown_name

_MODULES = {
    "fixed": "fixed:Fixed",
    "episodic": "episodic:Episodic",
    "escalate-on-loss": "escalate:EscalateOnLoss",
    "phased": "phased:Phased",
    "target-window": "target_window:AdjustToWindow",
}


def names() -> list[str]:
    """Names that a scenario file may use."""
    return sorted(_MODULES)


def policy_class(name: str) -> type:
    """The class behind a policy name.

    Raises
    ------
    UnknownNameError
        With the nearest valid names.
    """
    if name not in _MODULES:
        raise unknown_name("policy", name, _MODULES)
    module, attribute = _MODULES[name].split(":")
    found: type = getattr(importlib.import_module(f"scenarios.policies.{module}"), attribute)
    return found


def make(name: str, parameters: Mapping[str, Any] | None = None) -> Any:
    """A policy from its name and the parameters of a scenario file (texts with units).

    Raises
    ------
    UnknownNameError, InputError
        For an unknown policy, unknown or missing parameters, or values a policy refuses.
    """
    kind = policy_class(name)
    parameters = dict(parameters or {})
    known = {field.name for field in fields(kind) if field.init}
    faults = [
        Fault(key=key, problem=f"policy '{name}' has no parameter '{key}'", remedy=did_you_mean(key, known))
        for key in parameters
        if key not in known
    ]
    faults += [
        Fault(key=field.name, problem=f"policy '{name}' needs '{field.name}'", remedy="add it")
        for field in fields(kind)
        if field.init and field.default is MISSING and field.default_factory is MISSING and field.name not in parameters
    ]
    if faults:
        raise InputError(faults)
    return kind(**parameters)
