"""Sections of the report that are mostly tables."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

from validation.page import Block, Heading, Table, Words
from validation.predict import Difference, predict_one
from validation.published import BESIDE, MET, Prediction
from validation.targets import calibration_figures
from validation.trial import Parameters

_HERE = Path(__file__).parent
_HEADLINES = (
    "ACCENT1-5-ATI-W72",
    "ACCENT1-EPI-ATI-W72",
    "PANTS-IFX-ADA54",
    "BAERT-ATI",
    "QIU-LOR-IFX",
    "SONIC-TROUGH-MONO",
    "SONIC-TROUGH-COMBO",
)
_MODELS = (
    "infliximab-fasanmade-2011",
    "infliximab-fasanmade-2009",
    "infliximab-hanzel-2021",
    "infliximab-wojciechowski-2017",
)


def table(found: Sequence[Prediction]) -> Table:
    """Published and predicted, one row a figure."""
    head = ["figure", "what", "published", "predicted", "from sets alone", "verdict", "accept range", "source"]
    return Table(head, [_row(one) for one in found])


def _row(one: Prediction) -> list[str]:
    figure = one.figure
    published = f"{figure.value:g}"
    if figure.low is not None and figure.high is not None:
        published += f" ({figure.low:g} to {figure.high:g}; {figure.interval})"
    accept = "none" if figure.accept_low is None else f"{figure.accept_low:g} to {figure.accept_high:g}"
    return [
        f"{figure.id} ({figure.status})",
        f"{figure.endpoint}, {figure.unit}",
        published,
        f"{_short(one.median)} ({_short(one.low)} to {_short(one.high)})",
        f"{_short(one.inner[0])} to {_short(one.inner[1])}",
        one.verdict,
        accept,
        figure.citation,
    ]


def _short(value: float) -> str:
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def review(found: Sequence[Prediction]) -> list[Block]:
    """The seed review's own figures, its misprints noted."""
    by_id = {one.figure.id: one for one in found}
    rows = []
    for one in tomllib.loads((_HERE / "review.toml").read_text(encoding="utf-8"))["printed"]:
        linked = by_id.get(one.get("figure", ""))
        predicted = "" if linked is None else f"{_short(linked.median)} ({_short(linked.low)} to {_short(linked.high)})"
        rows.append(
            [one["id"], one["drug"], one["printed"], one["decoded"], one["matches"], one["judgement"], predicted]
        )
    text = (
        'Roda 2016 (doi:10.1038/ctg.2015.63), the review this project starts from. Its print has "4" for ">" and '
        '"o" for '
        '"<" in places. "As in its source" says whether the number is the original study\'s. The bands 6-16 % on '
        "schedule "
        "and 37-61 % on demand are reported here and were never fitted. A prediction stands beside a figure that a "
        "simulated study corresponds to."
    )
    head = ["", "drug", "printed", "read as", "as in its source", "note", "predicted"]
    return [Heading("The review's own figures"), Words(text), Table(head, rows)]


def paired(found: Sequence[Difference]) -> list[Block]:
    """Contrasts as contrasts, on paired patients."""
    rows = [
        [
            f"{one.first} minus {one.second}",
            f"{one.published:.1f} (+- {one.half:.1f})",
            f"{one.median:.1f} ({one.low:.1f} to {one.high:.1f})",
            "yes" if abs(one.median - one.published) <= one.half else "no",
            f"{one.no:.0f} %",
        ]
        for one in found
    ]
    text = (
        "Differences in percentage points, on the same virtual patients in both arms; the interval is over "
        "parameter sets "
        "and over sampling of two groups of the published sizes. The last column is the share of simulated studies of "
        "that size whose difference would not have exceeded the published 95 % half-width: a real effect can be missed."
    )
    head = ["contrast", "published", "predicted", "median within", "studies that would show nothing"]
    return [Heading("Contrasts"), Words(text), Table(head, rows)]


def wrong(found: Sequence[Prediction]) -> list[Block]:
    """What the model gets wrong, in words."""
    words = tomllib.loads((_HERE / "words.toml").read_text(encoding="utf-8"))
    blocks: list[Block] = [Heading("What the model gets wrong")]
    blocks += [Words(text) for text in words["general"]]
    reasons = words["miss"]
    for one in found:
        if one.verdict in (MET, BESIDE) or not (one.counts or one.figure.role == "calibration"):
            continue
        reason = reasons.get(one.figure.id, "No reason is known yet.")
        blocks.append(Words(f"{one.figure.id}: {one.verdict}. {reason}"))
    return blocks


def ratios(found: Sequence[Prediction]) -> list[Block]:
    """Simulated marginal Cox ratios."""
    ids = ("PANTS-IMM-HR-IFX", "HLA-HR-IFX", "HLA-HR-ADL")
    text = (
        "Published hazard ratios are marginal; a frailty makes the multipliers of the model conditional. So the "
        "simulated marginal ratio is compared: Cox's partial likelihood on the first positive sample. The calibration "
        "ties the multipliers of HLA-DQA1*05 and of an immunomodulator to published ratios (see what ties parameters): "
        "the ratios below are inputs as much as predictions."
    )
    return [
        Heading("Marginal hazard ratios of immunogenicity"),
        Words(text),
        table([one for one in found if one.figure.id in ids]),
    ]


