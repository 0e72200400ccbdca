"""The door for files: TOML text goes in, a checked object comes out, or every fault of the file at once.

pydantic checks; this module adds what it lacks: line numbers (no TOML library reports them), the nearest
valid key, and one error for the whole file.  Subclass :class:`FileModel` for anything read from a file.
"""

from __future__ import annotations

import re
import tomllib
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import pydantic

from pkmodel.errors import Fault, InputError, did_you_mean, nearest

__all__ = ["FileModel", "line_numbers", "nearest", "parse_toml", "read_text", "read_toml"]

KeyPath = tuple[str | int, ...]
_Model = TypeVar("_Model", bound=pydantic.BaseModel)


class FileModel(pydantic.BaseModel):
    """Base of all file contents: nothing coerced or ignored, no NaN or infinity, immutable."""

    model_config = pydantic.ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


def read_toml(path: str | Path, model: type[_Model]) -> _Model:
    """Read a TOML file as ``model``.

    Raises
    ------
    InputError
        With all faults of the file: file, line, key, problem, remedy.
    """
    return parse_toml(read_text(path), model, file=str(path))


def read_text(path: str | Path) -> str:
    """Return the text of a UTF-8 file.

    Raises
    ------
    InputError
        If the file is missing, not a file, unreadable or not UTF-8.
    """
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError.one("there is no such file", "check the path", file=str(path)) from None
    except UnicodeDecodeError as error:
        problem = f"not UTF-8 text (byte {error.start})"
        raise InputError.one(problem, "save it as UTF-8", file=str(path)) from None
    except OSError as error:
        raise InputError.one(f"cannot be read ({error.strerror})", "check the path", file=str(path)) from None


def parse_toml(text: str, model: type[_Model], file: str = "<text>") -> _Model:
    """Read TOML text as ``model``; ``file`` is the name that messages carry.

    Raises
    ------
    InputError
        With all faults of the text: file, line, key, problem, remedy.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError([_syntax_fault(str(error), text, file)]) from None
    try:
        return model.model_validate(content)
    except pydantic.ValidationError as error:
        lines = line_numbers(text)
        faults = [fault for detail in error.errors() for fault in _faults(detail, model, lines, file)]
        raise InputError(sorted(faults, key=lambda fault: fault.line or 0)) from None


def _syntax_fault(message: str, text: str, file: str) -> Fault:
    found = re.search(r"\s*\(at (?:line (\d+), column \d+|end of document)\)", message)
    line = int(found[1]) if found and found[1] else len(text.splitlines())
    problem = message[: found.start()] if found else message
    return Fault(problem=f"not TOML: {problem}", remedy="see https://toml.io", file=file, line=line)


def _faults(detail: Any, model: type[pydantic.BaseModel], lines: dict[KeyPath, int], file: str) -> Iterator[Fault]:
    """Turn one pydantic error into our faults."""
    loc: KeyPath = detail["loc"]
    key, line = ".".join(map(str, loc)), _line_of(loc, lines)
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, InputError):
        for fault in cause.faults:
            inner = ".".join(part for part in (key, fault.key) if part)
            parts = tuple(int(part) if part.isdigit() else part for part in fault.key.split(".") if part)
            line = _line_of(loc + parts, lines)
            yield Fault(problem=fault.problem, remedy=fault.remedy, key=inner, file=file, line=line)
    elif detail["type"] == "missing":
        yield Fault(problem="missing", remedy="add this key", key=key, file=file, line=line)
    elif detail["type"] == "extra_forbidden":
        remedy = did_you_mean(str(loc[-1]), _valid_keys(model, loc[:-1]), what="valid keys")
        yield Fault(problem="unknown key", remedy=remedy, key=key, file=file, line=line)
    else:
        expected = detail["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
        given = repr(detail["input"])
        given = given if len(given) <= 60 else given[:57] + "..."
        yield Fault(problem=f"got {given}", remedy=expected, key=key, file=file, line=line)


def _valid_keys(model: type[pydantic.BaseModel], path: KeyPath) -> list[str]:
    """Return the keys that the part of ``model`` at ``path`` knows; several for a union of models."""
    kinds: list[Any] = list(_alternatives(model))
    for part in path:
        named = [kind for kind in kinds if getattr(kind, "__name__", None) == part]
        # pydantic puts the chosen alternative of a union into the path: it narrows, it does not descend
        kinds = named or [inner for kind in kinds for inner in _inside(kind, part)]
    return sorted({key for kind in kinds for key in _fields(kind)})


def _inside(kind: Any, part: str | int) -> Iterator[Any]:
    if typing.get_origin(kind) in (list, tuple, dict):
        yield from _alternatives(typing.get_args(kind)[-1 if typing.get_origin(kind) is dict else 0])
    elif part in _fields(kind):
        yield from _alternatives(_fields(kind)[str(part)].annotation)


def _alternatives(kind: Any) -> Iterator[Any]:
    """Look through Annotated, Optional and unions."""
    if typing.get_origin(kind) is typing.Annotated:
        yield from _alternatives(typing.get_args(kind)[0])
    elif typing.get_origin(kind) in (typing.Union, types.UnionType):
        for one in typing.get_args(kind):
            yield from _alternatives(one)
    else:
        yield kind


def _fields(kind: Any) -> dict[str, Any]:
    if not (isinstance(kind, type) and issubclass(kind, pydantic.BaseModel)):
        return {}
    return {field.alias or name: field for name, field in kind.model_fields.items()}


def _line_of(path: KeyPath, lines: dict[KeyPath, int]) -> int:
    """Return the line of the longest known part of a key path; a missing key gets that of its table."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r"""[ \t]*(?:"((?:[^"\\\n]|\\.)*)"|'([^'\n]*)'|([A-Za-z0-9_-]+))[ \t]*""")
