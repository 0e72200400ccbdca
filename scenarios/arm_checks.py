"""What the keys of an arm must mean together: its dosing, policy, co-therapy and adherence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pkmodel import units
from pkmodel.errors import InputError
from pkmodel.files import KeyPath
from scenarios.drug_checks import assay_problems, drug_problems, immunogenicity_problems, load_model
from scenarios.loose import Problem, numbers_in, tables_in, text_of, time_of, tried
from scenarios.references import is_path
from scenarios.scenario_file import DosingFile
from scenarios.timetable import regimen

if TYPE_CHECKING:
    from pkmodel.drug import PopulationModel


def arm_problems(arms: object, model: PopulationModel | None, drug: str | None) -> Iterator[Problem]:
    """Yield what is wrong with the arms of a scenario, as far as model and drug are known."""
    seen: set[str] = set()
    for index, arm in enumerate(tables_in(arms)):
        path: KeyPath = ("arm", index)
        name = text_of(arm, "name")
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
        yield from _clinic(arm.get("clinic"), (*path, "clinic"))
        yield from _alternatives(arm, path, {drug} if drug else set())


def _arm_name(name: str, seen: set[str], path: KeyPath) -> Iterator[Problem]:
    if name in seen:
        yield Problem(path, f"a second arm called '{name}'", "give each arm a name of its own")
    if not name.isprintable() or name != name.strip() or "." in name or "=" in name or name.isdecimal():
        remedy = "write letters, digits, spaces or hyphens, not digits alone"
        yield Problem(path, f"'{name}' cannot name an arm", remedy)


def _dosing(arm: Mapping[str, Any], model: PopulationModel | None, path: KeyPath) -> Iterator[Problem | str]:
    """Yield the problems of an arm's dosing, and the route of each part."""
    sound = True
    parts = list(tables_in(arm.get("dosing")))
    for index, part in enumerate(parts):
        here: KeyPath = (*path, "dosing", index)
        for one in _timetable(part, here):
            sound = False
            yield one
        route = text_of(part, "route") or (model.structure.routes[0] if model else None)
        if route is not None:
            yield route
        if model is not None and route in ("iv", "sc") and route not in model.structure.routes:
            problem = f"'{route}' in model '{model.name}', which knows {', '.join(model.structure.routes)}"
            yield Problem((*here, "route"), problem, "choose another model or route")
        if route == "sc":
            yield from _subcutaneous(part, here)
    if sound and parts and all(map(_valid_part, parts)):
        yield from _sequence(parts, path)


def _sequence(parts: list[Mapping[str, Any]], path: KeyPath) -> Iterator[Problem]:
    """Put the parts together one by one, so that the first one that does not fit is named."""
    for index in range(len(parts)):
        found = list(tried(partial(regimen, parts[: index + 1]), (*path, "dosing", index)))
        if found:
            yield from found
            return


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
        yield Problem(path, problem, 'write weeks = [0, 2, 6], or every = "8 weeks" with until = "54 weeks"')
        return
    for key in ("until", "start") if listed else ():
        if key in part:
            yield Problem((*path, key), f"'{key}' beside 'weeks'", "it belongs to 'every'")
    for earlier, later in pairwise(numbers_in(part.get("weeks"))):
        if later <= earlier:
            problem = f"week {later:g} after week {earlier:g}"
            yield Problem((*path, "weeks"), problem, "list each week once, in order of time")
    if repeated and "until" not in part:
        yield Problem(path, "'every' without 'until'", 'say when to stop, such as until = "54 weeks"')
    start, until = time_of(part, "start"), time_of(part, "until")
    if start is not None and until is not None and until <= start:
        problem = f"'{part['until']}' is not after the start '{part['start']}'"
        yield Problem((*path, "until"), problem, "write a later time")


def _subcutaneous(part: Mapping[str, Any], path: KeyPath) -> Iterator[Problem]:
    """Pens and syringes hold fixed amounts, and subcutaneous models are in mg: a dose per kg is a slip."""
    text = text_of(part, "dose")
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
    yield from tried(lambda: policies.make(name, parameters), path)
    yield from window_problems(text_of(parameters, "window"), drug, (*path, "window"))
    yield from _knowledge(parameters.get("knowledge"), drug, (*path, "knowledge"))
    for key, value in parameters.items():
        if given_sc and isinstance(value, str) and _per_weight(value):
            problem = f"'{value}' is a dose per kg of body weight, but this arm's doses are subcutaneous"
            yield Problem((*path, key), problem, "write it in mg, such as '80 mg'")


