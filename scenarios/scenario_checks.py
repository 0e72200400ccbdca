"""What the keys of a scenario must mean together; run on whatever part of a file can be read.

Every check skips what it cannot understand, because :mod:`scenarios.scenario_file` has reported that already:
so the faults of a file come out together, whichever pass finds them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from pkmodel import units
from pkmodel.errors import InputError
from pkmodel.files import KeyPath
from scenarios.scenario_file import DosingFile
from scenarios.timetable import regimen

if TYPE_CHECKING:
    from pkmodel.drug import PopulationModel

REFERENCES = ("model", "immunogenicity", "cohort")
"""Keys that name something shipped or the path of a file of the user's."""


class Problem(NamedTuple):
    """One thing wrong, and the key path it stands at."""

    path: KeyPath
    problem: str
    remedy: str


def is_path(name: str) -> bool:
    """Tell the path of a file from the name of something shipped."""
    return name.lower().endswith((".toml", ".csv")) or "/" in name or "\\" in name


def problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong with a scenario document whose paths are already absolute."""
    drug = _text(document, "drug")
    model, found = _model(_text(document, "model"))
    yield from found
    if model is not None and drug is not None and model.drug != drug:
        yield Problem(("model",), f"model '{model.name}' is for {model.drug}, the scenario for {drug}", _MODEL_REMEDY)
    yield from _cohort(_text(document, "cohort"))
    yield from _immunogenicity(_text(document, "immunogenicity"), drug)
    yield from _window(_text(document, "window"), drug, ("window",))
    yield from _assays(document.get("assays"), drug)
    yield from _times(document)
    yield from _arms(document.get("arm"), model, drug)


_MODEL_REMEDY = "choose a model of the same drug; 'pkmodel list models' names them"


def _model(name: str | None) -> tuple[PopulationModel | None, list[Problem]]:
    if name is None:
        return None, []
    from pkmodel import library

    try:
        return library.load(name), []
    except InputError as error:
        return None, list(_told(error, ("model",)))


def _cohort(name: str | None) -> Iterator[Problem]:
    if name is not None:
        from scenarios.cohorts import Cohort

        yield from _tried(lambda: Cohort.load(name), ("cohort",))


def _immunogenicity(name: str | None, drug: str | None) -> Iterator[Problem]:
    if name is None:
        return
    from pkmodel.antibody import Immunogenicity

    try:
        layer = Immunogenicity.load(name)
    except InputError as error:
        yield from _told(error, ("immunogenicity",))
        return
    if drug is not None and layer.drug != drug:
        remedy = f"write '{drug}', or the file of an antibody layer for {drug}"
        yield Problem(("immunogenicity",), f"'{name}' is for {layer.drug}, the scenario for {drug}", remedy)


def _window(name: str | None, drug: str | None, path: KeyPath) -> Iterator[Problem]:
    if name is not None:
        from pkmodel import windows

        yield from _tried(lambda: windows.load(name, drug), path)


def _assays(table: object, drug: str | None) -> Iterator[Problem]:
    if not isinstance(table, Mapping):
        return
    from pkmodel import assay

    if (name := _text(table, "drug")) is not None:
        yield from _tried(lambda: assay.load_drug_assay(name, drug), ("assays", "drug"))
    for key, kind in (("drug_sensitive", "drug-sensitive"), ("drug_tolerant", "drug-tolerant")):
        if (name := _text(table, key)) is not None:
            yield from _antibody_assay(name, drug, kind, ("assays", key))


def _antibody_assay(name: str, drug: str | None, kind: str, path: KeyPath) -> Iterator[Problem]:
    from pkmodel import assay

    try:
        family = assay.load_antibody_assay(name, drug)
    except InputError as error:
        yield from _told(error, path)
        return
    if family.kind != kind:
        yield Problem(path, f"'{name}' is a {family.kind} assay", f"name a {kind} one")


def _times(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Visits must be in order and inside the scenario; so must the first review."""
    duration = _time(document, "duration")
    visits = _numbers(document.get("visits_weeks"))
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
    review = _time(document, "review_every")
    if review is not None and review > duration:
        yield Problem(("review_every",), "the first review is after the end", "review more often, or lengthen 'duration'")


