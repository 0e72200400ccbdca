"""The shape of a disposition model and the fixed order of its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pkmodel.errors import Fault, InputError

PARAMETERS = ("CL", "V1", "Q", "V2", "KA", "F", "LAG")
"""Column order of every (patient, parameter) matrix ``theta``."""

UNITS: Mapping[str, str] = MappingProxyType(
    {"CL": "L/day", "V1": "L", "Q": "L/day", "V2": "L", "KA": "1/day", "F": "fraction", "LAG": "day"}
)
"""Internal unit of each parameter."""

COLUMN: Mapping[str, int] = MappingProxyType({name: index for index, name in enumerate(PARAMETERS)})
"""Column of each parameter in ``theta``."""

ROUTES = ("iv", "sc")

# What a parameter is where the structure has no use for it; V2 = 1 keeps Q/V2 defined at Q = 0.
_UNUSED: Mapping[str, float] = MappingProxyType({"Q": 0.0, "V2": 1.0, "KA": 0.0, "F": 1.0, "LAG": 0.0})


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """Linear disposition with one or two compartments, given by infusion and/or first-order absorption.

    Attributes
    ----------
    compartments
        1 (central) or 2 (central and peripheral).
    routes
        "iv", "sc" or both; the first is the default of a dose that names none.

    Raises
    ------
    InputError
        For another number of compartments, or no, unknown or repeated routes.
    """

    compartments: int
    routes: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.compartments not in (1, 2):
            raise InputError.one(f"{self.compartments} compartments", "a structure has 1 or 2", key="compartments")
        known = set(self.routes) <= set(ROUTES)
        if not self.routes or not known or len(set(self.routes)) < len(self.routes):
            raise InputError.one(f"routes {list(self.routes)}", "name 'iv', 'sc' or both, once each", key="routes")

    @property
    def required(self) -> tuple[str, ...]:
        """Parameters that a model of this structure must state, in column order."""
        return tuple(name for name in PARAMETERS if name not in self._defaults())

    def complete(self, typical: Mapping[str, float]) -> dict[str, float]:
        """Return all seven parameters in column order, those without a use here at their neutral value.

        Raises
        ------
        InputError
            With every parameter that is unknown, missing, out of range or has no use in this structure.
        """
        defaults = self._defaults()
        values = {name: float(typical.get(name, defaults.get(name, 0.0))) for name in PARAMETERS}
        faults = [
            Fault(key=name, problem="unknown parameter", remedy=f"parameters are {', '.join(PARAMETERS)}")
            for name in typical
            if name not in PARAMETERS
        ]
        for name in self.required:
            if not 0 < values[name] < float("inf"):
                problem = f"is {values[name]:g}" if name in typical else "is missing"
                faults.append(Fault(key=name, problem=problem, remedy=f"give a positive value in {UNITS[name]}"))
        if "sc" in self.routes and not 0 <= values["LAG"] < float("inf"):
            faults.append(Fault(key="LAG", problem=f"is {values['LAG']:g}", remedy="give a time of zero days or more"))
        for name in defaults:
            if values[name] != defaults[name] and not (name == "LAG" and "sc" in self.routes):
                remedy = "leave it out, or change compartments or routes"
                faults.append(Fault(key=name, problem=f"has no use in a {self} model", remedy=remedy))
        if faults:
            raise InputError(faults)
        return values

    def _defaults(self) -> dict[str, float]:
        unused = [] if self.compartments == 2 else ["Q", "V2"]
        unused += ["LAG"] if "sc" in self.routes else ["KA", "F", "LAG"]
        return {name: _UNUSED[name] for name in unused}

    def __str__(self) -> str:
        return f"{self.compartments}-compartment {'/'.join(self.routes)}"
