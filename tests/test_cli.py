"""The command line: quick, quiet, one message for bad input, and a directory that is whole or not there."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import warnings
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import scenarios.outputs
import scenarios.running
from pkmodel.errors import InputError, PkError, PkWarning
from scenarios.catalog import KINDS as LISTED
from scenarios.cli import KINDS, cli
from scenarios.outputs import PROTOCOL, WRITTEN, check_output_directory, output_directory

HEAVY = ("numpy", "numba", "scipy", "xarray", "pandas", "matplotlib", "pydantic", "rich")


def pkmodel(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words), prog_name="pkmodel")


def refused(*words: str) -> str:
    """Run a command that must fail; return what it said."""
    result = pkmodel(*words)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return result.stderr


# --- quick


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["list", "scenarios"], ["list", "models"]])
def test_help_and_lists_import_nothing_heavy(words):
    code = (
        "import sys\n"
        "from scenarios.cli import cli\n"
        f"cli({words!r}, prog_name='pkmodel', standalone_mode=False)\n"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == ""
    assert done.stdout


# --- list, show, cite


def test_every_kind_can_be_listed():
    assert set(KINDS) == set(LISTED)
    for kind in KINDS:
        result = pkmodel("list", kind)
        assert result.exit_code == 0
        lines = result.stdout.splitlines()
        assert len(lines) == len(LISTED[kind]())
        assert all(len(line.split()) > 1 for line in lines), lines


@pytest.mark.parametrize("kind", KINDS)
def test_everything_listed_can_be_shown(kind):
    for name in LISTED[kind]():
        result = pkmodel("show", name)
        assert result.exit_code == 0, name
        assert len(result.stdout) > 50, name


def test_a_name_of_two_kinds_shows_both():
    shown = pkmodel("show", "taxit").stdout
    assert "# scenario taxit\n" in shown
    assert "# window taxit\n" in shown


def test_a_shown_model_scenario_and_cohort_is_a_file_that_can_be_used():
    for name in ("infliximab-hanzel-2021", "dose-escalation", "adult-uc"):
        assert tomllib.loads(pkmodel("show", name).stdout)["title"]


def test_cite_gives_bibtex():
    assert pkmodel("cite", "adalimumab-berends-2018").stdout.startswith("@article{adalimumab-berends-2018,")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show", "taxitt"], "Error: unknown name 'taxitt'; did you mean 'taxit'?"),
        (["cite", "infliximab-hanzel"], "did you mean 'infliximab-hanzel-2021'?"),
        (["list", "model"], "'model' is not one of"),
        (["rnu"], "No such command 'rnu'"),
        (["run"], "Missing argument 'SCENARIO'"),
        (["run", "taxitt"], "Error: unknown scenario 'taxitt'; did you mean 'taxit'?"),
        (["run", "no/such.toml"], "no/such.toml: there is no such file"),
        (["run", "taxit", "--patients", "0"], "0 is not in the range"),
        (["run", "taxit", "--patients", "1e4"], "'1e4' is not a valid integer"),
        (["run", "taxit", "--seed", "-1"], "-1 is not in the range"),
        (["run", "taxit", "--keep", "all"], "'all' is not one of"),
        (["run", "taxit", "--sede", "1"], "No such option"),
        (["run", "taxit", "--window", "taxitt"], "--window taxitt: window: unknown window 'taxitt'"),
        (["run", "taxit", "--window", "target-ada-maint-clinical"], "is for adalimumab, not infliximab"),
        (["run", "taxit", "--set", "windw=taxit"], "did you mean 'window'?"),
    ],
)
def test_bad_input_is_one_message_and_exit_2(words, said):
    assert said in refused(*words)


def test_all_faults_of_a_file_are_printed_one_per_line(tmp_path):
    path = tmp_path / "bad.toml"
    text = pkmodel("show", "scheduled-vs-episodic").stdout
    path.write_text(text.replace("8 weeks", "8 wk").replace('"adult-crohn"', '"adult"'), encoding="utf-8")
    said = refused("run", str(path), "--out", str(tmp_path / "out")).splitlines()
    assert said[0] == "Error: 2 faults"
    assert said[1].startswith(f"{path}:6: cohort: unknown cohort 'adult'")
    assert said[2].startswith(f"{path}:27: arm.0.dosing.1.every: '8 wk': unknown unit 'wk'")
    assert len(said) == 3
    assert not (tmp_path / "out").exists()


def test_a_bug_is_not_hidden_as_bad_input(monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(scenarios.running, "run", broken)
    result = pkmodel("run", "taxit", "--patients", "2")
    assert isinstance(result.exception, RuntimeError)


def test_warnings_are_said_once_and_in_one_line(monkeypatch):
    def warning(*_: object, **__: object) -> None:
        for _ in range(2):
            warnings.warn("3 of 9 patients", PkWarning, stacklevel=1)
        raise PkError("stop here")

    monkeypatch.setattr(scenarios.running, "run", warning)
    assert refused("run", "taxit") == "Warning: 3 of 9 patients\nError: stop here\n"


# --- the output directory


def listing(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_directory_appears_when_all_is_written(tmp_path):
    target = tmp_path / "new" / "out"
    with output_directory(target) as folder:
        (folder / "a").write_text("a", encoding="utf-8")
        assert not target.exists()
    assert listing(tmp_path) == {"new/out/a": b"a"}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, PkError])
@pytest.mark.parametrize("earlier", [None, {}, {PROTOCOL: "old", "scores.csv": "old"}])
def test_whatever_goes_wrong_leaves_the_place_as_it_was(tmp_path, error, earlier):
    target = tmp_path / "out"
    if earlier is not None:
        target.mkdir()
        for name, text in earlier.items():
            (target / name).write_text(text, encoding="utf-8")
    before = listing(tmp_path), sorted(tmp_path.iterdir())

    def fail() -> None:
        with output_directory(target) as folder:
            (folder / "scores.csv").write_text("half", encoding="utf-8")
            raise error

    with pytest.raises(error):
        fail()
    assert (listing(tmp_path), sorted(tmp_path.iterdir())) == before


def test_an_earlier_run_is_replaced_whole(tmp_path):
    target = tmp_path / "out"
    target.mkdir()
    for name in (PROTOCOL, "troughs.png"):
        (target / name).write_text("old", encoding="utf-8")
    with output_directory(target) as folder:
        (folder / PROTOCOL).write_text("new", encoding="utf-8")
    assert listing(tmp_path) == {f"out/{PROTOCOL}": b"new"}


def test_places_where_something_would_be_lost_are_refused(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x", encoding="utf-8")
    (tmp_path / "mixed").mkdir()
    for name in (PROTOCOL, "notes.txt"):
        (tmp_path / "mixed" / name).write_text("x", encoding="utf-8")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name, said in {
        "file": "is a file",
        "full": "is not empty and holds no earlier run",
        "mixed": "also notes.txt",
        "link": "a link that leads nowhere",
    }.items():
        with pytest.raises(InputError, match=said):
            check_output_directory(tmp_path / name)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(InputError, match="the working directory cannot be replaced"):
        check_output_directory(Path("."))


def test_a_place_that_cannot_be_written_is_said_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    monkeypatch.setattr(scenarios.running, "run", lambda *_, **__: pytest.fail("the work was begun"))
    said = refused("run", "taxit", "--patients", "2", "--out", str(tmp_path / "file" / "out"))
    assert said.startswith("Error: --out: cannot write")


def test_a_disk_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(scenarios.outputs.shutil, "copyfile", full)
    csv = tmp_path / "my.csv"
    csv.write_text("weight,albumin,hla_dqa1_05\n70,41,0\n", encoding="utf-8")
    out = tmp_path / "out"
    said = refused("run", "taxit", "--set", f"cohort={csv}", "--out", str(out))
    assert "No space left on device" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my.csv"]


# --- a whole run


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of five patients of the user's, and the same from its protocol."""
    folder = tmp_path_factory.mktemp("runs")
    csv = folder / "my.csv"
    rows = "".join(f"{60 + 5 * i},{38 + i},{i % 2},{i % 2}\n" for i in range(5))
    csv.write_text(f"weight [kg],albumin [g/L],female,hla_dqa1_05\n{rows}", encoding="utf-8")
    first, second = folder / "first", folder / "second"
    words = ["--seed", "7", "--window", "taxit-published", "--set", f"cohort={csv}", "--keep", "trajectories"]
    results = [
        pkmodel("run", "scheduled-vs-episodic", *words, "--out", str(first)),
        pkmodel("run", str(first / PROTOCOL), "--out", str(second)),
    ]
    for result in results:
        assert result.exit_code == 0, result.output
    return results, first, second


