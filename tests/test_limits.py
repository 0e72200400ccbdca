"""The numbers of docs/explanation/limits.md are what their commands give, and each has a source.

In the page a number stands before its key, `48.5<!--lost-episodic-->`; limits.toml beside it says where it comes from.
`python tests/test_limits.py` runs everything and writes the numbers into the page (some minutes);
`python tests/test_limits.py report` only refreshes those of validation/REPORT.md and of parameter files. Read the
sentences around what has changed afterwards: whether they still hold is not checked.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import scenarios as sc
from pkmodel.errors import PkWarning
from scenarios.cli import cli
from scenarios.page import digits

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/explanation/limits.md"
SOURCES = tomllib.loads(PAGE.with_suffix(".toml").read_text(encoding="utf-8"))
REPORT = (ROOT / "validation/REPORT.md").read_text(encoding="utf-8")
WIDTH = 120

NUMBER = re.compile(r"((?:<= )?[+−-]?\d(?:[\d.,]*\d)?(?: \([^()]+\))?)<!--([\w.-]+)-->")
KEY = re.compile(r"<!--([\w.-]+)-->")
SCRIPT = re.compile(r"```python\n((?:(?!```).*\n)*)```\n\n<!-- printed -->\n```text\n((?:(?!```).*\n)*)```\n")
Numbers = dict[str, str]


def read() -> str:
    return PAGE.read_text(encoding="utf-8")


def cell(column: str, key: str) -> str:
    """First cell of this column of the report, in the row of this figure."""
    header: list[str] = []
    for line in REPORT.splitlines():
        cells = [part.strip() for part in line.strip("|").split("|")] if line.startswith("|") else []
        if cells and column in cells:
            header = cells
        elif header and cells and cells[0].removesuffix(" (READ)").removesuffix(" (MEMORY)") == key:
            return cells[header.index(column)]
        elif not cells:
            header = []
    raise LookupError(f"REPORT.md has no row {key} with a column {column}")


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise LookupError(f"nothing matches {pattern}")
    return match[1]


def from_files() -> Numbers:
    """Numbers of the report and of parameter files."""
    numbers = {name: cell(column, key) for name, (key, column) in SOURCES["report"].items()}
    for name, (path, pattern) in SOURCES["text"].items():
        numbers[name] = found(pattern, (ROOT / path).read_text(encoding="utf-8"))
    for name, (path, key, places) in SOURCES["parameter"].items():
        value = tomllib.loads((ROOT / path).read_text(encoding="utf-8"))["parameters"][key]["value"]
        numbers[name] = f"{value:.{places}f}"
    return numbers


def from_run(name: str) -> Numbers:
    """Run the commands of a source as the page has them, and read its numbers as the program prints them."""
    source = SOURCES["run"][name]
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), warnings.catch_warnings():
        warnings.simplefilter("ignore", PkWarning)
        Path("pkmodel").symlink_to(ROOT / "pkmodel")
        *before, command = source["commands"]
        for line in before:
            subprocess.run(line, shell=True, check=True)
        given = cli.commands["run"].make_context("run", arguments(command)).params
        trial = sc.Scenario.load(given["scenario"]).with_settings(given["settings"], window=given["window"])
        result = sc.run(trial, patients=given["patients"], seed=given["seed"] or 1)
    cells = sc.score(result, trial.window).cells()
    numbers = {}
    for key, where in source["numbers"].items():
        arm, metric, visit = [*where, ""][:3]
        one = cells[arm, metric, visit]
        value, low, high = (digits(x, metric, one) for x in (one.value, one.low, one.high))
        numbers[key] = f"{'<= ' if one.at_limit else ''}{value} ({low}–{high})"
    return numbers


def from_lesson(name: str) -> Numbers:
    """Numbers of a lesson's page: a cell by its key, then keys and places in it."""
    from scenarios import lesson
    from scenarios.lesson.grid import simulate

    source = SOURCES["lesson"][name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PkWarning)
        cells = simulate(lesson.load(name)).cells
    numbers = {}
    for key, path in source["numbers"].items():
        value: Any = cells
        for step in path:
            value = value[step]
        numbers[key] = f"{value:,}"
    return numbers


def arguments(command: str) -> list[str]:
    import shlex

    words = shlex.split(command)
    assert words[:2] == ["pkmodel", "run"]
    return words[2:]


