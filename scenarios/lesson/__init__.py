"""Lessons: one HTML file each, with controls over simulations made beforehand; it needs no server and no network.

A lesson is a TOML file in `scenarios/lesson/data/` (`lesson_file.py` says what stands in it). `grid.py` simulates every
combination of its controls with the same patients; the page draws what was simulated and computes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scenarios.lesson.lesson_file import LessonFile

_DATA = Path(__file__).parent / "data"


def names() -> list[str]:
    """Names of the lessons that come with the package."""
    return sorted(path.stem for path in _DATA.glob("*.toml"))


def load(name: str | Path) -> LessonFile:
    """Return a lesson by name, or one of your own by its path (ending in ``.toml``).

    Raises
    ------
    UnknownNameError
        If there is no such lesson; the nearest name is offered.
    InputError
        With every fault of the file.
    """
    from pkmodel.errors import unknown_name
    from pkmodel.files import read_toml
    from scenarios.lesson.lesson_file import LessonFile

    if str(name).endswith(".toml"):
        return read_toml(name, LessonFile)
    if name not in names():
        raise unknown_name("page", str(name), names())
    return read_toml(_DATA / f"{name}.toml", LessonFile)


def lesson_html(lesson: LessonFile, progress: Callable[[float], None] | None = None) -> str:
    """Simulate every combination of a lesson's controls and return its page; the same lesson gives the same bytes."""
    from scenarios.lesson.grid import simulate

    grid = simulate(lesson, progress)
    page: str = _environment().get_template("lesson.html.jinja").render(lesson=lesson, grid=grid)
    return page


def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("scenarios.lesson", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
