"""What a run leaves behind: a directory that is complete or is not there."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pkmodel.errors import InputError, PkError
from scenarios.versions import versions as versions  # the command line and the report ask for it here

if TYPE_CHECKING:
    import xarray as xr

    from scenarios.ledger import Ledger
    from scenarios.scenario import Scenario
    from scenarios.tables import CompareTable, ScoreTable

PROTOCOL = "protocol.toml"
SCORES, COMPARISON, RESULT, REPORT, LEDGER = "scores.csv", "compare.csv", "result.nc", "report.html", "ledger.csv"
WRITTEN = (SCORES, COMPARISON, RESULT, REPORT, "troughs.png", "in_window.png", "antibodies.png", PROTOCOL)
_OURS = (*WRITTEN, LEDGER)


@contextmanager
def output_directory(path: str | Path) -> Iterator[Path]:
    """Give an empty directory to write into, and put it in the place of ``path`` if all goes well.

    Whatever interrupts the work, ``path`` is left as it was: the files are collected in a hidden sibling.

    Parameters
    ----------
    path
        A new directory, an empty one, or one that holds an earlier run and nothing else.

    Raises
    ------
    InputError
        If ``path`` is anything else, or cannot be written.
    """
    target = Path(path).absolute()
    check_output_directory(target)
    target = target.resolve()
    part = target.parent / f".{target.name}.{uuid.uuid4().hex[:8]}.part"
    with _telling(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        part.mkdir()
    try:
        yield part
        check_output_directory(target)  # somebody may have used it in the meantime
        with _telling(target):
            _swap(part, target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def check_output_directory(path: Path) -> None:
    """Refuse a place for results in which something else would be lost.

    Raises
    ------
    InputError
        If ``path`` is a file, the working directory, or a directory with anything but an earlier run.
    """
    remedy = "name a new directory"
    with _telling(path):
        if not path.exists():
            if path.is_symlink():
                raise InputError.one(f"{path} is a link that leads nowhere", remedy, key="--out")
            return
        if not path.is_dir():
            raise InputError.one(f"{path} is a file", remedy, key="--out")
        if path.resolve() == Path.cwd().resolve():
            raise InputError.one("the working directory cannot be replaced", remedy, key="--out")
        there = {entry.name for entry in path.iterdir()}
        if there and PROTOCOL not in there:
            problem = f"{path} is not empty and holds no earlier run"
            raise InputError.one(problem, f"{remedy}, or empty this one", key="--out")
        foreign = sorted(there - {*_OURS, *_copied_inputs(path / PROTOCOL)}) if there else []
        if foreign:
            problem = f"{path} holds an earlier run and also {', '.join(foreign[:5])}"
            problem += f" and {len(foreign) - 5} more" if len(foreign) > 5 else ""
            raise InputError.one(problem, f"move that away, or {remedy}", key="--out")


def write_outputs(
    folder: Path,
    result: xr.Dataset,
    scenario: Scenario,
    scores: ScoreTable,
    comparison: CompareTable,
    run: Mapping[str, Any],
    ledger: Ledger | None = None,
) -> None:
    """Write all files of a run into an existing, empty directory.

    Parameters
    ----------
    folder
        Where to.
    result, scores, comparison
        The run's data set and its two tables.
    scenario
        As it was run.
    run
        Patients, seed and what was kept, for the protocol.
    ledger
        Every decision, if one was kept.

    Raises
    ------
    PkError
        If the disk refuses.
    """
    from scenarios.figures import save_all
    from scenarios.report import report_html

    with _telling(folder):
        scores.to_csv(folder / SCORES)
        comparison.to_csv(folder / COMPARISON)
        portable = result.assign_attrs(_without_paths(result.attrs, scenario))
        portable.to_netcdf(folder / RESULT, engine="h5netcdf", encoding=_compressed(result))
        if ledger is not None:
            ledger.write_csv(folder / LEDGER)
        drawn = save_all(result, scenario.window, folder)
        report = report_html(result, scenario, scores, comparison, run, drawn)
        (folder / REPORT).write_text(report, encoding="utf-8", newline="\n")
        for name, source in copied_inputs(scenario).items():
            shutil.copyfile(source, folder / name)
        (folder / PROTOCOL).write_text(protocol_text(scenario, run), encoding="utf-8", newline="\n")


def copied_inputs(scenario: Scenario) -> dict[str, Path]:
    """Return the user's own files that go along with the protocol, by the name they get there.

    Raises
    ------
    InputError
        If a name is taken by a file of the run, or by another input.
    """
    names: dict[str, Path] = {}
    for key, source in scenario.files.items():
        if source.name in _OURS or names.get(source.name, source) != source:
            raise InputError.one(f"'{source.name}' would overwrite another file of the run", "rename it", key=key)
        names[source.name] = source
    return names


def protocol_text(scenario: Scenario, run: Mapping[str, Any]) -> str:
    """Return the protocol: the scenario as run, how it was run, and with which versions.

    It is itself a scenario file; running it again gives the same numbers, bit for bit, on the same versions.
    """
    from scenarios.toml_text import toml_text

    comment = "# The scenario as it was run. 'pkmodel run protocol.toml' repeats the run.\n"
    return comment + scenario.text + "\n" + toml_text({"run": dict(run), "versions": versions()})


def _without_paths(attributes: Mapping[str, Any], scenario: Scenario) -> dict[str, Any]:
    """Name the user's own files without their directories, which differ between equal runs."""
    names = {str(path): path.name for path in scenario.files.values()}
    portable = dict(attributes)
    for key, value in attributes.items():
        for path, name in names.items():
            if isinstance(value, str):
                portable[key] = str(portable[key]).replace(path, name)
    return portable


def _compressed(result: xr.Dataset) -> dict[str, dict[str, Any]]:
    """Lossless compression for whatever is an array of numbers."""
    return {
        str(name): {"compression": "gzip", "compression_opts": 1, "shuffle": True}
        for name, variable in result.data_vars.items()
        if variable.ndim > 0 and variable.dtype.kind in "fiu"
    }


def _copied_inputs(protocol: Path) -> set[str]:
    """Names of the inputs that an earlier run copied beside its protocol."""
    import tomllib

    from scenarios.references import REFERENCES, is_path

    try:
        document = tomllib.loads(protocol.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    return {value for key in REFERENCES if isinstance(value := document.get(key), str) and is_path(value)}


def _swap(part: Path, target: Path) -> None:
    """Put ``part`` where ``target`` is; what was there goes only once the new is in place."""
    old = part.with_suffix(".old")
    if target.exists():
        os.rename(target, old)
    try:
        os.rename(part, target)
    except OSError:
        if old.exists():
            os.rename(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses into an error of ours."""
    try:
        yield
    except PkError:
        raise
    except OSError as error:
        said = error.strerror or str(error)
        raise InputError.one(f"cannot write {path}: {said}", "name a directory you can write", key="--out") from error
