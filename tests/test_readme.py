"""README, docs and CONTRIBUTING say what is so: commands parse, paths exist, examples run, the table is the output.

`python tests/test_readme.py` runs the command of the README's table and writes what it prints into it.
"""

from __future__ import annotations

import re
import shlex
import warnings
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import pytest
import xarray as xr
from click.testing import CliRunner

import scenarios as sc
from pkmodel.errors import PkWarning
from scenarios import catalog
from scenarios.cli import cli

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
SETUP = "python3 -m venv .venv && . .venv/bin/activate && "
TEST_COMMAND = 'python -m pip install -q -e ".[test]" && python -m pytest'
RUN_COMMAND = "pkmodel run scheduled-vs-episodic --patients 10000 --seed 1 --out out"
TEN_LINES = """
drug     = pk.load("infliximab-fasanmade-2011")
patients = sc.Cohort.load("adult-crohn").sample(10_000, seed=1)
regimen  = pk.Regimen.induction("5 mg/kg", weeks=(0, 2, 6)).then(pk.Regimen.every("8 weeks", dose="5 mg/kg", until="54 weeks"))
ds       = pk.simulate(drug, patients, regimen, times="weekly", seed=1)

trial  = sc.Scenario.load("scheduled-vs-episodic")
result = sc.run(trial, patients=10_000, seed=1)
print(sc.score(result, window="taxit"))
print(sc.compare(result, "in_window", against="scheduled"))
""".strip()  # noqa: E501  (the promise of the design, word for word)