def alternatives(best: Parameters, patients: int) -> list[Block]:
    """Headline figures with other population models in place of the Crohn's disease default."""
    predicted = []
    for model in _MODELS:
        swap = {"infliximab-fasanmade-2011": model}
        predicted.append(predict_one(best, patients, _HEADLINES, models=swap))
    from validation.case import figures

    rows = []
    for name in _HEADLINES:
        figure = figures()[name][1]
        rows.append(
            [
                name,
                f"{figure.endpoint}, {figure.unit}",
                f"{figure.value:g}",
                *(_short(p[name].value) for p in predicted),
            ]
        )
    text = (
        "The best set, with other published population models instead of Fasanmade 2011 (Crohn's disease). Nothing is "
        "fitted again, and what scales clearance and its variability stays: it was found for Fasanmade 2011."
    )
    head = ["figure", "what", "published", *(model.removeprefix("infliximab-") for model in _MODELS)]
    return [Heading("Alternative population models"), Words(text), Table(head, rows)]


def ties() -> list[Block]:
    """Published numbers beside the figures that the fit was held to, from its record."""
    record = tomllib.loads((_HERE / "calibration.toml").read_text(encoding="utf-8"))
    figures = calibration_figures()
    rows = [
        [
            one["target"],
            f"{one['published']:.3g} (+- {100 * one['standard_error']:.0f} %)"
            if one["scale"] == "log"
            else f"{one['published']:.3g} (+- {one['standard_error']:.3g})",
            f"{one['predicted']:.3g}",
            "{:.3g} to {:.3g}".format(*one["sets"]),
        ]
        for one in record["fitted"]
        if one["target"] not in figures
    ]
    text = (
        "Some published numbers are no incidence or rate of the split and still say what a parameter has to be. They "
        "took part in the fit beside the calibration figures; sources and errors are in validation/targets.py. In "
        "brackets one standard error."
    )
    head = ["what ties parameters", "published", "best set", "95 % of sets"]
    return [Heading("What ties parameters beside the figures"), Words(text), Table(head, rows)]


def identifiability() -> list[Block]:
    """How well each parameter is known, from the record of the fit."""
    record = tomllib.loads((_HERE / "calibration.toml").read_text(encoding="utf-8"))
    rows = [
        [
            one["name"],
            one["unit"],
            f"{one['value']:.3g}",
            f"{one['sets'][0]:.3g} to {one['sets'][1]:.3g}",
            one["prior"],
            f"{100 * one['narrowed']:.0f} %",
        ]
        for one in record["parameter"]
    ]
    pairs = "; ".join(
        f"{one['between'][0]} with {one['between'][1]} {one['value']:+.2f}" for one in record.get("correlation", [])
    )
    text = (
        f"{record['accepted']} sets are kept, of {record['drawn']} drawn from the surrogate's posterior "
        f"({record['evaluated']} points simulated): the first that the simulator finds inside the accept range of "
        "every calibration figure. Narrowed by 0 % means that the figures "
        f"say nothing about a parameter beyond its prior. Correlated beyond 0.4: {pairs or 'none'}."
    )
    head = ["parameter", "unit", "best", "95 % of sets", "prior", "narrowed by"]
    return [Heading("What the figures can tell of the parameters"), Words(text), Table(head, rows)]


def capacity() -> list[Block]:
    """What a search found that was allowed to look at the held-out figures (``validation/capacity.py``)."""
    kept = tomllib.loads((_HERE / "capacity.toml").read_text(encoding="utf-8"))
    calibrated = tomllib.loads((_HERE / "calibration.toml").read_text(encoding="utf-8"))["parameter"]
    text = (
        "Are figures missed because no parameters predict them together, or because eleven figures leave the "
        "parameters open? A search was allowed to look at all of them (validation/capacity.py). The best point that it "
        f"found meets {kept['calibration_met']} of the {kept['calibration']} calibration figures and {kept['met']} of "
        f"the {kept['searched']} of the denominator that it looked for (correlations are left out). Nothing of it is "
        "shipped, and meeting figures that were looked at is no success: it says what the structure could hold. The "
        "search leaves out what ties parameters to other published numbers, so it is generous."
    )
    figures = [
        [one["id"], one["role"], "{:g} to {:g}".format(*one["accept"]), f"{one['best_point']:g}", _yes(one["met"])]
        for one in kept["figure"]
    ]
    sets = {one["name"]: one for one in calibrated}
    parameters = [
        [name, f"{value:g}", f"{sets[name]['value']:g}", "{:g} to {:g}".format(*sets[name]["sets"])]
        for name, value in kept["parameters"].items()
        if not sets[name]["sets"][0] <= value <= sets[name]["sets"][1]
    ]
    return [
        Heading("What the structure could hold"),
        Words(text),
        Table(["figure", "role", "accept range", "at that point", "met"], figures),
        Words(
            "Where that point lies outside the 95 % interval of the calibrated sets: parameters that a measurement of "
            "their own would have to tell from the calibrated ones."
        ),
        Table(["parameter", "at that point", "calibrated", "calibrated sets"], parameters),
    ]


def _yes(true: bool) -> str:
    return "yes" if true else "no"
