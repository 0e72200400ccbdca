"""Where a run's numbers come from: models, assays and windows, each with its citation and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pkmodel.drug import Citation
    from pkmodel.windows import TargetWindow
    from scenarios.scenario import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A part of the simulation and its origin.

    Attributes
    ----------
    what
        "Drug model", "Antibody layer" and so on.
    name, text
        Its name in the library, and what is known of its origin.
    doi
        Of the paper, if there is one.
    """

    what: str
    name: str
    text: str
    doi: str = ""


def sources(scenario: Scenario, window: TargetWindow) -> list[Source]:
    """All parts of a scenario that have an origin, the drug model first."""
    from pkmodel import antibody, library
    from pkmodel.response import Response
    from scenarios.cohorts import Cohort
    from scenarios.observe import Laboratory

    model = library.load(scenario.model)
    laboratory = Laboratory.load(scenario.assays, scenario.drug)
    cohort = Cohort.load(scenario.cohort)
    antibodies = antibody.layer(scenario.immunogenicity)
    response = Response.load(scenario.drug)
    own = {str(path): path.name for path in scenario.files.values()}
    found = [
        Source(what="Drug model", name=model.name, text=_cited(model.citation, model.title), doi=model.citation.doi),
        Source(
            what="Antibody formation",
            name="none" if antibodies is None else antibodies.name,
            text="not simulated" if antibodies is None else antibodies.status,
        ),
        Source(what="Response and its loss", name=response.name, text=response.status),
        Source(what="Patients", name=own.get(cohort.name, cohort.name), text=f"{cohort.title}; {cohort.status}"),
        Source(what="Target window", name=window.name, text=_with_status(window.source, window.status)),
    ]
    assays = (
        ("Drug assay", laboratory.drug),
        ("Antibody assay, drug-sensitive", laboratory.sensitive),
        ("Antibody assay, drug-tolerant", laboratory.tolerant),
    )
    found += [Source(what=what, name=one.name, text=_with_status(one.source, one.status)) for what, one in assays]
    return found


def _with_status(source: str, status: str) -> str:
    parts = (source.replace("ug/mL", "µg/mL"), f"status: {status}" if status else "")
    return "; ".join(part for part in parts if part)


def _cited(citation: Citation, fallback: str) -> str:
    """The paper as a reference list has it; what is not known is left out."""
    authors = list(citation.authors)
    named = ", ".join(authors[:3]) + (", et al" if len(authors) > 3 else "")
    place = citation.journal
    if citation.year:
        place += f" {citation.year}"
    if citation.volume:
        place += f";{citation.volume}"
    if citation.pages:
        place += f":{citation.pages}"
    return ". ".join(part for part in (named, citation.title or fallback, place) if part) + "."
