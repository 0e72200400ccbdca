"""Dosing policies by name. The file ``policies/do_something.py`` holds the policy ``do-something``: its one public
class. A new file needs no entry anywhere."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from pkmodel.errors import Fault, InputError, did_you_mean, unknown_name


def names() -> list[str]:
    """Names that a scenario file may use; nothing is imported for it."""
    return sorted(one.name.replace("_", "-") for one in pkgutil.iter_modules(__path__))


def policy_class(name: str) -> type:
    """The class behind a policy name.

    Raises
    ------
    UnknownNameError
        With the nearest valid names.
    """
    if name not in names():
        raise unknown_name("policy", name, names())
    module = importlib.import_module(f"scenarios.policies.{name.replace('-', '_')}")
    found = [
        one
        for key, one in vars(module).items()
        if isinstance(one, type) and one.__module__ == module.__name__ and not key.startswith("_")
    ]
    if len(found) != 1:
        raise TypeError(f"{module.__name__} has {len(found)} public classes; a policy file has one")
    return found[0]


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
