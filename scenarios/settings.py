"""``--set KEY=VALUE``: change a scenario document before it is checked."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pkmodel.errors import InputError, unknown_name
from pkmodel.files import KeyPath

_EXAMPLE = "write KEY=VALUE, such as window=taxit-published or arm.scheduled.adherence.missed=0.15"
_LISTS = ("arm", "dosing", "cotherapy", "alternative", "assay_change")


@dataclass(frozen=True, slots=True)
class Changed:
    """A changed document, and the words of the command line that each changed key path comes from."""

    document: dict[str, Any]
    origin: dict[KeyPath, str]


def apply_settings(document: Mapping[str, Any], settings: Sequence[str], *, window: str | None = None) -> Changed:
    """Return a copy of ``document`` with each ``KEY=VALUE`` put in, in order, and last the window.

    Messages name a setting as the command line has it, ``--set KEY=VALUE`` or ``--window NAME``.

    Raises
    ------
    InputError
        If a setting is not KEY=VALUE or its key leads nowhere.  Values are not checked here.
    """
    changed = Changed(copy.deepcopy(dict(document)), {})
    for setting in settings:
        key, equals, value = setting.partition("=")
        parts = [part.strip() for part in key.split(".")]
        if not equals or not all(parts) or not value.strip():
            raise InputError.one(f"'{setting}' is not KEY=VALUE", _EXAMPLE, file=_place(setting))
        path = _put(changed.document, parts, _parsed(value.strip()), setting)
        changed.origin[path] = _place(setting)
    if window is not None:
        changed.document["window"] = window
        changed.origin[("window",)] = f"--window {window}"
    return changed


def as_settings_error(error: InputError, changed: Changed, name: str) -> InputError:
    """Say which setting the faults of a changed document come from: the user's file has no such lines."""
    faults = []
    for fault in error.faults:
        setting = next((one for path, one in changed.origin.items() if _concerns(path, fault.key)), None)
        file = setting or f"{name} with {' '.join(changed.origin.values())}"
        faults.append(replace(fault, file=file, line=None))
    return InputError(faults)


def _concerns(path: KeyPath, key: str) -> bool:
    changed, told = list(map(str, path)), key.split(".")
    length = min(len(changed), len(told))
    return changed[:length] == told[:length]


def _place(setting: str) -> str:
    return f"--set {setting}"


def _parsed(value: str) -> object:
    """A TOML value if it is one, else the text itself."""
    try:
        parsed = tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        return value
    return parsed["value"] if len(parsed) == 1 and "\n" not in value else value


def _put(document: dict[str, Any], parts: list[str], value: object, setting: str) -> KeyPath:
    """Put ``value`` in place and return its key path; tables and entries on the way are made if missing."""
    at: Any = document
    path: KeyPath = ()
    for depth, part in enumerate(parts):
        last = depth == len(parts) - 1
        key = _index(at, part, parts[:depth], setting) if isinstance(at, list) else part
        if not isinstance(at, list | dict):
            problem = f"'{'.'.join(parts[:depth])}' is {at!r} and holds no keys"
            raise InputError.one(problem, "shorten the key", file=_place(setting))
        path = (*path, key)
        if last:
            _assign(at, key, value)
            break
        if isinstance(at, dict) and key == "policy" and isinstance(at.get(key), str):
            at[key] = {"name": at[key]}  # policy = "fixed" is short for a table with a name
        if isinstance(at, dict) and key not in at:
            at[key] = [] if key in _LISTS else {}
        elif isinstance(at, list) and key == len(at):
            at.append({})
        at = at[key]
    return path


def _assign(at: Any, key: str | int, value: object) -> None:
    if isinstance(at, list) and key == len(at):
        at.append(value)
    else:
        at[key] = value


def _index(at: list[Any], part: str, before: list[str], setting: str) -> int:
    """Index of a list entry given by number, or by its name as arms have one."""
    if part.isascii() and part.isdecimal():
        if int(part) <= len(at):
            return int(part)
        problem = f"'{'.'.join(before)}' has {len(at)} entries, numbered from 0; there is no {part}"
        raise InputError.one(problem, f"use 0 to {len(at)}", file=_place(setting))
    names = [str(entry.get("name", "")) for entry in at if isinstance(entry, dict)]
    if part in names:
        return names.index(part)
    if any(names):
        raise unknown_name(before[-1], part, names, file=_place(setting))
    problem = f"'{part}' is no entry of '{'.'.join(before)}'"
    raise InputError.one(problem, f"write a number from 0 to {len(at)}", file=_place(setting))
