"""What there is to choose from, for ``pkmodel list`` and ``pkmodel show``.

Lists of files read only the titles, with nothing but the standard library: they must come at once.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

Entries = dict[str, str]
"""Name to one line of text."""

_HERE = Path(__file__).parent / "data"
_PAGES = Path(__file__).parent / "lesson" / "data"


def listing(kind: str) -> Entries:
    """Return what there is of a kind (a key of :data:`KINDS`), by name."""
    return KINDS[kind]()


def describe(name: str) -> str:
    """Return the full text of anything with a name; where several kinds share it, all of them.

    Raises
    ------
    UnknownNameError
        If nothing has that name.
    """
    found = [(kind, text(name)) for kind, text in _TEXTS.items() if name in KINDS[kind]()]
    if not found:
        from pkmodel.errors import unknown_name

        raise unknown_name("name", name, {name for kind in KINDS.values() for name in kind()})
    if len(found) == 1:
        return found[0][1]
    return "\n".join(f"# {kind.removesuffix('s')} {name}\n\n{text}" for kind, text in found)


def table(entries: Entries) -> Iterator[str]:
    """Yield one line per entry, names and texts in columns."""
    width = max(map(len, entries), default=0)
    for name, text in entries.items():
        yield f"{name:<{width}}  {text}".rstrip()


def _model_directory() -> Path:
    # Asking where the package is does not import it.
    spec = find_spec("pkmodel")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(next(iter(spec.submodule_search_locations))) / "data" / "models"


def _titles(directory: Path) -> Entries:
    paths = sorted(directory.glob("*.toml"))
    return {path.stem: tomllib.loads(path.read_text(encoding="utf-8")).get("title", "") for path in paths}


def _scenarios() -> Entries:
    return _titles(_HERE)


def _cohorts() -> Entries:
    return _titles(_HERE / "cohorts")


def _models() -> Entries:
    return _titles(_model_directory())


def _pages() -> Entries:
    return _titles(_PAGES)


def _policies() -> Entries:
    from scenarios import policies

    return {name: _first_line(policies.policy_class(name).__doc__) for name in policies.names()}


def _windows() -> Entries:
    from pkmodel import windows
    from scenarios.page import window_text

    loaded = {name: windows.load(name) for name in windows.windows()}
    return {
        name: f"{one.drug}, {one.phase}: {window_text(one).removeprefix(f'{name}, ')}" for name, one in loaded.items()
    }


def _first_line(doc: str | None) -> str:
    return (doc or "").strip().partition("\n")[0]


def _file_text(directory: Callable[[], Path]) -> Callable[[str], str]:
    return lambda name: (directory() / f"{name}.toml").read_text(encoding="utf-8")


def _policy_text(name: str) -> str:
    from dataclasses import MISSING, fields
    from inspect import getdoc

    from scenarios import policies

    kind = policies.policy_class(name)
    lines = [
        f"{name}: {getdoc(kind) or ''}",
        "",
        "In a scenario file:",
        "",
        "[arm.policy]",
        f'name = "{name}"',
    ]
    for field in fields(kind):
        if field.init:
            needed = field.default is MISSING and field.default_factory is MISSING
            value = "...  # needed" if needed else _toml_default(field.default)
            lines.append(f"{field.name} = {value}")
    return "\n".join(lines) + "\n"


def _toml_default(value: object) -> str:
    if value is None:
        return "...  # may be left out"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml_default, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def _window_text(name: str) -> str:
    from dataclasses import fields

    from pkmodel import windows

    window = windows.load(name)
    return "\n".join(f"{field.name}: {getattr(window, field.name)}" for field in fields(window)) + "\n"


KINDS: dict[str, Callable[[], Entries]] = {
    "models": _models,
    "scenarios": _scenarios,
    "windows": _windows,
    "policies": _policies,
    "cohorts": _cohorts,
    "pages": _pages,
}
_TEXTS: dict[str, Callable[[str], str]] = {
    "models": _file_text(_model_directory),
    "scenarios": _file_text(lambda: _HERE),
    "windows": _window_text,
    "policies": _policy_text,
    "cohorts": _file_text(lambda: _HERE / "cohorts"),
    "pages": _file_text(lambda: _PAGES),
}
