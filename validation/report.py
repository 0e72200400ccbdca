"""The validation report: published against predicted, good or bad, with reasons in words."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

from pkmodel.uncertainty import parameter_sets
from validation import contrast, forecasting, other_programs, pictures, sections, strategy_sections, titre
from validation.case import figures
from validation.page import Block, Heading, Picture, Table, Words, markdown, page
from validation.predict import differences, pooled, simulate_sets
from validation.published import MET, Prediction
from validation.reaction_check import checks
from validation.strategy import findings
from validation.trial import Parameters
from validation.velayos import velayos

_HERE = Path(__file__).parent
_TITLE = "Validation: what the antibodies predict of the literature"

FULL = {"sets": 80, "patients": 1500, "single": 4000, "ranked": 1000, "forecast": 2000}
QUICK = {"sets": 8, "patients": 250, "single": 600, "ranked": 100, "forecast": 100}


def write(folder: Path, *, quick: bool, say: Callable[[str], None] = print, workers: int | None = None) -> list[Path]:
    """Predict everything and write ``REPORT.md``, ``report.html`` and pictures into ``folder``.

    Returns
    -------
    list of Path
        What was written.
    """
    effort = QUICK if quick else FULL
    folder.mkdir(parents=True, exist_ok=True)
    sets = [
        Parameters(immunogenicity=one.immunogenicity, response=one.response, cutoffs=one.cutoffs)
        for one in parameter_sets()[: effort["sets"]]
    ]
    say(f"{len(figures())} figures, {len(sets)} parameter sets, {effort['patients']} patients")
    estimates = simulate_sets(sets, effort["patients"], workers=workers)
    found = pooled(estimates)
    say("trials of strategies")
    trials = findings(sets, effort["patients"], workers=workers)
    best = Parameters.shipped()
    say("contrast, titres, alternative models")
    parts = contrast.contrasts(best, effort["single"])
    bins, arms = titre.curve(best, effort["single"]), titre.outcomes(best, effort["single"])
    pictures.forest(found, folder / "forest.png")
    pictures.decomposition(parts, folder / "contrast.png")
    pictures.titres(bins, folder / "titre.png")
    say("estimates and forecasts for single patients")
    singles = forecasting.study_forecasts(ranked=effort["ranked"], forecast=effort["forecast"], workers=workers)
    blocks = [
        *_head(found, len(sets), effort["patients"], quick),
        *sections.review(found),
        *_tables(found),
        *sections.paired(differences(estimates)),
        *strategy_sections.strategies(trials),
        *strategy_sections.testing(velayos(effort["single"])),
        *strategy_sections.reactions(checks(best, effort["single"])),
        *sections.wrong(found),
        *sections.capacity(),
        *_contrast(parts, contrast.washout(best, effort["single"])),
        *_rescue(found, bins, arms),
        *sections.ratios(found),
        *sections.alternatives(best, effort["single"] // 2),
        *sections.ties(),
        *sections.identifiability(),
        *forecasting.section(singles, folder),
        *other_programs.section(other_programs.compare()),
    ]
    written = [folder / "REPORT.md", folder / "report.html"]
    written[0].write_text(markdown(blocks), encoding="utf-8")
    written[1].write_text(page(blocks, _TITLE, folder), encoding="utf-8")
    drawn = ("forest.png", "contrast.png", "titre.png", "ranks.png", "ranks-ecdf.png")
    return [*written, *(folder / name for name in drawn)]


def tally(found: Sequence[Prediction]) -> tuple[int, int, int, int]:
    """Calibration figures met and all; validation figures of the denominator met and all."""
    fitted = [one for one in found if one.figure.role == "calibration"]
    counted = [one for one in found if one.counts]
    return (
        sum(one.verdict == MET for one in fitted),
        len(fitted),
        sum(one.verdict == MET for one in counted),
        len(counted),
    )


def _head(found: Sequence[Prediction], sets: int, patients: int, quick: bool) -> list[Block]:
    met, fitted, good, counted = tally(found)
    bar = tomllib.loads((_HERE / "denominator.toml").read_text(encoding="utf-8"))["rule"]["bar"]
    told = "reaches" if good >= bar * counted else "does not reach"
    text = (
        f"Calibration figures met: {met} of {fitted}. Figures of the denominator (READ, kept for validation, "
        "expressible; "
        f"validation/denominator.toml, written before fitting) met without ever having been fitted: {good} of "
        f"{counted} "
        f"({100 * good / counted:.0f} %), which {told} the bar of {100 * bar:.0f} %."
    )
    how = (
        f"A prediction is the median over {sets} parameter sets ({patients} virtual patients each) with a 95 % "
        "interval "
        "over sets and over sampling at the study's own n. A figure is met when the median lies in its accept range "
        "and "
        "the interval is no wider than twice the study's own sampling interval. MEMORY figures were not verified in a "
        "source: they are shown and decide nothing."
    )
    blocks: list[Block] = [Heading(_TITLE, 1), Words(text), *map(Words, _close(found, sets)), Words(how)]
    if quick:
        blocks.append(Words("This is the quick report: few patients and sets, so its medians and verdicts are rough."))
    return [*blocks, Picture("forest.png", "Published and predicted figures")]


def close(found: Sequence[Prediction], sets: int) -> list[tuple[Prediction, float]]:
    """Figures of the denominator met by less than two standard errors of their median; the error stands beside.

    The standard error is that of a median over ``sets`` parameter sets: 1.25 of their SD, as if they were normal, over
    the root of their number.
    """
    near = []
    for one in found:
        low, high = one.figure.accept_low, one.figure.accept_high
        if one.counts and one.verdict == MET and low is not None and high is not None:
            error = 1.25 * (one.inner[1] - one.inner[0]) / 3.92 / math.sqrt(sets)
            if min(one.median - low, high - one.median) < 2.0 * error:
                near.append((one, error))
    return near


def _close(found: Sequence[Prediction], sets: int) -> list[str]:
    near, (_, _, good, counted) = close(found, sets), tally(found)
    if not near:
        return []
    told = ", ".join(
        f"{one.figure.id} ({one.median:.1f} +- {error:.1f}; {one.figure.accept_low:g} to {one.figure.accept_high:g})"
        for one, error in near
    )
    return [
        f"Met by less than two standard errors of a median over {sets} sets: {told}. Had these come out on the other "
        f"side, {good - len(near)} of {counted} would be met. The model was changed with these figures in view, last "
        "as the end of the section What the model gets wrong tells: no number was fitted to them, but they are no test "
        "any more that nobody had seen."
    ]


def _tables(found: Sequence[Prediction]) -> list[Block]:
    blocks: list[Block] = [Heading("Figures")]
    groups = (
        ("Calibration: what was fitted", [p for p in found if p.figure.role == "calibration"]),
        ("Validation: the denominator", [p for p in found if p.counts]),
        ("Validation, from memory: advisory", [p for p in found if p.figure.role == "validation" and not p.counts]),
        ("Same cohorts as the calibration: consistency only", [p for p in found if p.figure.role == "same-cohort"]),
        ("Other figures, beside", [p for p in found if p.figure.role == "context"]),
    )
    for title, group in groups:
        blocks += [Heading(title, 3), sections.table(group)]
    left = tomllib.loads((_HERE / "denominator.toml").read_text(encoding="utf-8"))["figure"]
    blocks += [Words(f"Not expressible: {one['id']}. {one['reason']}") for one in left if not one["expressible"]]
    return blocks


def _contrast(parts: Sequence[contrast.Contrast], washout: tuple[float, float]) -> list[Block]:
    rows = [
        [one.family, f"week {one.week}"]
        + [f"{value:.1f}" for value in (one.seen, one.biology, one.unmasking, one.without_tolerance)]
        for one in parts
    ]
    told = [
        f"On demand minus on schedule (5 mg/kg, no immunomodulator), by {one.family} to week {one.week}: "
        f"{one.seen:.1f} "
        f"percentage points as the drug-sensitive assay saw it, of which {one.biology:.1f} are biology (antibody that "
        f"was there) and {one.unmasking:.1f} are unmasking (antibody that only the lack of drug showed). Biology "
        "without "
        f"high-zone tolerance (C_tol infinite) would be {one.without_tolerance:.1f}."
        for one in parts
        if one.week == max(other.week for other in parts)
    ]
    stopped = (
        f"Had all patients on schedule stopped after week 46, the sponsor's assay would have found {washout[1]:.1f} "
        "% of "
        f"them positive by week 72 instead of {washout[0]:.1f} %: their antibodies unmasked in turn."
    )
    head = ["assay", "up to", "seen, points", "biology", "unmasking", "biology with C_tol infinite"]
    title = "On demand against on schedule: biology and unmasking"
    words = [Words(text) for text in (*told, stopped)]
    return [Heading(title), *words, Table(head, rows), Picture("contrast.png", title)]


def _rescue(found: Sequence[Prediction], bins: Sequence[titre.Bin], arms: Sequence[titre.Outcome]) -> list[Block]:
    ids = ("AFIF-LOW-ESC", "AFIF-HACA-ESC", "AFIF-HACA-SWITCH")
    placebo = Parameters.shipped().response["infliximab"].p_placebo
    text = (
        "When response is lost the cause is mechanistic with probability lambda_mech / lambda(t); then no drug helps. "
        "Otherwise response is regained with the share of the missing effect, 1 - E over eight weeks, that the change "
        "has restored twelve weeks later (validation/rescue.py). Whatever the cause, and whatever is done, disease "
        f"calms down by itself in {100.0 * placebo:.0f} % of losses, as it did on placebo after loss of response to "
        "infliximab (GAIN). So the unchanged regimen, the control that a rule of rescue has to face, brings back that "
        "share, and what comes of a patient's clearance being lower than it was. "
        "A trough of 3 ug/mL or more is shown beside, as a second reading that needs no rule of response. The titre "
        "above "
        "which escalation fails was never told to the model."
    )
    by_arm = [
        [one.arm, one.group, str(one.patients)]
        + [f"{value:.0f}" for value in (one.lack_of_drug, one.regained, one.trough_back)]
        for one in arms
    ]
    by_titre = [
        [
            f"{one.low:g} to {one.high:g}" if one.high < float("inf") else f"above {one.low:g}",
            str(one.patients),
            f"{one.regained:.0f}",
            f"{one.trough_back:.0f}",
        ]
        for one in bins
    ]
    head = ["lost for lack of drug, %", "response regained, %", "trough of 3 ug/mL, %"]
    return [
        Heading("After loss of response"),
        Words(text),
        sections.table([one for one in found if one.figure.id in ids]),
        Table(["what was changed", "patients with", "n", *head], by_arm),
        Table(["antibody at loss, ug/mL-eq (interval halved)", "n", *head[1:]], by_titre),
        Picture("titre.png", "Interval halved at loss of response, by titre"),
    ]
