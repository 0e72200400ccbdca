"""Target windows for trough concentrations: published ranges as data, and what it means to be inside one."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from pkmodel import units
from pkmodel.errors import InputError, unknown_name
from pkmodel.files import FileModel, read_toml

_FILE = Path(__file__).parent / "data" / "windows.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetWindow:
    """A range of trough concentrations that somebody recommends.

    Attributes
    ----------
    name, drug, phase
        Identification; the phase is text such as "maintenance" or "week 14".
    low, high
        Bounds in mg/L, both inside; ``high`` is infinite for a lower bound alone.
    kind
        "window" (two bounds), or "minimum", "clinical minimum" or "mucosal minimum" (one bound).
    source, status
        Who recommends it, and whether that was READ at the source or is from MEMORY.

    Raises
    ------
    InputError
        If the bounds are not 0 <= low < high.
    """

    name: str
    drug: str
    phase: str = ""
    low: float
    high: float = math.inf
    kind: str = "window"
    source: str = ""
    status: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and 0 <= self.low < self.high):
            problem = f"window '{self.name}' from {self.low:g} to {self.high:g} mg/L"
            raise InputError.one(problem, "expected 0 <= low < high", key="window")

    def classify(self, values: NDArray[np.float64], blq: NDArray[np.bool_] | None = None) -> NDArray[np.int8]:
        """Return -1 below, 0 inside and 1 above the window, for concentrations of any shape in mg/L.

        Parameters
        ----------
        values
            Concentrations; NaN is allowed where ``blq`` is true.
        blq
            True where the assay found less than its lower limit of quantification.  That counts as below,
            whatever stands in ``values``, and is only right while the limit is not above ``low``.

        Raises
        ------
        InputError
            If a value is missing without being below the limit of quantification, or shapes differ.
        """
        values = np.asarray(values, dtype=np.float64)
        below_limit = np.zeros(values.shape, dtype=bool) if blq is None else np.asarray(blq, dtype=bool)
        if below_limit.shape != values.shape:
            problem = f"blq has shape {below_limit.shape}, values {values.shape}"
            raise InputError.one(problem, "give one flag for each value", key="blq")
        missing = np.isnan(values) & ~below_limit
        if missing.any():
            problem = f"{int(missing.sum())} of {values.size} concentrations are missing without being BLQ"
            raise InputError.one(problem, "leave out visits without a sample before classifying", key="values")
        code = (values > self.high).astype(np.int8) - (values < self.low).astype(np.int8)
        code[below_limit] = -1
        return code

    def __str__(self) -> str:
        bounds = f"{self.low:g}-{self.high:g}" if math.isfinite(self.high) else f">= {self.low:g}"
        return f"{self.name}: {bounds} ug/mL"


def windows(drug: str | None = None) -> list[str]:
    """Return the names of all windows, or of those for one drug, sorted."""
    return sorted(name for name, window in _library().items() if drug in (None, window.drug))


def load(name: str, drug: str | None = None) -> TargetWindow:
    """Return a window by name.

    Parameters
    ----------
    drug
        The drug it is to be used for; None to skip that check.

    Raises
    ------
    UnknownNameError
        If there is no such window.
    InputError
        If the window belongs to another drug.
    """
    if name not in _library():
        raise unknown_name("window", name, windows(drug))
    window = _library()[name]
    if drug is not None and window.drug != drug:
        problem = f"window '{name}' is for {window.drug}, not {drug}"
        raise InputError.one(problem, f"windows for {drug}: {', '.join(windows(drug)) or 'none'}", key="window")
    return window


_High = Annotated[float, Field(allow_inf_nan=True)]  # a lower bound alone has no high end


class _Window(FileModel):
    name: str = Field(min_length=1)
    drug: str = Field(min_length=1)
    phase: str
    range: Annotated[tuple[float, _High], BeforeValidator(units.window)]
    kind: Literal["window", "minimum", "clinical minimum", "mucosal minimum"]
    source: str = Field(min_length=3)
    status: str = Field(min_length=3)
    evidence: str = ""


class _WindowFile(FileModel):
    window: list[_Window]


@functools.cache
def _library() -> dict[str, TargetWindow]:
    return {
        entry.name: TargetWindow(
            name=entry.name,
            drug=entry.drug,
            phase=entry.phase,
            low=entry.range[0],
            high=entry.range[1],
            kind=entry.kind,
            source=entry.source,
            status=entry.status,
        )
        for entry in read_toml(_FILE, _WindowFile).window
    }
