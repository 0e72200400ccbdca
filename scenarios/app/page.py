"""The page of the app: our own markup and drawing, Shiny's connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from htmltools import Tag


def page() -> Tag:
    """The whole page; only native controls, no style sheet but ours."""
    from shiny import ui

    from scenarios.app.setting import PATIENTS
    from scenarios.catalog import listing

    environment = _environment()
    cohorts = {name: title for name, title in listing("cohorts").items() if name in _cohorts()}
    body = environment.get_template("app/page.html.jinja").render(cohorts=cohorts, most=PATIENTS)
    style = environment.get_template("lesson/lesson.css").render()
    scripts = [environment.get_template(name).render() for name in ("lesson/drawing.js", "app/app.js")]
    head = ui.head_content(
        ui.tags.title("Build a regimen: infliximab in virtual patients"),
        ui.tags.meta(name="viewport", content="width=device-width, initial-scale=1"),
        ui.tags.link(rel="icon", href="data:,"),  # or the browser asks for one that is not there
        ui.tags.style(ui.HTML(style)),
    )
    return ui.tags.html(head, ui.HTML(body), ui.tags.script(ui.HTML("\n".join(scripts))), lang="en")


def _cohorts() -> tuple[str, ...]:
    from typing import get_args

    from scenarios.app.setting import Setting

    return get_args(Setting.model_fields["cohort"].annotation)


def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("scenarios", "."),
        autoescape=lambda name: name is not None and name.endswith(".html.jinja"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
