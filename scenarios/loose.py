"""Read what can be read of a document that is not known to be valid, and note what is wrong with it.

What cannot be understood is passed over: :mod:`scenarios.scenario_file` reports it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from pkmodel import units
from pkmodel.errors import InputError
from pkmodel.files import KeyPath


class Problem(NamedTuple):
    """One thing wrong, and the key path it stands at."""

    path: KeyPath
    problem: str
    remedy: str


def tried(action: Callable[[], object], path: KeyPath) -> Iterator[Problem]:
    """Do something that a key asks for, and yield the faults it raises at that key."""
    try:
        action()
    except InputError as error:
        yield from told(error, path)


def told(error: InputError, path: KeyPath) -> Iterator[Problem]:
    """Yield the faults of something a key refers to; those inside another file name their place in it."""
    for fault in error.faults:
        if fault.file:
            place = f"{fault.file}:{fault.line}" if fault.line is not None else fault.file
            said = ": ".join(part for part in (place, fault.key, fault.problem) if part)
            yield Problem(path, said, fault.remedy)
        else:
            inner = tuple(part for part in fault.key.split(".") if part and part not in path)
            yield Problem((*path, *inner), fault.problem, fault.remedy)


def text_of(table: Mapping[str, Any], key: str) -> str | None:
    """Return a text that is not empty, or None."""
    value = table.get(key)
    return value if isinstance(value, str) and value else None


def time_of(table: Mapping[str, Any], key: str) -> float | None:
    """Return a time in days, or None if the key is missing or no time."""
    try:
        return units.time_d(table[key]) if isinstance(table.get(key), str) else None
    except InputError:
        return None


def numbers_in(value: object) -> list[float]:
    """Return the numbers of a list; none if it is no list."""
    listed = value if isinstance(value, list) else []
    return [float(one) for one in listed if isinstance(one, int | float) and not isinstance(one, bool)]


def tables_in(value: object) -> Iterator[Mapping[str, Any]]:
    """Yield the tables of a list, an empty one for anything else in it; none if it is no list."""
    if isinstance(value, list):
        yield from (one if isinstance(one, Mapping) else {} for one in value)