def _arms(arms: object, model: PopulationModel | None, drug: str | None) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, arm in enumerate(_tables(arms)):
        path: KeyPath = ("arm", index)
        name = _text(arm, "name")
        if name is not None:
            yield from _arm_name(name, seen, (*path, "name"))
            seen.add(name)
        routes = list(_dosing(arm, model, path))
        yield from (one for one in routes if isinstance(one, Problem))
        given_sc = any(one == "sc" for one in routes)
        if given_sc and arm.get("premedication") is not None:
            remedy = "leave premedication out of arms with 'sc' doses"
            yield Problem((*path, "premedication"), "IV premedication before a subcutaneous dose", remedy)
        yield from _policy(arm.get("policy"), drug, (*path, "policy"), given_sc=given_sc)
        yield from _cotherapy(arm, path)
        yield from _adherence(arm.get("adherence"), (*path, "adherence"))


def _arm_name(name: str, seen: set[str], path: KeyPath) -> Iterator[Problem]:
    if name in seen:
        yield Problem(path, f"a second arm called '{name}'", "give each arm a name of its own")
    if not name.isprintable() or name != name.strip() or "." in name or "=" in name or name.isdecimal():
        remedy = "write letters, digits, spaces or hyphens, not digits alone"
        yield Problem(path, f"'{name}' cannot name an arm", remedy)


def _dosing(arm: Mapping[str, Any], model: PopulationModel | None, path: KeyPath) -> Iterator[Problem | str]:
    """Yield the problems of an arm's dosing, and the route of each part."""
    sound = True
    parts = list(_tables(arm.get("dosing")))
    for index, part in enumerate(parts):
        here: KeyPath = (*path, "dosing", index)
        for one in _timetable(part, here):
            sound = False
            yield one
        route = _text(part, "route") or (model.structure.routes[0] if model else None)
        if route is not None:
            yield route
        if model is not None and route in ("iv", "sc") and route not in model.structure.routes:
            problem = f"'{route}' in model '{model.name}', which knows {', '.join(model.structure.routes)}"
            yield Problem((*here, "route"), problem, "choose another model or route")
        if route == "sc":
            yield from _subcutaneous(part, here)
    if sound and parts and all(map(_valid_part, parts)):
        yield from _tried(lambda: regimen(parts), (*path, "dosing"))


def _valid_part(part: Mapping[str, Any]) -> bool:
    try:
        DosingFile.model_validate(part)
    except ValidationError:
        return False
    return True


def _timetable(part: Mapping[str, Any], path: KeyPath) -> Iterator[Problem]:
    """A part is either a list of weeks or a repetition, and each in order."""
    listed, repeated = "weeks" in part, "every" in part
    if listed == repeated:
        problem = "both 'weeks' and 'every'" if listed else "neither 'weeks' nor 'every'"
        yield Problem(path, problem, "write weeks = [0, 2, 6], or every = \"8 weeks\" with until = \"54 weeks\"")
        return
    for key in ("until", "start") if listed else ():
        if key in part:
            yield Problem((*path, key), f"'{key}' beside 'weeks'", "it belongs to 'every'")
    for earlier, later in pairwise(_numbers(part.get("weeks"))):
        if later <= earlier:
            yield Problem((*path, "weeks"), f"week {later:g} after week {earlier:g}", "list each once, in order of time")
    if repeated and "until" not in part:
        yield Problem(path, "'every' without 'until'", "say when to stop, such as until = \"54 weeks\"")
    start, until = _time(part, "start"), _time(part, "until")
    if start is not None and until is not None and until <= start:
        yield Problem((*path, "until"), f"'{part['until']}' is not after the start '{part['start']}'", "write a later time")