def test_a_run_writes_all_its_files_and_prints_its_table(runs):
    results, first, _ = runs
    assert {path.name for path in first.iterdir()} == {*WRITTEN, "my.csv"}
    assert "scheduled-vs-episodic" in results[0].stdout
    assert "taxit-published" in results[0].stdout
    assert results[0].stderr == f"Written to {first}\n"
    assert sorted(path.name for path in first.parent.iterdir()) == ["first", "my.csv", "second"]


def test_the_protocol_repeats_the_run_byte_for_byte(runs):
    _, first, second = runs
    assert listing(second) == listing(first)


def test_the_protocol_says_how_it_was_run(runs):
    _, first, _ = runs
    protocol = tomllib.loads((first / PROTOCOL).read_text(encoding="utf-8"))
    assert protocol["run"] == {"patients": 5, "seed": 7, "keep": "trajectories"}
    assert protocol["window"] == "taxit-published"
    assert protocol["cohort"] == "my.csv"
    assert set(protocol["versions"]) >= {"pkmodel", "python", "numpy", "numba"}


def test_the_result_opens_labelled(runs):
    import xarray as xr

    with xr.open_dataset(runs[1] / "result.nc", engine="h5netcdf") as result:
        assert result.sizes["patient"] == 5
        assert result["weight"].values.tolist() == [60, 65, 70, 75, 80]
        assert result["arm"].values.tolist() == ["scheduled", "episodic"]
        assert result["trough"].attrs["units"] == "ug/mL"
        assert "concentration" in result


