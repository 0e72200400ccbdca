"""Read a scenario text: both passes of checks, one list of faults."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pkmodel.errors import Fault, InputError
from pkmodel.files import KeyPath, line_numbers, parse_toml
from scenarios.references import REFERENCES, is_path
from scenarios.scenario_checks import problems
from scenarios.scenario_file import ScenarioFile


def read_document(text: str, *, file: str, folder: Path) -> tuple[dict[str, Any], ScenarioFile]:
    """Return a scenario text as a document with absolute paths, and as checked content.

    Raises
    ------
    InputError
        With every fault of the text: those of single keys and those of keys together, in order of lines.
    """
    faults: list[Fault] = []
    content = None
    try:
        content = parse_toml(text, ScenarioFile, file=file)
    except InputError as error:
        faults += error.faults
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise InputError(faults) from None
    for key in REFERENCES:
        if isinstance(value := document.get(key), str) and is_path(value):
            document[key] = str((folder / value).resolve())
    faults += _meaning(document, text, file)
    if faults or content is None:
        unique = dict.fromkeys(sorted(faults, key=lambda fault: fault.line or 0))
        raise InputError(unique)
    return document, content.model_copy(update={key: document[key] for key in REFERENCES})


def _meaning(document: dict[str, Any], text: str, file: str) -> list[Fault]:
    lines = line_numbers(text)
    return [
        Fault(
            problem=one.problem,
            remedy=one.remedy,
            key=".".join(map(str, one.path)),
            file=file,
            line=_line(one.path, lines),
        )
        for one in problems(document)
    ]


def _line(path: KeyPath, lines: dict[KeyPath, int]) -> int:
    """Line of the longest part of a key path that the text spells out."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)
