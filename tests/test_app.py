"""The app's server side: what is refused, what is simulated, what is asked."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from pkmodel.errors import InputError
from scenarios.app import answers
from scenarios.app.setting import PATIENTS, Setting, simulate
from scenarios.lesson.summary import summary
from scenarios.readout import choose_window
from scenarios.running import run
from scenarios.scenario import Scenario

GIVEN: dict[str, Any] = {
    "dose": 5, "interval": 8, "timing": "scheduled", "immunomodulator": "none", "start": 0, "premedication": "none",
    "cohort": "adult-crohn", "patients": 80, "weeks": 54, "seed": 1,
}  # fmt: skip


def test_a_setting_is_the_arm_of_the_shipped_trial() -> None:
    done = simulate(Setting.read(GIVEN))
    shipped = run(Scenario.load("scheduled-vs-episodic"), patients=80, seed=1, keep="trajectories")
    np.testing.assert_array_equal(done.result["concentration"].values[0], shipped["concentration"].values[0])
    expected = summary(shipped, "scheduled", choose_window(shipped), demand=False)
    assert answers.picture(done) == expected


def test_its_file_is_its_scenario() -> None:
    done = simulate(Setting.read({**GIVEN, "immunomodulator": "thiopurine", "start": 30, "timing": "episodic"}))
    again = Scenario.parse(answers.scenario_toml(done))
    assert again.text == done.trial.text
    assert again.run.patients == 80
    assert again.arms[0].cotherapy[0].start == 210.0


@pytest.mark.parametrize(
    "change",
    [
        {"dose": 0.5}, {"dose": float("nan")}, {"dose": True}, {"dose": "5 mg/kg"}, {"interval": 8.5}, {"interval": 1},
        {"timing": "never"}, {"cohort": "../../secret.toml"}, {"patients": PATIENTS + 1}, {"weeks": 10_000},
        {"seed": -1}, {"more": 1}, {"premedication": None},
    ],
)  # fmt: skip
def test_what_is_outside_the_limits_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(change))):
        Setting.read({**GIVEN, **change})


@pytest.mark.parametrize("given", [None, 5, "dose", [GIVEN], {}])
def test_what_is_no_setting_is_refused(given: object) -> None:
    with pytest.raises(InputError):
        Setting.read(given)


def test_one_patient_is_that_patient() -> None:
    done = simulate(Setting.read(GIVEN))
    told = answers.person(done, 7)
    one = done.result.isel(arm=0, patient=7)
    assert len(told["level"]) == 55
    assert told["tolerant"] == one["ada_drug_tolerant"].values.tolist()
    assert [level is None for level in told["reported"]] == np.isnan(one["trough_measured"].values).tolist()


def test_the_quiz_knows_its_answer() -> None:
    done = simulate(Setting.read({**GIVEN, "timing": "episodic"}))
    lost = np.flatnonzero(np.isfinite(done.result["loss_time"].values[0]))
    seen = set()
    for number in range(lost.size):
        asked = answers.question(done, number)
        assert asked is not None
        assert asked["person"]["number"] == lost[number]
        week, level, onset = (asked["person"][key] for key in ("loss", "level", "onset"))
        lowest = min(level[max(int(np.ceil(week - 8)), 1) : int(week) + 1])
        formed = onset is not None and onset < week
        assert asked["right"] == ("present" if lowest >= 0.3 else "antibody" if formed else "gone")
        assert asked["right"] in asked["causes"]
        seen.add(asked["right"])
    assert len(seen) >= 2
    assert answers.question(done, lost.size)["person"] == answers.question(done, 0)["person"]  # type: ignore[index]


def test_nobody_to_ask_about_is_said() -> None:
    done = simulate(Setting.read({**GIVEN, "dose": 20, "interval": 2, "weeks": 22, "patients": 50}))
    done.result["loss_time"][:] = np.nan
    assert answers.question(done, 0) is None
    simulate.cache_clear()


def test_the_kernels_are_asked_for_their_serial_form(monkeypatch: pytest.MonkeyPatch) -> None:
    import scenarios.running

    asked: list[Any] = []

    def watch(trial: Scenario, **how: Any) -> Any:
        asked.append((how["threads"], threading.current_thread().name))
        return run(trial, **how)

    monkeypatch.setattr(scenarios.running, "run", watch)
    simulate.cache_clear()
    simulate(Setting.read(GIVEN))
    assert asked == [(1, "MainThread")]


def test_without_shiny_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from scenarios.app import create_app

    monkeypatch.setitem(sys.modules, "shiny", None)
    with pytest.raises(InputError, match=r"pkmodel\[app\]"):
        create_app()
