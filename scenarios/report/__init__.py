"""The report of a run: one HTML file that needs nothing beside it, for readers who never saw the command line.

Question and answer first, then pictures and tables, then what was assumed and how to repeat it. The same run gives
the same bytes: no date, no path, no random name goes into it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scenarios.readout import choose_window

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from scenarios.scenario import Scenario
    from scenarios.tables import CompareTable, ScoreTable


def report_html(
    result: xr.Dataset,
    scenario: Scenario,
    scores: ScoreTable,
    comparison: CompareTable,
    run: Mapping[str, Any],
    drawn: Mapping[str, Figure] | None = None,
) -> str:
    """Return the report of a run as HTML.

    Parameters
    ----------
    result, scores, comparison
        The run's dataset and its two tables.
    scenario
        As it was run.
    run
        Patients, seed and what was kept.
    drawn
        Figures of this result that exist already, by the name of the function that draws them.
    """
    from scenarios.outputs import versions
    from scenarios.report.patients import patient_rows
    from scenarios.report.pictures import pictures
    from scenarios.report.protocol import arm_words, trial_words
    from scenarios.report.results import arm_sentences, difference_sentences
    from scenarios.report.sources import sources

    window = choose_window(result, scenario.window)
    others = "other" if scores.heading.randomised else "the same"
    page: str = _template().render(
        scenario=scenario,
        window=window,
        heading=scores.heading,
        run=dict(run),
        regain=scenario.regain_after is not None,
        dropout=scenario.design.dropout > 0.0,
        alternatives=any(arm.alternatives for arm in scenario.arms),
        differences=difference_sentences(scores, comparison),
        sentences=arm_sentences(scores),
        pictures=pictures(result, window, scores, drawn or {}),
        tables=[
            ("Each arm by itself", scores),
            (f"Each arm minus the first, in {others} patients; percentages differ in percentage points", comparison),
        ],
        arms=arm_words(scenario),
        trial=trial_words(scenario),
        patients=patient_rows(result),
        sources=sources(scenario, window),
        scores_reactions=(scores.frame["metric"] == "infusion_reactions").any(),
        assessed=_assessed(result),
        on_demand=any(type(arm.policy).__name__ == "Episodic" for arm in scenario.arms),
        off_schedule=any(type(arm.policy).__name__ != "Fixed" for arm in scenario.arms),
        files=sorted(path.name for path in scenario.files.values()),
        versions=versions(),
    )
    return page


def _assessed(result: xr.Dataset) -> str:
    """When response is judged, in words; nothing where the result does not tell."""
    from scenarios.readout import week_text

    day = result.attrs.get("assessment_d")
    return "" if day is None else f", in week {week_text(float(day) / 7.0)}"


def _template() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("scenarios.report", "."),
        autoescape=True,  # titles and names come from files of users
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["minus"] = lambda text: text.replace("<= ", "≤ ").replace("-", "−")
    return environment.get_template("report.html.jinja")
