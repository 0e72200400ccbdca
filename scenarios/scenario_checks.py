"""What the keys of a scenario must mean together; run on whatever part of a file can be read.

Every check skips what it cannot understand, because :mod:`scenarios.scenario_file` has reported that already:
so the faults of a file come out together, whichever pass finds them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pkmodel.antibody import NO_LAYER
from pkmodel.errors import InputError, unknown_name
from pkmodel.files import KeyPath
from scenarios.arm_checks import arm_problems, window_problems
from scenarios.loose import Problem, numbers_in, tables_in, text_of, time_of, told, tried

if TYPE_CHECKING:
    from pkmodel.drug import PopulationModel


def problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong with a scenario document whose paths are already absolute."""
    model, found = _model(text_of(document, "model"))
    yield from found
    drug = text_of(document, "drug")
    if drug is not None and (model is None or model.drug != drug):
        known = _drugs()
        if drug not in known:
            yield from told(unknown_name("drug", drug, known), ("drug",))
            drug = None  # what follows would only say the same again
    if model is not None and drug is not None and model.drug != drug:
        problem = f"model '{model.name}' is for {model.drug}, the scenario for {drug}"
        yield Problem(("model",), problem, "choose a model of the same drug ('pkmodel list models')")
    yield from _cohort(text_of(document, "cohort"))
    yield from _immunogenicity(text_of(document, "immunogenicity"), drug, model)
    if text_of(document, "immunogenicity") == NO_LAYER:
        yield from _needs_layer(document.get("arm"))
    yield from window_problems(text_of(document, "window"), drug, ("window",))
    yield from _assays(document.get("assays"), drug)
    yield from _times(document)
    yield from arm_problems(document.get("arm"), model, drug)
    yield from _trial(document.get("trial"), len(list(tables_in(document.get("arm")))))


def _model(name: str | None) -> tuple[PopulationModel | None, list[Problem]]:
    if name is None:
        return None, []
    from pkmodel import library

    try:
        return library.load(name), []
    except InputError as error:
        return None, list(told(error, ("model",)))


def _drugs() -> set[str]:
    """Drugs that some shipped model is for."""
    from pkmodel import library

    return {library.load(name).drug for name in library.models()}


def _cohort(name: str | None) -> Iterator[Problem]:
    if name is not None:
        from scenarios.cohorts import Cohort

        yield from tried(lambda: Cohort.load(name), ("cohort",))


def _immunogenicity(name: str | None, drug: str | None, model: PopulationModel | None) -> Iterator[Problem]:
    if name is None or name == NO_LAYER:
        return
    if model is not None and not model.structure.closed_form:
        problem = f"the antibody layer knows no {model.structure} model ('{model.name}')"
        yield Problem(
            ("immunogenicity",), problem, f"write '{NO_LAYER}', or take a linear model of 1 or 2 compartments"
        )
    from pkmodel.antibody import Immunogenicity

    try:
        layer = Immunogenicity.load(name)
    except InputError as error:
        yield from told(error, ("immunogenicity",))
        return
    if drug is not None and layer.drug != drug:
        remedy = f"write '{drug}', or the file of an antibody layer for {drug}"
        yield Problem(("immunogenicity",), f"'{name}' is for {layer.drug}, the scenario for {drug}", remedy)


def _needs_layer(arms: object) -> Iterator[Problem]:
    """What acts through the antibody layer alone would do nothing without it."""
    for index, arm in enumerate(tables_in(arms)):
        for key in ("cotherapy", "premedication"):
            if arm.get(key):
                problem = f"{key} acts through the antibody layer, which is '{NO_LAYER}'"
                yield Problem(("arm", index, key), problem, "leave it out, or name a layer under 'immunogenicity'")


def _assays(table: object, drug: str | None) -> Iterator[Problem]:
    if not isinstance(table, Mapping):
        return
    from pkmodel import assay

    if (assay_name := text_of(table, "drug")) is not None:
        yield from tried(lambda: assay.load_drug_assay(assay_name, drug), ("assays", "drug"))
    for key, kind in (("drug_sensitive", "drug-sensitive"), ("drug_tolerant", "drug-tolerant")):
        if (name := text_of(table, key)) is not None:
            yield from _antibody_assay(name, drug, kind, ("assays", key))


def _antibody_assay(name: str, drug: str | None, kind: str, path: KeyPath) -> Iterator[Problem]:
    from pkmodel import assay

    try:
        family = assay.load_antibody_assay(name, drug)
    except InputError as error:
        yield from told(error, path)
        return
    if family.kind != kind:
        yield Problem(path, f"'{name}' is a {family.kind} assay", f"name a {kind} one")


def _times(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Visits must be in order and inside the scenario; so must the first review."""
    duration = time_of(document, "duration")
    visits = numbers_in(document.get("visits_weeks"))
    for earlier, later in pairwise(visits):
        if later <= earlier:
            problem = f"visit at week {later:g} after week {earlier:g}"
            yield Problem(("visits_weeks",), problem, "list each visit once, in order of time")
    if duration is None:
        return
    for week in visits:
        if 7 * week > duration:
            problem = f"visit at week {week:g}, but the scenario ends at week {duration / 7:g}"
            yield Problem(("visits_weeks",), problem, "leave the visit out or lengthen 'duration'")
    review = time_of(document, "review_every")
    if review is not None and review > duration:
        remedy = "review more often, or lengthen 'duration'"
        yield Problem(("review_every",), "the first review is after the end", remedy)


def _trial(table: object, arms: int) -> Iterator[Problem]:
    """Allocation belongs to randomisation, and must fit the arms."""
    if not isinstance(table, Mapping):
        return
    if table.get("design") != "randomised":
        for key in ("ratio", "block"):
            if key in table:
                remedy = 'write design = "randomised", or leave it out'
                yield Problem(("trial", key), f"'{key}' where every patient is in every arm", remedy)
        return
    ratio = [int(part) for part in numbers_in(table.get("ratio"))] if "ratio" in table else [1] * arms
    if len(ratio) != arms:
        problem = f"{len(ratio)} parts for {arms} arms"
        yield Problem(("trial", "ratio"), problem, "give one whole number for each arm, in their order")
        return
    block, whole = table.get("block"), sum(ratio)
    if isinstance(block, int) and whole and block % whole:
        remedy = f"use a multiple of {whole}, the sum of the ratio"
        yield Problem(("trial", "block"), f"blocks of {block} cannot hold the ratio {ratio}", remedy)
