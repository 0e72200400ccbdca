"""Sections of the report on trials: strategies, what testing saves, infusion reactions."""

from __future__ import annotations

from collections.abc import Sequence

from scenarios.intervals import Interval
from validation.page import Block, Heading, Table, Words
from validation.reaction_check import Check
from validation.strategy import Finding, table_rows
from validation.velayos import LOW, PUBLISHED, Velayos


def strategies(found: Sequence[Finding]) -> list[Block]:
    """Published trials of strategies and what simulated ones of the same size find."""
    tested = [one for one in found if one.comparison.outcome != "direction"]
    null = [one for one in tested if one.comparison.outcome == "null"]
    positive = [one for one in tested if one.comparison.outcome == "positive"]
    text = (
        f"Of {len(null)} published comparisons without a winner the model agrees with "
        f"{sum(one.agrees for one in null)}, of {len(positive)} with a winner with "
        f"{sum(one.agrees for one in positive)}. Nothing here was fitted. Endpoints differ (clinical scores, steroids "
        "and ulcers have no counterpart), so levels are not compared; the question is whether there was a winner. A "
        "simulated trial of the published size finds a difference if the chi-squared test has p < 0.05; the model "
        'says "positive" if at least half of such trials find one (the rule of validation/strategy.py, written before '
        "any of it was simulated). The interval of the difference is over parameter sets and over trials of that "
        "size. Each file of validation/trials says what of its trial is missing."
    )
    caution = (
        "Agreement with a null trial is cheap: in small trials of strategies that change little, nearly any model says "
        "null. Agreement with a trial that had a winner is the harder test."
    )
    head = [
        "trial", "endpoint", "published", "simulated", "difference, points", "direction", "published outcome",
        "the model says", "verdict",
    ]  # fmt: skip
    notes = [Words(f"{one.comparison.trial}: {one.comparison.note}") for one in found if one.comparison.note]
    return [Heading("Strategy trials"), Words(text), Words(caution), Table(head, table_rows(found)), *notes]


def testing(found: Velayos) -> list[Block]:
    """Velayos: fewer high doses and less money."""
    money = f"{found.prices.currency} of {found.prices.year}"
    saved = "cheaper" if found.saving.low > 0.0 else "dearer" if found.saving.high < 0.0 else "neither"
    text = (
        "Velayos 2013 is a decision model: testing before escalating cost less than escalating everybody (31,870 "
        "against 37,266 USD) with the same quality-adjusted life (0.801 against 0.800). Here those who lose response "
        "on 5 mg/kg are followed for a year. Testing doubles the dose only for those with a trough below "
        f"{LOW:g} ug/mL and no antibody; the others change to a drug that is assumed to cost as much as 5 mg/kg. What "
        "the second drug achieves is not simulated, so outcome is not compared. PRICES ARE INVENTED EXAMPLES "
        "(scenarios/data/prices/example.toml): only the direction means anything. Simulated, testing is "
        f"{saved}; the saving is gone only if a test costs {found.dearest_test:,.0f}."
    )
    (ours, theirs), (cost, empiric) = PUBLISHED["high_dose"], PUBLISHED["cost"]
    rows = [
        [
            "on a high dose, test-based",
            f"{ours:g} % (empiric {theirs:g} %)",
            f"{_range(found.high_dose)} % (empiric 100)",
        ],
        ["cost of the year, empiric", f"{empiric:,.0f} USD", f"{_range(found.empiric)} {money}"],
        ["saved by testing", f"{empiric - cost:,.0f} USD", f"{_range(found.saving)} {money}"],
    ]
    head = ["", "published (READ)", f"simulated, {found.saving.n} patients who lost response"]
    return [Heading("Testing before escalating: Velayos 2013"), Words(text), Table(head, rows)]


def _range(one: Interval) -> str:
    return f"{one.estimate:,.0f} ({one.low:,.0f} to {one.high:,.0f})"


def reactions(found: Sequence[Check]) -> list[Block]:
    """Published infusion reactions beside simulated ones."""
    rows = []
    for one in found:
        figure = one.figure
        published = f"{figure.value:g}"
        if figure.low is not None and figure.high is not None:
            published += f" ({figure.low:g} to {figure.high:g})"
        rows.append(
            [
                figure.id,
                f"{figure.endpoint}, {figure.unit}",
                published,
                f"{one.simulated:.1f}",
                figure.note,
                figure.citation,
            ]
        )
    text = (
        "The model of infusion reactions (scenarios/reactions.py) takes a base rate, a ratio for antibody and a ratio "
        "for gaps from three papers; how they go together is assumed (scenarios/data/reactions/infliximab.toml). Best "
        "parameter set. Reactions of a patient are independent of each other given antibody and gap; in clinics they "
        "cluster, so the model has too many patients with a reaction for its number of reactions."
    )
    head = ["figure", "what", "published", "simulated", "note", "source"]
    return [Heading("Infusion reactions"), Words(text), Table(head, rows)]
