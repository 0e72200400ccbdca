"""The command line ``pkmodel``.

Data go to standard output, words about them to standard error.  The exit code is 0, or 2 with one message for
bad input.  Everything that takes time to import is imported inside the verb that needs it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pkmodel import __version__
from scenarios import cli_session, cli_trials
from scenarios.cli_teach import app_command, page_command
from scenarios.console import progress_bar, warnings_told

if TYPE_CHECKING:
    from scenarios.scenario import Scenario

KINDS = ("models", "scenarios", "windows", "policies", "cohorts", "pages")
_MISUSE = 2
_DEFAULTS = {"patients": 1000, "seed": 1, "keep": "summary"}

_COUNT, _SEED = click.IntRange(1, 2**32), click.IntRange(0, 2**64 - 1)
_PATH, _KEEP = click.Path(path_type=Path), click.Choice(["summary", "trajectories"])
_SET_HELP = "Change a key of the scenario, e.g. arm.scheduled.adherence.missed=0.15. May be repeated."


class _Group(click.Group):
    """Commands whose bad input is a message, never a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            from pkmodel.errors import PkError  # here: it is not needed when all goes well

            if not isinstance(error, PkError):
                raise
            lines = str(error).splitlines()
            many = f"Error: {len(lines)} faults\n" if len(lines) > 1 else "Error: "
            click.echo(many + "\n".join(lines), err=True)
            ctx.exit(_MISUSE)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="pkmodel")
def cli() -> None:
    """Simulate, score and compare dosing regimens of infliximab and adalimumab in virtual patients.

    For research and teaching; not for treating patients.
    """


@cli.command("list")
@click.argument("kind", type=click.Choice(KINDS))
def list_names(kind: str) -> None:
    """List the MODELS, SCENARIOS, WINDOWS, POLICIES, COHORTS or PAGES there are."""
    from scenarios.catalog import listing, table

    for line in table(listing(kind)):
        click.echo(line)


@cli.command("show")
@click.argument("name")
def show(name: str) -> None:
    """Show a model, scenario, window, policy, cohort or page in full."""
    from scenarios.catalog import describe

    click.echo(describe(name), nl=False)


@cli.command("cite")
@click.argument("model")
def cite(model: str) -> None:
    """Print the BibTeX entry of a model's paper."""
    from pkmodel.library import cite as bibtex

    click.echo(bibtex(model).rstrip())


@cli.command("run")
@click.argument("scenario")
@click.option("--patients", type=_COUNT, metavar="N", help="Virtual patients. [default: 1000]")
@click.option("--seed", type=_SEED, metavar="S", help="Of the random numbers. [default: 1]")
@click.option("--window", metavar="NAME", help="Target window. [default: the scenario's]")
@click.option("--out", type=_PATH, metavar="DIR", help="Write tables, figures and data there.")
@click.option("--ledger", is_flag=True, help="Write every decision of every patient too (ledger.csv; needs --out).")
@click.option("--keep", type=_KEEP, help="What the data hold. [default: summary]")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help=_SET_HELP)
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="Threads. [default: all cores]")
def run(
    scenario: str,
    patients: int | None,
    seed: int | None,
    window: str | None,
    out: Path | None,
    ledger: bool,
    keep: str | None,
    settings: tuple[str, ...],
    threads: int | None,
) -> None:
    """Run a SCENARIO, by name or from a file, and score it.

    A protocol.toml that an earlier run wrote is such a file: it repeats that run.
    """
    with warnings_told():
        _use_threads(threads)
        trial = _scenario(scenario, settings, window)
        how = _how(trial, patients, seed, keep)
        if out is None:
            if ledger:
                raise click.UsageError("--ledger needs --out DIR")
            tables = _simulate(trial, how, None)
            told = "Nothing was written; --out DIR keeps tables, figures and data."
        else:
            tables = _simulate_into(out, trial, how, ledger)
            told = f"Written to {out}"
    click.echo("\n\n".join(tables))
    click.echo(told, err=True)


@cli.command("explain")
@click.argument("result", type=_PATH)
@click.option("--patient", type=click.IntRange(min=0), required=True, metavar="ID", help="Number of the patient.")
@click.option("--arm", metavar="NAME", help="Of the scenario. [default: the first]")
@click.option("--out", type=_PATH, metavar="FILE.png", help="Draw the story, too.")
def explain(result: Path, patient: int, arm: str | None, out: Path | None) -> None:
    """Tell one patient's story: what the clinic saw, decided and why, and what it could not see.

    RESULT is the directory of an earlier run. The patient is simulated again from its protocol.
    """
    from scenarios.explaining import explain as tell

    with warnings_told():
        story = tell(result, patient, arm)
    if out is not None:
        from scenarios.figures.story import save

        save(story, out)
    click.echo(story.text())