def _subcutaneous(part: Mapping[str, Any], path: KeyPath) -> Iterator[Problem]:
    """Pens and syringes hold fixed amounts, and subcutaneous models are in mg: a dose per kg is a slip."""
    text = _text(part, "dose")
    if text is not None and _per_weight(text):
        problem = f"'{text}' is a dose per kg of body weight, but subcutaneous doses are fixed amounts"
        yield Problem((*path, "dose"), problem, "write it in mg, such as '40 mg'")
    if "infusion" in part:
        yield Problem((*path, "infusion"), "a subcutaneous dose is not infused", "leave 'infusion' out")


def _policy(policy: object, drug: str | None, path: KeyPath, *, given_sc: bool) -> Iterator[Problem]:
    table = {"name": policy} if isinstance(policy, str) else policy
    if not isinstance(table, Mapping):
        return
    from scenarios import policies

    name = table.get("name")
    if not isinstance(name, str):
        remedy = f"one of: {', '.join(policies.names())}"
        yield Problem(path, "a policy without a name" if name is None else f"name = {name!r}", remedy)
        return
    parameters = {key: value for key, value in table.items() if key != "name"}
    yield from _tried(lambda: policies.make(name, parameters), path)
    yield from _window(_text(parameters, "window"), drug, (*path, "window"))
    for key, value in parameters.items():
        if given_sc and isinstance(value, str) and _per_weight(value):
            problem = f"'{value}' is a dose per kg of body weight, but this arm's doses are subcutaneous and fixed"
            yield Problem((*path, key), problem, "write it in mg, such as '80 mg'")


def _cotherapy(arm: Mapping[str, Any], path: KeyPath) -> Iterator[Problem]:
    for index, one in enumerate(_tables(arm.get("cotherapy"))):
        start, until = _time(one, "from") or 0.0, _time(one, "until")
        if until is not None and until <= start:
            problem = f"until day {until:g}, from day {start:g}"
            yield Problem((*path, "cotherapy", index, "until"), problem, "'until' must be after 'from'")


def _adherence(table: object, path: KeyPath) -> Iterator[Problem]:
    if not isinstance(table, Mapping):
        return
    missed, late = (value if isinstance(value := table.get(key, 0.0), int | float) else 0.0 for key in ("missed", "late"))
    if missed + late > 1:
        yield Problem(path, f"missed {missed:g} and late {late:g} make more than 1", "lower them: they are shares")
    if late > 0 and "late_by" not in table:
        yield Problem(path, "'late' without 'late_by'", "say by how much, such as late_by = \"1 week\"")


def _tried(action: Callable[[], object], path: KeyPath) -> Iterator[Problem]:
    try:
        action()
    except InputError as error:
        yield from _told(error, path)


def _told(error: InputError, path: KeyPath) -> Iterator[Problem]:
    """Yield the faults of something a key refers to; those inside another file name their place in it."""
    for fault in error.faults:
        if fault.file:
            place = f"{fault.file}:{fault.line}" if fault.line is not None else fault.file
            said = ": ".join(part for part in (place, fault.key, fault.problem) if part)
            yield Problem(path, said, fault.remedy)
        else:
            inner = tuple(part for part in fault.key.split(".") if part and part != path[-1])
            yield Problem((*path, *inner), fault.problem, fault.remedy)


def _per_weight(text: str) -> bool:
    try:
        return units.dose(text).per_weight
    except InputError:
        return False


def _text(table: Mapping[str, Any], key: str) -> str | None:
    value = table.get(key)
    return value if isinstance(value, str) and value else None


def _time(table: Mapping[str, Any], key: str) -> float | None:
    try:
        return units.time_d(table[key]) if isinstance(table.get(key), str) else None
    except InputError:
        return None


def _numbers(value: object) -> list[float]:
    listed = value if isinstance(value, list) else []
    return [float(one) for one in listed if isinstance(one, int | float) and not isinstance(one, bool)]


def _tables(value: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list):
        yield from (one if isinstance(one, Mapping) else {} for one in value)
