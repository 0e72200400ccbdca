"""The library of published models: one TOML file each, read into :class:`pkmodel.drug.PopulationModel`.

The contents of a file are in :mod:`pkmodel.model_file`.
"""

from __future__ import annotations

import functools
from pathlib import Path

from pkmodel.drug import PopulationModel
from pkmodel.errors import unknown_name
from pkmodel.files import parse_toml, read_text
from pkmodel.model_file import ModelFile

_DIRECTORY = Path(__file__).parent / "data" / "models"


def models() -> list[str]:
    """Return the names of all models that come with the package, sorted."""
    return sorted(path.stem for path in _DIRECTORY.glob("*.toml"))


def load(name_or_path: str | Path) -> PopulationModel:
    """Return a model of the library by name, or one of your own by its path (ending in ``.toml``).

    Raises
    ------
    UnknownNameError
        If the library has no such model; the nearest name is offered.
    InputError
        With every fault of the file.
    """
    if isinstance(name_or_path, Path) or name_or_path.endswith(".toml"):
        return parse(read_text(name_or_path), file=str(name_or_path))
    return _from_library(name_or_path)


def cite(name: str) -> str:
    """Return the BibTeX entry of a model, its name being the key."""
    model = load(name)
    return model.citation.bibtex(key=model.name)


def parse(text: str, *, file: str = "<text>") -> PopulationModel:
    """Return the model that a TOML text describes; ``file`` is the name that messages carry.

    Raises
    ------
    InputError
        With every fault of the text.
    """
    return parse_toml(text, ModelFile, file=file).build(text)


@functools.cache
def _from_library(name: str) -> PopulationModel:
    if name not in models():
        raise unknown_name("model", name, models())
    path = _DIRECTORY / f"{name}.toml"
    return parse(read_text(path), file=path.name)
