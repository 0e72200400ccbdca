"""What the keys that describe one drug must mean together: its model, antibody layer, response and assays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pkmodel.antibody import NO_LAYER
from pkmodel.errors import InputError, unknown_name
from pkmodel.files import KeyPath
from scenarios.loose import Problem, text_of, told, tried

if TYPE_CHECKING:
    from pkmodel.drug import PopulationModel


def load_model(name: str | None, path: KeyPath) -> tuple[PopulationModel | None, list[Problem]]:
    """Return a model, or what is wrong with its name."""
    if name is None:
        return None, []
    from pkmodel import library

    try:
        return library.load(name), []
    except InputError as error:
        return None, list(told(error, path))


def drug_problems(drug: str | None, model: PopulationModel | None, path: KeyPath) -> Iterator[Problem]:
    """Yield what is wrong with the name of a drug beside its model; ``path`` leads to the table of both."""
    if drug is None or (model is not None and model.drug == drug):
        return
    known = _drugs()
    if drug not in known:
        yield from told(unknown_name("drug", drug, known), (*path, "drug"))
    elif model is not None:
        problem = f"model '{model.name}' is for {model.drug}, the {'scenario' if not path else 'entry'} for {drug}"
        yield Problem((*path, "model"), problem, "choose a model of the same drug ('pkmodel list models')")


def _drugs() -> set[str]:
    """Drugs that some shipped model is for."""
    from pkmodel import library

    return {library.load(name).drug for name in library.models()}


def immunogenicity_problems(
    name: str | None, drug: str | None, model: PopulationModel | None, path: KeyPath
) -> Iterator[Problem]:
    """Yield what is wrong with the name of an antibody layer beside its model."""
    from pkmodel.antibody import Immunogenicity

    if name is None or name == NO_LAYER:
        return
    if model is not None and not model.structure.closed_form:
        problem = f"the antibody layer knows no {model.structure} model ('{model.name}')"
        yield Problem(path, problem, f"write '{NO_LAYER}', or take a linear model of 1 or 2 compartments")
    try:
        layer = Immunogenicity.load(name)
    except InputError as error:
        yield from told(error, path)
        return
    if drug is not None and layer.drug != drug:
        remedy = f"write '{drug}', or the file of an antibody layer for {drug}"
        yield Problem(path, f"'{name}' is for {layer.drug}, the scenario for {drug}", remedy)


def assay_problems(table: object, drug: str | None, path: KeyPath) -> Iterator[Problem]:
    """Yield what is wrong with a panel of assays."""
    if not isinstance(table, Mapping):
        return
    from pkmodel import assay

    if (assay_name := text_of(table, "drug")) is not None:
        yield from tried(lambda: assay.load_drug_assay(assay_name, drug), (*path, "drug"))
    for key, kind in (("drug_sensitive", "drug-sensitive"), ("drug_tolerant", "drug-tolerant")):
        if (name := text_of(table, key)) is not None:
            yield from _antibody_assay(name, drug, kind, (*path, key))


def _antibody_assay(name: str, drug: str | None, kind: str, path: KeyPath) -> Iterator[Problem]:
    from pkmodel import assay

    try:
        family = assay.load_antibody_assay(name, drug)
    except InputError as error:
        yield from told(error, path)
        return
    if family.kind != kind:
        yield Problem(path, f"'{name}' is a {family.kind} assay", f"name a {kind} one")