def test_the_csv_files_have_the_promised_columns(runs):
    heads = [(runs[1] / name).read_text(encoding="utf-8").splitlines()[0] for name in ("scores.csv", "compare.csv")]
    assert heads == [
        "arm,metric,visit,unit,estimate,low,high,n",
        "arm,against,metric,visit,unit,difference,low,high,n",
    ]


def test_a_run_may_be_put_in_the_place_of_an_earlier_one(runs, tmp_path):
    import shutil

    shutil.copytree(runs[1], tmp_path / "again")
    assert check_output_directory(tmp_path / "again") is None  # refusing would raise


def test_without_out_nothing_is_written(runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = pkmodel("run", str(runs[1] / PROTOCOL), "--patients", "3")
    assert result.exit_code == 0
    assert "Nothing was written" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_options_win_over_the_protocol(runs, tmp_path):
    out = tmp_path / "out"
    words = ["--patients", "2", "--seed", "8", "--keep", "summary", "--out", str(out)]
    assert pkmodel("run", str(runs[1] / PROTOCOL), *words).exit_code == 0
    assert tomllib.loads((out / PROTOCOL).read_text(encoding="utf-8"))["run"] == {
        "patients": 2,
        "seed": 8,
        "keep": "summary",
    }


def test_other_versions_than_the_protocols_are_said(runs, tmp_path):
    import shutil

    folder = tmp_path / "old"
    shutil.copytree(runs[1], folder)
    text = (folder / PROTOCOL).read_text(encoding="utf-8")
    now = tomllib.loads(text)["versions"]["numpy"]
    (folder / PROTOCOL).write_text(text.replace(f'numpy = "{now}"', 'numpy = "1.0"'), encoding="utf-8")
    result = pkmodel("run", str(folder / PROTOCOL), "--patients", "2")
    assert f"Warning: made with numpy 1.0 (now {now}): the last digits may differ" in result.stderr
