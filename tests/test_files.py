"""All faults of a file at once, each with its line."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Annotated

import pydantic
import pytest

from pkmodel import units
from pkmodel.errors import InputError, UnknownNameError, nearest, unknown_name
from pkmodel.files import FileModel, line_numbers, parse_toml, read_toml


class Dosing(FileModel):
    dose: Annotated[units.Amount, pydantic.BeforeValidator(units.dose)]
    every: Annotated[float, pydantic.BeforeValidator(units.time_d)] | None = None


class Trial(FileModel):
    name: str
    patients: int = pydantic.Field(gt=0)
    share: float = 1.0
    note: str = ""
    start: int = pydantic.Field(alias="from")
    dosing: list[Dosing] = pydantic.Field(default=[])


GOOD = """name = "a"
patients = 3
from = 1
[[dosing]]
dose = "5 mg/kg"
every = "8 weeks"
"""

BAD = '''# the fake header in the text below is no header
name = 3
note = """
[[dosing]]
patients = 1
"""
patients = 0
share = nan

[[dosing]]
dose = "5 mg/m2"

[[dosing]]
dose = "5 mg/kg"
evrey = [
  "a]", # x ]
]
every = "8 wk"
'''


def test_a_good_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "trial.toml"
    path.write_text(GOOD, encoding="utf-8")
    trial = read_toml(path, Trial)
    assert trial.start == 1
    assert trial.dosing[0] == Dosing(dose="5 mg/kg", every="8 weeks")  # type: ignore[arg-type]


def test_every_fault_of_a_file_is_reported_with_its_line() -> None:
    with pytest.raises(InputError) as caught:
        parse_toml(BAD, Trial, "bad.toml")
    found = [(fault.line, fault.key) for fault in caught.value.faults]
    assert found == [
        (1, "from"), (2, "name"), (7, "patients"), (8, "share"), (11, "dosing.0.dose"),
        (15, "dosing.1.evrey"), (18, "dosing.1.every"),
    ]  # fmt: skip
    lines = str(caught.value).splitlines()
    assert lines[0] == "bad.toml:1: from: missing; add this key"
    assert lines[5] == "bad.toml:15: dosing.1.evrey: unknown key; did you mean 'every'? (valid keys: dose, every)"
    assert "did you mean 'weeks'?" in lines[6]


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [("patients = 3", "patients = 3.0", "patients"), ("patients = 3", "patients = true", "patients"),
     ('name = "a"', "name = 1", "name"), ("from = 1", "from = '1'", "from"),
     ("patients = 3", "patients = 3\nshare = inf", "share")],
)  # fmt: skip
def test_nothing_is_coerced(old: str, new: str, key: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_toml(GOOD.replace(old, new), Trial)
    assert [fault.key for fault in caught.value.faults] == [key]


def test_broken_toml_names_its_line() -> None:
    with pytest.raises(InputError, match=r"^bad\.toml:2: not TOML"):
        parse_toml("a = 1\nb = ]\n", Trial, "bad.toml")


@pytest.mark.parametrize("content", [None, b'name = "\xff"'])
def test_an_unreadable_file_is_one_clear_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.toml: (there is no such file|not UTF-8)"):
        read_toml(path, Trial)


def test_line_numbers_of_all_shapes_of_key() -> None:
    text = '''a = 1
"b c" = { d = 2 }

[t]          # a comment with [brackets]
x.y = """
[no]
z = 1"""
w = \'\'\'it's
\'\'\'
v = [ # [[
  1,
]
[[t.list]]
k = 1
[t.list.sub]
m = 1
[[t.list]]
k = 2
'''
    lines = line_numbers(text)
    assert lines[("b c",)] == 2
    assert lines[("t",)] == 4
    assert lines[("t", "x", "y")] == 5
    assert lines[("t", "w")] == 8
    assert lines[("t", "v")] == 10
    assert lines[("t", "list", 0)] == 13
    assert lines[("t", "list", 0, "sub", "m")] == 16
    assert lines[("t", "list", 1, "k")] == 18
    assert ("no",) not in lines
    assert ("t", "z") not in lines


def test_windows_line_ends_count_the_same() -> None:
    assert line_numbers("a = 1\r\n\r\n[t]\r\nb = 2\r\n") == {("a",): 1, ("t",): 3, ("t", "b"): 4}


def test_nearest_names() -> None:
    assert nearest("evrey", ["every", "dose"]) == "every"
    assert nearest("DOSE", ["every", "dose"]) == "dose"
    assert nearest("qqqq", ["every", "dose"]) == ""
    error = unknown_name("window", "taxitt", ["taxit", "other"])
    assert isinstance(error, UnknownNameError)
    assert str(error) == "unknown window 'taxitt'; did you mean 'taxit'? (valid names: other, taxit)"


def test_an_error_survives_the_way_between_processes() -> None:
    error = InputError.one("wrong", "right it", key="a.b", file="x.toml", line=3)
    assert str(pickle.loads(pickle.dumps(error))) == str(error) == "x.toml:3: a.b: wrong; right it"
