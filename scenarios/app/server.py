"""The server's side of a session: settings come in, numbers go out; every fault becomes a sentence."""

from __future__ import annotations

from typing import Any

from pkmodel.errors import InputError
from scenarios.app import answers
from scenarios.app.setting import Setting, Simulated, simulate


def server(input: Any, output: Any, session: Any) -> None:
    """One session; Shiny calls this for each browser."""
    from shiny import reactive

    current: list[Simulated] = []

    @reactive.effect
    @reactive.event(input.setting)
    async def _show() -> None:
        try:
            done = simulate(Setting.read(input.setting()))
        except InputError as error:
            await session.send_custom_message("fault", {"text": str(error)})
            return
        current[:] = [done]
        await session.send_custom_message(
            "shown",
            {
                "about": answers.about(done),
                "cell": answers.picture(done),
                "toml": answers.scenario_toml(done),
                "csv": answers.scores_csv(done),
            },
        )

    @reactive.effect
    @reactive.event(input.patient)
    async def _follow() -> None:
        number = input.patient()
        if not current or isinstance(number, bool) or not isinstance(number, int):
            return
        if 0 <= number < current[0].setting.patients:
            await session.send_custom_message("person", answers.person(current[0], number))

    @reactive.effect
    @reactive.event(input.quiz)
    async def _ask() -> None:
        number = input.quiz()
        if current and isinstance(number, int) and 0 <= number < 10**6:
            await session.send_custom_message("question", {"asked": answers.question(current[0], number)})
