"""Words for one patient's story."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from scenarios.decisions import CONTINUE
from scenarios.ledger import Row

if TYPE_CHECKING:
    from scenarios.explaining import Story

_UNITS = {"weight": "{:.0f} kg", "albumin": "albumin {:.0f} g/L", "crp": "CRP {:.0f} mg/L"}
_RESULT = {0: "negative", 1: "positive", 2: "inconclusive"}


def lines(story: Story) -> Iterator[str]:
    """The whole story, line by line."""
    yield f"Patient {story.patient}, arm '{story.arm}' of {story.scenario} (seed {story.seed})"
    yield "A virtual patient. Not for treating patients."
    yield _person(story)
    yield ""
    yield "What the clinic saw and did"
    yield from _clinic(story.rows)
    yield ""
    yield "What the clinic could not see"
    yield from _truth(story)
    samples = [f"week {week:g}: {_level(level, story.lloq)}" for week, level in story.samples if week > 0]
    if samples:
        yield ""
        yield f"Levels at the study's visits, {story.drugs[0]} (not shown to the clinic)"
        yield "  " + ", ".join(samples)


def _person(story: Story) -> str:
    said = [_UNITS[name].format(value) for name, value in story.covariates.items() if name in _UNITS]
    if "female" in story.covariates:
        said.append("woman" if story.covariates["female"] > 0.5 else "man")
    if "hla_dqa1_05" in story.covariates:
        carrier = story.covariates["hla_dqa1_05"] > 0.5
        said.append("HLA-DQA1*05 carrier" if carrier else "no HLA-DQA1*05")
    return ", ".join(said)


def _clinic(rows: Sequence[Row]) -> Iterator[str]:
    """One line for each row, but doses that go on as planned are drawn together; each result is told once."""
    plain: list[Row] = []
    told: float | None = None
    for row in rows:
        new = row["sampled_day"] is not None and row["sampled_day"] != told
        told = row["sampled_day"] if new else told
        if row["decision"] != CONTINUE or row["dose_mg"] == 0.0 or new:
            yield from _doses(plain)
            plain = []
            yield _event(row, new)
        elif plain and (row["drug"], row["reason"]) != (plain[-1]["drug"], plain[-1]["reason"]):
            yield from _doses(plain)
            plain = [row]
        else:
            plain.append(row)
    yield from _doses(plain)


def _doses(rows: Sequence[Row]) -> Iterator[str]:
    if rows:
        weeks = ", ".join(f"{row['week']:g}" for row in rows)
        amounts = list(dict.fromkeys(f"{row['dose_mg']:.0f} mg" for row in rows))
        ill = sum(row["symptoms"] for row in rows)
        symptoms = "" if not ill else "; with symptoms" if ill == len(rows) else "; with symptoms at some of them"
        plural = "s" if len(rows) > 1 else ""
        yield f"  week{plural} {weeks}: {rows[0]['drug']} {', then '.join(amounts)}, {rows[0]['reason']}{symptoms}"


def _event(row: Row, new: bool) -> str:
    said = []
    reason = row["reason"]
    if row["symptoms"] and not reason.startswith("symptoms"):
        said.append("symptoms")
    if new:
        said.append(_sample(row))
    words = row["decision"].replace("+", " and ").replace("-", " ")
    said.append(f"{words} ({reason})")
    if row["dose_mg"] > 0.0:
        said.append(f"{row['drug']} {row['dose_mg']:.0f} mg given")
    if row["next_dose_mg"] is None:
        said.append("no dose planned")
    else:
        every = "" if row["interval_d"] is None else f" every {row['interval_d'] / 7.0:g} weeks"
        said.append(f"then {row['next_dose_mg']:.0f} mg{every}")
    return f"  week {row['week']:g}: {'; '.join(said)}"


def _sample(row: Row) -> str:
    week = row["sampled_day"] / 7.0
    level = "below the LLOQ" if row["blq"] else f"{row['level_ug_per_mL']:.2g} ug/mL"
    antibody = _RESULT.get(row["ada_drug_tolerant"], "not measured")
    titre = f", titre {row['titre_ug_per_mL_eq']:.2g} ug/mL-eq" if row["ada_drug_tolerant"] == 1 else ""
    taken = "" if row["sampled_day"] == row["day"] else f", sample of week {week:.3g}"
    return f"level {level}, antibody {antibody}{titre}{taken}"


def _truth(story: Story) -> Iterator[str]:
    told: list[tuple[float, str]] = []
    for drug, day in story.truth.onset.items():
        if day is not None:
            told.append((day, f"antibody against {drug} begins"))
    for day, lacked in story.truth.losses:
        why = "for lack of drug" if lacked else "for a reason that this class of drug does not touch"
        told.append((day, f"response is lost {why}"))
    told += [(day, "response is found to be back") for day in story.truth.regained]
    if story.truth.responder is not None:
        yield f"  {'a' if story.truth.responder else 'no'} primary response"
    elif story.left:
        yield "  primary response was never judged"
    for day, text in sorted(told):
        yield f"  week {day / 7.0:.1f}: {text}"
    end = f"until the patient leaves in week {story.duration / 7.0:.1f}" if story.left else "to the end"
    if all(day is None for day in story.truth.onset.values()):
        yield f"  no antibody {end}"
    if story.truth.responder and not story.truth.losses:
        yield f"  response is kept {end}"
    if story.left:
        yield f"  week {story.duration / 7.0:.1f}: the patient leaves the study; what comes later is not told"


def _level(level: float | None, lloq: float) -> str:
    return f"below {lloq:g}" if level is None else f"{level:.2g} ug/mL"
