"""The shape of a disposition model and the fixed order of its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pkmodel.errors import Fault, InputError, unknown_name

PARAMETERS = ("CL", "V1", "Q", "V2", "KA", "F", "LAG")
"""Columns of the (patient, parameter) matrix ``theta`` that every model has."""

FURTHER = ("Q3", "V3", "VMAX", "KM", "D1")
"""Columns behind them in a model with a third compartment, saturable elimination or zero-order absorption."""

ALL_PARAMETERS = (*PARAMETERS, *FURTHER)

UNITS: Mapping[str, str] = MappingProxyType(
    {
        "CL": "L/day", "V1": "L", "Q": "L/day", "V2": "L", "KA": "1/day", "F": "fraction", "LAG": "day",
        "Q3": "L/day", "V3": "L", "VMAX": "mg/day", "KM": "mg/L", "D1": "day",
    }
)  # fmt: skip
"""Internal unit of each parameter."""

COLUMN: Mapping[str, int] = MappingProxyType({name: index for index, name in enumerate(ALL_PARAMETERS)})
"""Column of each parameter in ``theta``."""

ROUTES = ("iv", "sc")
ELIMINATIONS = ("linear", "michaelis-menten", "both")
ABSORPTIONS = ("first-order", "zero-order")

# What a parameter is where the structure has no use for it; V2 = 1 keeps Q/V2 defined at Q = 0.
_UNUSED: Mapping[str, float] = MappingProxyType(
    {
        "CL": 0.0, "Q": 0.0, "V2": 1.0, "KA": 0.0, "F": 1.0, "LAG": 0.0,
        "Q3": 0.0, "V3": 1.0, "VMAX": 0.0, "KM": 1.0, "D1": 0.0,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """Disposition with one to three compartments, given by infusion and/or absorbed from a site of injection.

    Attributes
    ----------
    compartments
        1 (central), 2 (and a peripheral one) or 3 (and a second peripheral one; both exchange with the central one).
    routes
        "iv", "sc" or both; the first is the default of a dose that names none.
    elimination
        "linear" (CL), "michaelis-menten" (VMAX, KM) or "both" in parallel.
    absorption
        Of a subcutaneous dose: "first-order" (KA) or "zero-order" (at a constant rate for D1 days).

    Raises
    ------
    InputError
        For another number of compartments, unknown words, or no, unknown or repeated routes.
    """

    compartments: int
    routes: tuple[str, ...]
    elimination: str = "linear"
    absorption: str = "first-order"

    def __post_init__(self) -> None:
        if self.compartments not in (1, 2, 3):
            raise InputError.one(f"{self.compartments} compartments", "a structure has 1, 2 or 3", key="compartments")
        known = set(self.routes) <= set(ROUTES)
        if not self.routes or not known or len(set(self.routes)) < len(self.routes):
            raise InputError.one(f"routes {list(self.routes)}", "name 'iv', 'sc' or both, once each", key="routes")
        if self.elimination not in ELIMINATIONS:
            raise unknown_name("elimination", self.elimination, ELIMINATIONS, key="elimination")
        if self.absorption not in ABSORPTIONS:
            raise unknown_name("absorption", self.absorption, ABSORPTIONS, key="absorption")
        if self.absorption == "zero-order" and "sc" not in self.routes:
            remedy = "leave absorption out, or add 'sc' to the routes"
            raise InputError.one("zero-order absorption, but nothing is absorbed", remedy, key="absorption")

    @property
    def closed_form(self) -> bool:
        """Whether amounts are sums of exponentials that the closed-form kernels know."""
        return self.compartments < 3 and self.elimination == "linear"

    @property
    def parameters(self) -> tuple[str, ...]:
        """Columns of ``theta``: ``PARAMETERS``, and ``FURTHER`` where one of those is needed."""
        return PARAMETERS if self.closed_form and self.absorption == "first-order" else ALL_PARAMETERS

    @property
    def required(self) -> tuple[str, ...]:
        """Parameters that a model of this structure must state, in column order."""
        return tuple(name for name in ALL_PARAMETERS if name not in self._defaults())

    def complete(self, typical: Mapping[str, float]) -> dict[str, float]:
        """Return all parameters in column order, those without a use here at their neutral value.

        Raises
        ------
        InputError
            With every parameter that is unknown, missing, out of range or has no use in this structure.
        """
        defaults = self._defaults()
        values = {name: float(typical.get(name, defaults.get(name, 0.0))) for name in ALL_PARAMETERS}
        faults = [
            Fault(key=name, problem="unknown parameter", remedy=f"parameters are {', '.join(ALL_PARAMETERS)}")
            for name in typical
            if name not in ALL_PARAMETERS
        ]
        for name in self.required:
            if not 0 < values[name] < float("inf"):
                problem = f"is {values[name]:g}" if name in typical else "is missing"
                faults.append(Fault(key=name, problem=problem, remedy=f"give a positive value in {UNITS[name]}"))
        if "sc" in self.routes and not 0 <= values["LAG"] < float("inf"):
            faults.append(Fault(key="LAG", problem=f"is {values['LAG']:g}", remedy="give a time of zero days or more"))
        for name in defaults:
            if values[name] != defaults[name] and not (name == "LAG" and "sc" in self.routes):
                remedy = "leave it out, or change compartments, routes, elimination or absorption"
                faults.append(Fault(key=name, problem=f"has no use in a {self} model", remedy=remedy))
        if faults:
            raise InputError(faults)
        return {name: values[name] for name in self.parameters}

    def _defaults(self) -> dict[str, float]:
        used = {"V1"}
        used |= {"Q", "V2"} if self.compartments > 1 else set()
        used |= {"Q3", "V3"} if self.compartments > 2 else set()
        used |= {"CL"} if self.elimination != "michaelis-menten" else set()
        used |= {"VMAX", "KM"} if self.elimination != "linear" else set()
        if "sc" in self.routes:
            used |= {"F", "KA" if self.absorption == "first-order" else "D1"}
        return {name: _UNUSED[name] for name in ALL_PARAMETERS if name not in used}

    def __str__(self) -> str:
        extras = [f"{self.elimination} elimination"] if self.elimination != "linear" else []
        extras += [f"{self.absorption} absorption"] if self.absorption != "first-order" else []
        return " ".join([f"{self.compartments}-compartment {'/'.join(self.routes)}", *extras])