@cli.command("validate")
@click.option("--quick", is_flag=True, help="Few patients and parameter sets: rough, in about a minute.")
@click.option("--out", type=_PATH, metavar="DIR", help="Where to write. [default: validation-report]")
def validate(quick: bool, out: Path | None) -> None:
    """Predict the published figures and write the validation report (HTML and Markdown)."""
    import importlib

    # by name: validation stands above this layer and nothing here depends on it
    report = importlib.import_module("validation.report")
    folder = out or Path("validation-report")
    for path in report.write(folder, quick=quick, say=lambda text: click.echo(text, err=True)):
        click.echo(path)


for _command in (
    cli_session.check, cli_session.export, cli_session.whatif, cli_session.vpc,
    cli_trials.power_command, cli_trials.trial_command, cli_trials.cost_command,
    page_command, app_command,
):  # fmt: skip
    cli.add_command(_command)


def main() -> None:
    """Entry point of the command ``pkmodel``."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without µ shows '?', it does not stop the run
    cli(prog_name="pkmodel")


def _scenario(name: str, settings: tuple[str, ...], window: str | None) -> Scenario:
    from scenarios.scenario import Scenario

    trial = Scenario.load(name)
    return trial.with_settings(settings, window=window) if settings or window else trial


def _how(trial: Scenario, patients: int | None, seed: int | None, keep: str | None) -> dict[str, Any]:
    """How to run: what the command line says, else the file, else the defaults (of a CSV, all its rows)."""
    given = {"patients": patients, "seed": seed, "keep": keep}
    from_file = {"patients": trial.run.patients, "seed": trial.run.seed, "keep": trial.run.keep}
    rows = None
    if trial.files.get("cohort"):
        from scenarios.cohorts import Cohort

        rows = Cohort.load(trial.cohort).size
    defaults = {**_DEFAULTS, **({"patients": rows} if rows else {})}
    for source in (from_file, given):
        defaults.update({key: value for key, value in source.items() if value is not None})
    return defaults


def _simulate_into(out: Path, trial: Scenario, how: dict[str, Any], ledger: bool) -> list[str]:
    from scenarios.outputs import copied_inputs, output_directory

    copied_inputs(trial)  # before the work, not after it
    with output_directory(out) as folder:
        return _simulate(trial, how, folder, ledger=ledger)


def _simulate(trial: Scenario, how: dict[str, Any], folder: Path | None, *, ledger: bool = False) -> list[str]:
    """Run, score, write if there is a folder for it, and return the tables that people read."""
    from scenarios.comparing import compare
    from scenarios.ledger import Ledger
    from scenarios.running import run as run_scenario
    from scenarios.scoring import score

    _warn_of_versions(trial)
    with progress_bar(f"{trial.name}: {len(trial.arms)} arms, {how['patients']:,} patients") as progress:
        pages = Ledger() if ledger else None
        result = run_scenario(trial, progress=progress, ledger=pages, **how)
    scores, comparison = score(result, trial.window), compare(result, window=trial.window)
    if folder is not None:
        from scenarios.outputs import write_outputs

        write_outputs(folder, result, trial, scores, comparison, how, pages)
    return [scores.text(), comparison.text(weekly=False)][: len(trial.arms)]


def _warn_of_versions(trial: Scenario) -> None:
    """Say where a protocol was made with other versions: its bits may then differ."""
    if not trial.versions:
        return
    import warnings

    from pkmodel.errors import PkWarning
    from scenarios.outputs import versions

    now = versions()
    other = [
        f"{name} {then} (now {now.get(name, 'absent')})"
        for name, then in trial.versions.items()
        if now.get(name) != then
    ]
    if other:
        warnings.warn(f"made with {', '.join(other)}: the last digits may differ", PkWarning, stacklevel=2)


def _use_threads(threads: int | None) -> None:
    """Set the number of threads of the kernels; before they are loaded, the environment decides."""
    if threads is None:
        return
    import os

    loaded = sys.modules.get("numba")
    if loaded is None:
        os.environ["NUMBA_NUM_THREADS"] = str(threads)
        return
    if threads > loaded.config.NUMBA_NUM_THREADS:
        raise click.UsageError(f"--threads {threads}: there are {loaded.config.NUMBA_NUM_THREADS}")
    loaded.set_num_threads(threads)


if __name__ == "__main__":
    main()