# A path of the repository in running text: begins with one of these and is not a placeholder.
_FOLDERS = ("pkmodel/", "scenarios/", "validation/", "tests/", "benchmarks/", "docs/", "examples/", ".ci/")
_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
_OUTPUT = re.compile(r"<!-- output: pkmodel (.+?) -->\n```text\n(.*?)```", re.DOTALL)
_FILE_BLOCK = re.compile(r"^`([\w.-]+\.(?:toml|csv))`:\n\n```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, language: str) -> list[str]:
    """Fenced blocks of a language, their indentation removed."""
    found = _BLOCK.findall(text(page))
    return [
        "".join(line.removeprefix(indent) for line in body.splitlines(keepends=True))
        for indent, kind, body in found
        if kind == language
    ]


def commands(page: Path) -> Iterator[list[str]]:
    """Arguments of every ``pkmodel`` command of a page, in fenced blocks and in running text."""
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    lines += re.findall(r"`([^`\n]+)`", _BLOCK.sub("", text(page)).replace("\n", " "))
    for line in lines:
        for part in re.split(r"&&|;", line):
            if part.strip().startswith("pkmodel "):
                yield shlex.split(part)[1:]


def is_placeholder(word: str) -> bool:
    """``NAME`` and ``KEY=VALUE`` stand for something."""
    return bool(re.fullmatch(r"[A-Z_=]+", word))


ALL_COMMANDS = [(page, args) for page in PAGES for args in commands(page)]


def label(page: Path) -> str:
    return str(page.relative_to(ROOT))


def without_comments(code: str) -> str:
    return "\n".join(re.sub(r"\s+#.*", "", line) for line in code.splitlines())


def test_the_finders_find_something(tmp_path: Path) -> None:
    """A pattern that matches nothing would make every test below pass."""
    page = tmp_path / "page.md"
    page.write_text(
        "Use `pkmodel list models`.\n\n```sh\ncd x && pkmodel run taxit\n```\n\n  ```python\n  1 + 1\n  ```\n"
    )
    assert sorted(commands(page)) == [["list", "models"], ["run", "taxit"]]
    assert blocks(page, "python") == ["1 + 1\n"]
    assert len(ALL_COMMANDS) > 20
    assert len(PAGES) >= 8


def test_the_first_command_sets_up_and_runs_the_trial() -> None:
    assert f"{SETUP}python -m pip install -q -e . && {RUN_COMMAND}" in text(README).splitlines()


def test_the_test_command_is_the_one_of_ci() -> None:
    assert SETUP + TEST_COMMAND in text(README).splitlines()
    assert TEST_COMMAND in text(ROOT / ".ci" / "run").splitlines()


def test_the_ten_lines_stand_in_the_readme() -> None:
    code = without_comments("\n".join(blocks(README, "python")))
    assert TEN_LINES in code


@pytest.fixture(scope="module", autouse=True)
def no_display() -> None:
    matplotlib.use("Agg")


def few_patients(code: str) -> str:
    """The same code with 200 patients in the place of thousands (they are written with an underscore)."""
    return re.sub(r"\b\d{1,2}_000\b", "200", code)


def test_the_readme_s_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    for code in blocks(README, "python"):
        exec(compile(few_patients(code), "README.md", "exec", dont_inherit=True), names)
    ds, result = names["ds"], names["result"]
    assert isinstance(ds, xr.Dataset)
    assert dict(ds.sizes) == {"patient": 200, "time": 55}
    assert ds.concentration.attrs["units"] == "ug/mL"
    assert isinstance(result, xr.Dataset)
    printed = capsys.readouterr().out
    assert "Target window: taxit, 4–7 µg/mL" in printed
    assert "Difference from scheduled, same patients" in printed


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the files that the pages show, and ``out/`` as the README's command leaves it."""
    for page in PAGES:
        for name, content in _FILE_BLOCK.findall(text(page)):
            (tmp_path / name).write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


# The architecture page shows the two verbs in the abstract.
RUNNABLE = [page for page in PAGES if page not in (README, ROOT / "docs/explanation/architecture.md")]
RUNNABLE = [page for page in RUNNABLE if blocks(page, "python")]


@pytest.mark.parametrize("page", RUNNABLE, ids=label)
def test_examples_run(page: Path, workshop: Path) -> None:
    if "out/result.nc" in "".join(blocks(page, "python")):
        run = ["run", "scheduled-vs-episodic", "--patients", "50", "--out", "out"]
        assert CliRunner().invoke(cli, run).exit_code == 0
    for code in blocks(page, "python"):
        exec(compile(few_patients(code), label(page), "exec", dont_inherit=True), {"__name__": "example"})


def test_own_files_run_from_the_command_line(workshop: Path) -> None:
    own = {path.name for path in workshop.iterdir()}
    run = [(page, args) for page, args in ALL_COMMANDS if args[0] == "run" and args[1:] and args[1] in own]
    assert run
    for _, args in run:
        outcome = CliRunner().invoke(cli, args)
        assert outcome.exit_code == 0, outcome.output
    whole = CliRunner().invoke(cli, ["run", "half-with-thiopurine.toml", "--patients", "50"])
    assert whole.exit_code == 0, whole.output


@pytest.mark.parametrize(
    ("page", "args"), ALL_COMMANDS, ids=[f"{label(page)}: {' '.join(args)}" for page, args in ALL_COMMANDS]
)
def test_commands_parse(page: Path, args: list[str], workshop: Path) -> None:
    """The verb and its options exist, and so does what they name; nothing is run."""
    if args[0].startswith("-"):
        assert CliRunner().invoke(cli, args).exit_code == 0
        return
    verb = cli.commands[args[0]]
    if len(args) == 1:  # the verb alone, in running text
        return
    context = verb.make_context(args[0], list(args[1:]))  # raises for an unknown option or a bad value
    given = context.params
    if args[0] in ("show", "cite") and not is_placeholder(args[1]):
        assert catalog.describe(given.get("name") or given["model"])
    if args[0] == "run" and not is_placeholder(given["scenario"]):
        check_run(given["scenario"], given["settings"], given["window"], workshop)


def check_run(scenario: str, settings: tuple[str, ...], window: str | None, folder: Path) -> None:
    if scenario.endswith(".toml") and not (folder / scenario).exists():
        return  # a file of the reader's, or one that a run leaves behind
    settings = tuple(setting for setting in settings if not is_placeholder(setting))
    # a parameter file that the page has the reader make: only its key is checked
    settings = tuple(re.sub(r"=[\w-]+\.toml$", "=infliximab", setting) for setting in settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PkWarning)
        sc.Scenario.load(scenario).with_settings(settings, window=window)


@pytest.mark.parametrize("page", PAGES, ids=label)
def test_paths_exist(page: Path) -> None:
    """Links relative to the page, and repository paths in code font."""
    prose = _BLOCK.sub("", text(page))
    links = [link for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", prose) if "://" not in link]
    missing = [link for link in links if not (page.parent / link).exists()]
    named = [word for word in re.findall(r"`([^`\s]+)`", prose) if word.startswith(_FOLDERS)]
    missing += [name for name in named if not (any(ROOT.glob(name)) if "*" in name else (ROOT / name).exists())]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=label)
def test_anchors_exist(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", text(page)):
        other = (page.parent / target) if target else page
        headings = re.findall(r"^#+ (.+)$", _BLOCK.sub("", text(other)), re.MULTILINE)
        slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert anchor in slugs, f"{target}#{anchor}"


def test_the_picture_is_there_and_is_a_picture() -> None:
    assert (ROOT / "docs/images/troughs.png").read_bytes().startswith(b"\x89PNG")


def test_the_sed_recipes_of_the_docs_still_fit_the_parameter_file() -> None:
    """limits.md edits the antibody file with sed; if a value changes there, the recipe would change nothing."""
    layer = text(ROOT / "pkmodel/data/immunogenicity/infliximab.toml")
    page = text(ROOT / "docs/explanation/limits.md")
    recipes = re.findall(r"sed '/(.+?)/\{n;s/(.+?)/(.+?)/;\}'", page)
    assert len(recipes) == 3
    for line, old, _ in recipes:
        assert re.search(rf"{line}.*\n.*{old}", layer), (line, old)


def test_the_readme_s_count_of_figures_is_the_report_s() -> None:
    report = text(ROOT / "validation/REPORT.md")
    fitted = re.search(r"Calibration figures met: (\d+) of (\d+)", report)
    held_out = re.search(r"without ever having been fitted: (\d+) of (\d+) \((\d+) %\)", report)
    assert fitted is not None
    assert held_out is not None
    assert fitted.groups() == ("11", "11")  # "eleven published figures and meet all of them"
    met, figures, percent = held_out.groups()
    assert f"Of {figures} figures held out, they meet {met} ({percent} %)" in " ".join(text(README).split())


def output(arguments: str) -> str:
    outcome = CliRunner().invoke(cli, arguments.split())
    assert outcome.exit_code == 0
    return outcome.stdout.rstrip("\n")


@pytest.mark.slow
def test_the_table_in_the_readme_is_the_output_of_its_command() -> None:
    """Shown are three digits; another machine's last bits move none of them except by bad luck at a rounding edge."""
    shown = _OUTPUT.search(text(README))
    assert shown is not None
    assert output(shown[1]) == shown[2].rstrip("\n")


if __name__ == "__main__":
    README.write_text(
        _OUTPUT.sub(
            lambda shown: f"<!-- output: pkmodel {shown[1]} -->\n```text\n{output(shown[1])}\n```", text(README)
        ),
        encoding="utf-8",
    )
