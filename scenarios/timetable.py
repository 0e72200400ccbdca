"""From the ``[[arm.dosing]]`` parts of a scenario file to a regimen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pkmodel.regimen import Regimen


def regimen(parts: Sequence[Mapping[str, Any]], *, premedicated: bool = False) -> Regimen:
    """Return the regimen of an arm.

    Parameters
    ----------
    parts
        In order of time, each a mapping with ``dose`` and either ``weeks`` or ``every`` and ``until`` (and
        perhaps ``start``), optionally ``route`` and ``infusion``: texts with units, as in the file.  A
        repetition without ``start`` begins one interval after the last dose before it, or at day 0.
    premedicated
        Give IV hydrocortisone immediately before every dose.

    Raises
    ------
    InputError
        If parts overlap or leave room for no dose.
    """
    whole = _part(parts[0])
    for part in parts[1:]:
        whole = whole.then(_part(part))
    return whole.premedicated() if premedicated else whole


def _part(part: Mapping[str, Any]) -> Regimen:
    given = {key: part[key] for key in ("route", "infusion") if part.get(key) is not None}
    if part.get("weeks") is not None:
        return Regimen.induction(part["dose"], weeks=part["weeks"], **given)
    return Regimen.every(part["every"], dose=part["dose"], until=part["until"], start=part.get("start"), **given)
