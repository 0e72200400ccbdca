"""A text with a unit is understood completely or refused with a reason."""

from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkmodel.errors import InputError, PkWarning
from pkmodel.units import Amount, concentration, convert, dose, time_d, window


@pytest.mark.parametrize(
    ("text", "days"),
    [("8 weeks", 56.0), ("2 h", 2 / 24), ("2 hours", 2 / 24), ("14 d", 14.0), ("30 min", 30 / 1440),
     ("14.5 weeks", 101.5), ("1 year", 365.25), ("0 weeks", 0.0), (" 1e1  days ", 10.0)],
)  # fmt: skip
def test_times_are_in_days(text: str, days: float) -> None:
    # one multiplication of doubles: two units in the last place
    assert time_d(text) == pytest.approx(days, rel=4e-16)


@pytest.mark.parametrize(
    ("text", "amount"),
    [("5 mg/kg", Amount(5.0, True)), ("300 mg", Amount(300.0, False)), ("7.5mg / kg", Amount(7.5, True))],
)
def test_a_dose_is_absolute_or_per_kilogram(text: str, amount: Amount) -> None:
    assert dose(text) == amount


@pytest.mark.parametrize("text", ["5 ug/mL", "5 mg/L", "5 µg/mL", "5 μg/mL", "5 mcg/mL", "5000 ng/mL"])
def test_spellings_of_one_concentration(text: str) -> None:
    assert concentration(text) == 5.0


@pytest.mark.parametrize(
    ("text", "bounds"),
    [("4-7 ug/mL", (4.0, 7.0)), ("4–7 µg/mL", (4.0, 7.0)), ("4 to 7 mg/L", (4.0, 7.0)),
     (">= 3 ug/mL", (3.0, math.inf)), ("≥3 ug/mL", (3.0, math.inf)), ("0-2.5 ug/mL", (0.0, 2.5))],
)  # fmt: skip
def test_windows(text: str, bounds: tuple[float, float]) -> None:
    assert window(text) == bounds


@pytest.mark.parametrize(
    ("parse", "text", "said"),
    [
        (time_d, "8 wk", "did you mean 'weeks'?"),
        (time_d, "8 Weeks", "did you mean 'weeks'?"),
        (time_d, "8", "has no unit; expected a time such as '8 weeks'"),
        (time_d, "2 months", "write weeks or days"),
        (time_d, "-1 day", "is negative"),
        (time_d, "5 mg", "that is a dose; expected a time"),
        (time_d, "7,5 days", "comma"),
        (dose, "5 ug/mL", "that is a concentration; expected a dose such as '5 mg/kg'"),
        (dose, "10 AU/mL", "that is an antibody titre; expected a dose"),
        (dose, "5 MG/KG", "did you mean 'mg/kg'?"),
        (dose, "1,000 mg", "comma"),
        (dose, "0 mg", "positive"),
        (dose, "-5 mg", "is negative"),
        (dose, "nan mg", "is not a number with a unit"),
        (dose, "1e999 mg", "is not finite"),
        (dose, "5-10 mg/kg", "is a range"),
        (dose, "5 mg/m2", "unknown unit 'mg/m2'"),
        (dose, "5 mg/kg every 8 weeks", "unknown unit"),
        (concentration, "4-7 ug/mL", "is a range"),
        (concentration, "10 U/mL", "that is an antibody titre"),
        (time_d, "\uff18 weeks", "is not a number with a unit"),
        (dose, "\uff15 mg/kg", "is not a number with a unit"),
        (dose, "5\uff10 mg", "is not a number with a unit"),
        (dose, "\u0665 mg", "is not a number with a unit"),
        (concentration, "1.\uff15 ug/mL", "unknown unit"),
        (window, "\uff14-\uff17 ug/mL", "is not a window"),
        (window, "7-4 ug/mL", "low end at or above its high end"),
        (window, "4-4 ug/mL", "low end at or above its high end"),
        (window, "4 ug/mL - 7 ug/mL", "is not a window"),
        (window, "5 ug/mL", "is not a window"),
        (window, "> 3 ug/mL", "is not a window"),
        (window, "4-7", "has no unit"),
        (window, "4-7 weeks", "that is a time"),
        (window, "4-1e999 mg/L", "is not finite"),
    ],
)
def test_refusals_say_what_was_expected(parse: object, text: str, said: str) -> None:
    assert callable(parse)
    with pytest.raises(InputError) as caught:
        parse(text)
    assert said in str(caught.value)
    assert text in str(caught.value)


def test_no_suggestion_that_would_change_a_dose_a_thousandfold() -> None:
    with pytest.raises(InputError) as caught:
        dose("5 g")
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize("bare", [5, 5.0, True, None, ["5 mg"]])
def test_a_bare_number_or_anything_but_text_is_refused(bare: object) -> None:
    with pytest.raises(InputError, match=r"in quotes"):
        dose(bare)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_an_amount_built_in_code_is_checked_too(value: float) -> None:
    with pytest.raises(InputError, match="positive and finite"):
        Amount(value, per_weight=False)


@pytest.mark.parametrize("text", ["50 mg/kg", "5000 mg"])
def test_an_implausibly_large_dose_warns(text: str) -> None:
    with pytest.warns(PkWarning, match="check its unit"):
        dose(text)


def test_published_parameters_convert() -> None:
    assert convert(0.0133, "L/h", "clearance") == 0.0133 * 24
    assert convert(4.1, "g/dL", "albumin") == 41.0
    with pytest.raises(InputError, match=r"that is a volume; expected a clearance"):
        convert(3.0, "L", "clearance")


@given(st.floats(min_value=0.01, max_value=30))
def test_an_amount_survives_being_written_and_read(value: float) -> None:
    written = f"{value!r} mg/kg"
    assert dose(written) == Amount(value, True)


@given(st.text(max_size=12))
def test_any_text_is_understood_or_refused(text: str) -> None:
    for parse in (time_d, concentration, dose, window):
        # any other exception would fail the test
        with contextlib.suppress(InputError):
            parse(text)