# One piece of a value: a string (four kinds), a comment, a bracket, an end of line, or other text.
_PIECE = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
    r"|#[^\n]*|[\[\]{}]|\n|[^\"'#\[\]{}\n]+",
    re.DOTALL,
)


def line_numbers(text: str) -> dict[KeyPath, int]:
    """Return the line (from 1) on which each key, table and entry of an array of tables of valid TOML starts.

    Keys inside inline tables are not listed; they stand on the line of the key that holds them.
    """
    lines: dict[KeyPath, int] = {}
    counts: dict[KeyPath, int] = {}  # entries so far of each array of tables
    table: KeyPath = ()
    at = _skip(_BLANK, text, 0)
    while at < len(text):
        line = text.count("\n", 0, at) + 1
        brackets = 2 if text.startswith("[[", at) else 1 if text[at] == "[" else 0
        parts, at = _dotted_key(text, at + brackets)
        if brackets:
            table = _table_path(parts, counts, new_entry=brackets == 2)
            lines.setdefault(table, line)
            at += brackets
        else:
            for length in range(1, len(parts) + 1):
                lines.setdefault(table + parts[:length], line)
            at = _after_value(text, at + 1)
        at = _skip(_BLANK, text, at)
    return lines


def _dotted_key(text: str, at: int) -> tuple[tuple[str, ...], int]:
    parts: list[str] = []
    while found := _KEY.match(text, at):
        parts.append(next(group for group in found.groups() if group is not None))
        at = found.end()
        if not text.startswith(".", at):
            break
        at += 1
    return tuple(parts), at


def _table_path(parts: tuple[str, ...], counts: dict[KeyPath, int], *, new_entry: bool) -> KeyPath:
    """Return the path of a table header with the index of the current entry behind each array of tables."""
    path: KeyPath = ()
    for part in parts[:-1]:
        path += (part,)
        if path in counts:
            path += (counts[path] - 1,)
    path += (parts[-1],)
    if new_entry:
        counts[path] = counts.get(path, 0) + 1
        path += (counts[path] - 1,)
    return path


def _after_value(text: str, at: int) -> int:
    """Return the position behind a value: the first end of line outside strings and brackets."""
    depth = 0
    while found := _PIECE.match(text, at):
        piece, at = found[0], found.end()
        depth += (piece in "[{") - (piece in "]}")
        if piece == "\n" and depth == 0:
            break
    return at


def _skip(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at
