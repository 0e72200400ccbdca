"""The file door for parameter sets (antibody layers, exposure-response): TOML in, checked numbers out."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from pydantic import Field

from pkmodel.errors import Fault, InputError, did_you_mean
from pkmodel.files import FileModel, read_toml


class ParameterEntry(FileModel):
    """One number with its unit, where it comes from and how far it may be trusted."""

    value: float = Field(ge=0.0)
    unit: str
    source: str


class ParameterFile(FileModel):
    """A named parameter set of one drug."""

    format: int = Field(ge=1, le=1)
    name: str
    drug: str
    status: str
    notes: str = ""
    parameters: dict[str, ParameterEntry]


def read_parameters(path: Any, kind: type) -> dict[str, Any]:
    """Keyword arguments for dataclass ``kind`` from a parameter file.

    Raises
    ------
    InputError
        For unknown, missing or faulty entries, all at once.
    """
    content = read_toml(path, ParameterFile)
    wanted = [field.name for field in fields(kind) if field.name not in ("name", "drug", "status")]
    faults = [
        Fault(
            file=str(path),
            key=f"parameters.{key}",
            problem="unknown parameter",
            remedy=did_you_mean(key, wanted),
        )
        for key in content.parameters
        if key not in wanted
    ]
    faults += [
        Fault(file=str(path), key=f"parameters.{key}", problem="missing", remedy="give value, unit and source")
        for key in wanted
        if key not in content.parameters
    ]
    if faults:
        raise InputError(faults)
    values = {key: entry.value for key, entry in content.parameters.items()}
    return {"name": content.name, "drug": content.drug, "status": content.status, **values}