def printed(code: str) -> str:
    """Run a script of the page and return what it prints."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), warnings.catch_warnings():
        warnings.simplefilter("ignore", PkWarning)
        exec(compile(code, "script", "exec", dont_inherit=True), {"__name__": "script"})
    return said.getvalue()


def from_scripts(page: str) -> Numbers:
    """Numbers out of what stands printed under the scripts of the page."""
    text = "\n".join(output for _, output in SCRIPT.findall(page))
    return {name: found(pattern, text) for name, pattern in SOURCES["printed"].items()}


def with_numbers(page: str, numbers: Numbers) -> str:
    """The page with these numbers; in brackets where the page has brackets, and the rest of it as it was."""

    def put(match: re.Match[str]) -> str:
        old, key = match.groups()
        new = numbers.get(key, old)
        return f"{new if '(' in old else new.split(' (')[0]}<!--{key}-->"

    return NUMBER.sub(put, page)


def with_scripts(page: str) -> str:
    """The page with what its scripts print."""
    return SCRIPT.sub(
        lambda match: f"```python\n{match[1]}```\n\n<!-- printed -->\n```text\n{printed(match[1])}```\n", page
    )


def differences(numbers: Numbers) -> list[str]:
    old = {key: number for number, key in NUMBER.findall(read())}
    new = {key: number for number, key in NUMBER.findall(with_numbers(read(), numbers))}
    return [f"{key}: {old[key]} is {new[key]}" for key in old if old[key] != new[key]]


def names(sources: dict[str, Any]) -> Iterator[str]:
    for source in (*sources["run"].values(), *sources["lesson"].values()):
        yield from source["numbers"]
    for group in ("report", "text", "parameter", "printed"):
        yield from sources[group]


def test_every_number_has_one_source_and_every_source_a_number() -> None:
    known = list(names(SOURCES))
    assert len(known) == len(set(known)) > 80
    marked = [key for _, key in NUMBER.findall(read())]
    assert set(marked) == set(known)
    assert KEY.findall(read()) == marked  # no key without a number before it


def test_commands_stand_on_the_page() -> None:
    lines = {line.strip() for line in read().splitlines()}
    prose = re.sub(r"```.*?```", "", read(), flags=re.DOTALL)
    inline = [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose)]
    sources = [*SOURCES["run"].values(), *SOURCES["lesson"].values()]
    for command in (command for source in sources for command in source["commands"]):
        assert command in lines or command in inline, command


def test_numbers_of_the_report_and_of_parameter_files() -> None:
    assert differences(from_files()) == []


def test_numbers_of_scripts_are_those_printed() -> None:
    assert differences(from_scripts(read())) == []


def test_the_page_is_wrapped() -> None:
    prose = re.sub(r"```.*?```", "", read(), flags=re.DOTALL)
    assert [line for line in prose.splitlines() if len(line) > WIDTH and not line.startswith("|")] == []


def test_a_wrong_number_is_told() -> None:
    """A pattern that matches nothing would make the tests of this file pass."""
    text = "a 1.2<!--a-->, b <= 0.30 (0.00–0.30)<!--b-->, c 1,234<!--c-->, d −0.05<!--d-->."
    numbers = {"a": "1.3 (1.1–1.5)", "b": "0.40 (0.10–0.50)", "c": "9 (8–10)"}
    assert with_numbers(text, numbers) == ("a 1.3<!--a-->, b 0.40 (0.10–0.50)<!--b-->, c 9<!--c-->, d −0.05<!--d-->.")


@pytest.mark.slow
@pytest.mark.parametrize("name", SOURCES["run"])
def test_numbers_of_runs(name: str) -> None:
    assert differences(from_run(name)) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", SOURCES["lesson"])
def test_numbers_of_lessons(name: str) -> None:
    assert differences(from_lesson(name)) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(SCRIPT.findall(read()))))
def test_scripts_print_what_stands_under_them(number: int) -> None:
    code, output = SCRIPT.findall(read())[number]
    assert printed(code) == output


def refresh(*, everything: bool) -> None:
    """Write the numbers into the page, and say which have changed."""
    old, page = dict(map(reversed, NUMBER.findall(read()))), read()
    numbers = from_files()
    if everything:
        page = with_scripts(page)
        for name in SOURCES["run"]:
            numbers |= from_run(name)
            print(name, file=sys.stderr)
        for name in SOURCES["lesson"]:
            numbers |= from_lesson(name)
    numbers |= from_scripts(page)
    PAGE.write_text(with_numbers(page, numbers), encoding="utf-8")
    new = dict(map(reversed, NUMBER.findall(read())))
    print(*(f"{key}: {old[key]} -> {new[key]}" for key in new if new[key] != old[key]), sep="\n")


if __name__ == "__main__":
    os.environ.setdefault("MPLBACKEND", "Agg")
    refresh(everything=sys.argv[1:] != ["report"])
