"""One policy first, another from a time on: optimise everybody, then randomise, as TAXIT did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pkmodel import units
from pkmodel.errors import InputError
from scenarios.policies import make
from scenarios.visit import Orders, Policy, Visit


@dataclass(frozen=True, slots=True, kw_only=True)
class Phased:
    """Follow one policy, and from a time on another.

    The second one takes patients over as the first has left them: dose and interval stay until it changes them.

    Parameters
    ----------
    first, then
        The two policies, each a table with `name` and parameters.
    at
        Time from which the second one decides.
    """

    first: Mapping[str, Any]
    then: Mapping[str, Any]
    at: str
    needs_levels: bool = field(init=False, repr=False)
    needs_chart: bool = field(init=False, repr=False)
    oracle: bool = field(init=False, repr=False)
    levels_at_symptoms: float | None = field(init=False, repr=False)
    immunomodulator: str = field(init=False, repr=False)
    _at_d: float = field(init=False, repr=False)
    _parts: tuple[Policy, Policy] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        parts = (_policy(self.first, "first"), _policy(self.then, "then"))
        object.__setattr__(self, "_parts", parts)
        object.__setattr__(self, "_at_d", units.time_d(self.at))
        object.__setattr__(self, "needs_levels", any(part.needs_levels for part in parts))
        object.__setattr__(self, "needs_chart", any(getattr(part, "needs_chart", False) for part in parts))
        object.__setattr__(self, "oracle", any(getattr(part, "oracle", False) for part in parts))
        pauses = [getattr(part, "levels_at_symptoms", None) for part in parts]
        object.__setattr__(self, "levels_at_symptoms", min((one for one in pauses if one is not None), default=None))
        added = [one.immunomodulator for one in parts if hasattr(one, "immunomodulator")]
        if len(set(added)) > 1:
            raise InputError.one(f"one part adds {added[0]}, the other {added[1]}", "name the same in both", key="then")
        object.__setattr__(self, "immunomodulator", added[0] if added else "thiopurine")

    def __call__(self, visit: Visit) -> Orders:
        """Orders of the policy whose time it is."""
        return self._parts[visit.day >= self._at_d](visit)


def _policy(table: Mapping[str, Any], key: str) -> Policy:
    if not isinstance(table, Mapping) or not isinstance(table.get("name"), str):
        raise InputError.one(f"{table!r} is no policy", f'write {key} = {{ name = "fixed" }}', key=key)
    policy: Policy = make(table["name"], {name: value for name, value in table.items() if name != "name"})
    return policy