def _knowledge(known: object, drug: str | None, path: KeyPath) -> Iterator[Problem]:
    """Models that a policy estimates by must be of the scenario's drug; unknown names it refuses itself."""
    for name in [known] if isinstance(known, str) else known if isinstance(known, list) else ():
        if not isinstance(name, str) or name in ("truth", "right") or drug is None:
            continue
        if is_path(name):
            yield Problem(path, "a file of your own", "name what is shipped: a protocol keeps no copy of it")
            continue
        model, _ = load_model(name, path)
        if model is not None and model.drug != drug:
            problem = f"model '{name}' is for {model.drug}, the scenario for {drug}"
            yield Problem(path, problem, "name a model of the same drug ('pkmodel list models')")


def _cotherapy(arm: Mapping[str, Any], path: KeyPath) -> Iterator[Problem]:
    for index, one in enumerate(tables_in(arm.get("cotherapy"))):
        start, until = time_of(one, "from") or 0.0, time_of(one, "until")
        if until is not None and until <= start:
            problem = f"until day {until:g}, from day {start:g}"
            yield Problem((*path, "cotherapy", index, "until"), problem, "'until' must be after 'from'")


def _adherence(table: object, path: KeyPath) -> Iterator[Problem]:
    if not isinstance(table, Mapping):
        return
    missed, late = (sum(numbers_in([table.get(key, 0.0)])) for key in ("missed", "late"))
    if missed <= 1 and late <= 1 < missed + late:
        problem = f"missed {missed:g} and late {late:g} make more than 1"
        yield Problem(path, problem, "lower them: they are shares of the doses")
    if late > 0 and "late_by" not in table:
        yield Problem(path, "'late' without 'late_by'", 'say by how much, such as late_by = "1 week"')


def _clinic(table: object, path: KeyPath) -> Iterator[Problem]:
    if not isinstance(table, Mapping):
        return
    if "rounding" in table and "vial" not in table:
        yield Problem((*path, "rounding"), "'rounding' without 'vial'", 'say to what, such as vial = "100 mg"')
    low, high = time_of(table, "min_interval"), time_of(table, "max_interval")
    if low is not None and high is not None and low > high:
        yield Problem((*path, "min_interval"), f"day {low:g} is above day {high:g}", "exchange the limits")


def _alternatives(arm: Mapping[str, Any], path: KeyPath, seen: set[str]) -> Iterator[Problem]:
    """Drugs to switch to: like the scenario's own, each once, and from what is shipped."""
    for index, one in enumerate(tables_in(arm.get("alternative"))):
        here: KeyPath = (*path, "alternative", index)
        for key in ("model", "immunogenicity"):
            if is_path(text_of(one, key) or ""):
                yield Problem(
                    (*here, key), "a file of your own", "name what is shipped: a protocol keeps no copy of it"
                )
                return
        model, found = load_model(text_of(one, "model"), (*here, "model"))
        yield from found
        drug = text_of(one, "drug")
        yield from drug_problems(drug, model, here)
        if drug in seen:
            yield Problem((*here, "drug"), f"{drug} is there already", "name another drug, or leave it out")
        seen = seen | {drug} if drug else seen
        yield from immunogenicity_problems(text_of(one, "immunogenicity"), drug, model, (*here, "immunogenicity"))
        yield from assay_problems(one.get("assays"), drug, (*here, "assays"))
        routes = list(_dosing(one, model, here))
        yield from (got for got in routes if isinstance(got, Problem))
        if any(got == "sc" for got in routes) and one.get("premedication") is not None:
            yield Problem((*here, "premedication"), "IV premedication before a subcutaneous dose", "leave it out")


def _per_weight(text: str) -> bool:
    try:
        return units.dose(text).per_weight
    except InputError:
        return False


def window_problems(name: str | None, drug: str | None, path: KeyPath) -> Iterator[Problem]:
    """Yield what is wrong with the name of a target window, given at a key path."""
    if name is not None:
        from pkmodel import windows

        yield from tried(lambda: windows.load(name, drug), path)
