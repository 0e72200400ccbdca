"""Every file in data/: readable, complete, and every number with its origin."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pkmodel.errors
from pkmodel import antibody, assay, windows
from pkmodel.library import load, models

DATA = Path(pkmodel.errors.__file__).parent / "data"
MODEL_FILES = sorted((DATA / "models").glob("*.toml"))
# Numbers that need no source: they describe the file, a test, or a number beside them.
EXEMPT = {"compartments", "year", "checks", "reference", "default"}


def content(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def numbers_without_origin(node: Any, path: str = "") -> Iterator[str]:
    """Walk through a file; yield the place of every number whose table has no unit, source or tag."""
    if isinstance(node, dict):
        for key, value in node.items():
            if isinstance(value, int | float) and not isinstance(value, bool) and key not in EXEMPT:
                missing = {"unit", "source", "tag"} - node.keys()
                if missing:
                    yield f"{path}.{key}: {sorted(missing)}"
            elif key != "checks":
                yield from numbers_without_origin(value, f"{path}.{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from numbers_without_origin(value, f"{path}.{index}")


def test_the_walker_finds_a_bare_number() -> None:
    assert list(numbers_without_origin({"typical": {"CL": 0.3}})) == [".typical.CL: ['source', 'tag', 'unit']"]


@pytest.mark.parametrize("path", MODEL_FILES, ids=lambda path: path.stem)
def test_every_number_of_a_model_file_has_unit_source_and_tag(path: Path) -> None:
    assert list(numbers_without_origin(content(path))) == []


@pytest.mark.parametrize("path", MODEL_FILES, ids=lambda path: path.stem)
def test_a_model_file_is_named_after_its_model(path: Path) -> None:
    model = load(path.stem)
    assert model.name == path.stem
    assert model.name.startswith(f"{model.drug}-")
    assert str(model.citation.year) == path.stem.rsplit("-", 1)[-1]
    assert model.text == path.read_text(encoding="utf-8")
    assert model.citation.read_in
    assert model.checks


def test_no_model_rests_on_memory_alone() -> None:
    """Tag C means not read anywhere: such a number is not fit to dose with."""
    for path in MODEL_FILES:
        assert 'tag = "C"' not in path.read_text(encoding="utf-8")


def test_windows_and_assays_are_unique_and_sourced() -> None:
    entries = content(DATA / "windows.toml")["window"]
    names = [entry["name"] for entry in entries]
    assert len(set(names)) == len(names) == len(windows.windows())
    for name in names:
        window = windows.load(name)
        assert window.source
        assert window.status in ("project", "READ", "MEMORY")
        assert (window.kind == "window") == (window.high < float("inf"))
    for kind, listed in (("drug_assay", assay.drug_assays()), ("antibody_assay", assay.antibody_assays())):
        names = [entry["name"] for entry in content(DATA / "assays.toml")[kind]]
        assert sorted(set(names)) == sorted(names) == listed


def test_every_antibody_cutoff_says_whether_it_is_calibrated() -> None:
    calibrated = {"sponsor-bridging", "older-elisa", "idkmonitor"}
    for name in assay.antibody_assays():
        expected = "calibrated" if name in calibrated else "borrowed, uncalibrated"
        assert assay.load_antibody_assay(name).status == expected


def test_every_drug_of_the_library_has_windows_and_both_kinds_of_assay() -> None:
    for drug in {load(name).drug for name in models()}:
        kinds = {assay.load_antibody_assay(name).kind for name in assay.antibody_assays(drug)}
        assert windows.windows(drug)
        assert assay.drug_assays(drug)
        assert kinds == {"drug-sensitive", "drug-tolerant"}


@pytest.mark.parametrize("name", antibody.names())
def test_every_antibody_layer_loads(name):
    assert antibody.Immunogenicity.load(name).name == name
