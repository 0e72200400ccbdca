"""What the keys of a scenario must mean together; run on whatever part of a file can be read.

Every check skips what it cannot understand, because :mod:`scenarios.scenario_file` has reported that already:
so the faults of a file come out together, whichever pass finds them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from pkmodel.antibody import NO_LAYER
from pkmodel.errors import InputError
from pkmodel.files import KeyPath
from scenarios.arm_checks import arm_problems, window_problems
from scenarios.drug_checks import assay_problems, drug_problems, immunogenicity_problems, load_model
from scenarios.grid_checks import grid_problems
from scenarios.loose import Problem, numbers_in, tables_in, text_of, time_of, tried


def problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong with a scenario document whose paths are already absolute."""
    model, found = load_model(text_of(document, "model"), ("model",))
    yield from found
    drug = text_of(document, "drug")
    odd = list(drug_problems(drug, model, ()))
    yield from odd
    if any(one.path == ("drug",) for one in odd):
        drug = None  # what follows would only say the same again
    yield from _cohort(text_of(document, "cohort"))
    yield from immunogenicity_problems(text_of(document, "immunogenicity"), drug, model, ("immunogenicity",))
    if text_of(document, "immunogenicity") == NO_LAYER:
        yield from _needs_layer(document.get("arm"))
    yield from window_problems(text_of(document, "window"), drug, ("window",))
    yield from assay_problems(document.get("assays"), drug, ("assays",))
    for index, change in enumerate(tables_in(document.get("assay_change"))):
        yield from assay_problems(change, drug, ("assay_change", index))
        yield from _same_lloq(document.get("assays"), change, drug, ("assay_change", index, "drug"))
    yield from _times(document)
    yield from arm_problems(document.get("arm"), model, drug)
    yield from grid_problems(document)
    yield from _trial(document.get("trial"), len(list(tables_in(document.get("arm")))))


def _cohort(name: str | None) -> Iterator[Problem]:
    if name is not None:
        from scenarios.cohorts import Cohort

        yield from tried(lambda: Cohort.load(name), ("cohort",))


def _needs_layer(arms: object) -> Iterator[Problem]:
    """What acts through the antibody layer alone would do nothing without it."""
    for index, arm in enumerate(tables_in(arms)):
        for key in ("cotherapy", "premedication"):
            if arm.get(key):
                problem = f"{key} acts through the antibody layer, which is '{NO_LAYER}'"
                yield Problem(("arm", index, key), problem, "leave it out, or name a layer under 'immunogenicity'")


def _same_lloq(first: object, change: Mapping[str, Any], drug: str | None, path: KeyPath) -> Iterator[Problem]:
    """A result states one LLOQ for all its levels."""
    from pkmodel.assay import load_drug_assay

    names = (text_of(first, "drug") if isinstance(first, Mapping) else None, text_of(change, "drug"))
    try:
        before, after = (None if name is None else load_drug_assay(name, drug).lloq for name in names)
    except InputError:
        return
    if before is not None and after is not None and before != after:
        problem = f"'{names[1]}' has an LLOQ of {after:g} ug/mL, '{names[0]}' under [assays] one of {before:g} ug/mL"
        yield Problem(path, problem, "name a drug assay with the same LLOQ: a result has one for all its levels")


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
