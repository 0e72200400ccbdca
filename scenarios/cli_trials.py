"""The verbs of virtual trials: ``pkmodel power``, ``pkmodel trial``, ``pkmodel cost``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PATH = click.Path(path_type=Path)
_SET_HELP = "Change a key of the scenario, e.g. trial.dropout_per_year=0.1. May be repeated."
_DPI = 150


@click.command("power")
@click.argument("scenario")
@click.option("--endpoint", required=True, metavar="TEXT", help='Such as "in window at week 54".')
@click.option("--patients-per-arm", "sizes", default="50,100,200", show_default=True, metavar="N,N,...")
@click.option("--trials", default=1000, show_default=True, type=click.IntRange(1, 1_000_000), metavar="N")
@click.option("--against", metavar="ARM", help="Arm to compare with. [default: the first]")
@click.option("--alpha", default=0.05, show_default=True, metavar="P", help="Two-sided level of the test.")
@click.option("--pool", type=click.IntRange(1, 2**32), metavar="N", help="Virtual patients to draw trials from.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0, 2**64 - 1), metavar="S")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help=_SET_HELP)
@click.option("--out", type=_PATH, metavar="DIR", help="Write power.csv and power.png there.")
def power_command(
    scenario: str,
    endpoint: str,
    sizes: str,
    trials: int,
    against: str | None,
    alpha: float,
    pool: int | None,
    seed: int,
    settings: tuple[str, ...],
    out: Path | None,
) -> None:
    """Power of a randomised trial of SCENARIO's arms, by simulation."""
    from scenarios.power import power
    from scenarios.scenario import Scenario

    trial = Scenario.load(scenario)
    trial = trial.with_settings(settings) if settings else trial
    table = power(trial, endpoint, _numbers(sizes), trials=trials, pool=pool, seed=seed, alpha=alpha, against=against)
    click.echo(str(table))
    if out is not None:
        from scenarios.trial_figures import power_curve

        _folder(out)
        table.to_csv(out / "power.csv")
        _save(power_curve(table), out / "power.png")


@click.command("trial")
@click.argument("result", type=_PATH)
@click.option("--endpoint", "endpoints", required=True, multiple=True, metavar="TEXT", help="May be repeated.")
@click.option("--against", metavar="ARM", help="Arm to compare with. [default: the first]")
@click.option("--window", metavar="NAME", help="Target window. [default: the scenario's]")
@click.option("--out", type=_PATH, metavar="DIR", help="Write trial.csv, survival.csv and survival.png there.")
def trial_command(
    result: Path, endpoints: tuple[str, ...], against: str | None, window: str | None, out: Path | None
) -> None:
    """Analyse a RESULT (a run's directory or its result.nc) as a trial."""
    from scenarios.effects import effects
    from scenarios.stored import open_result

    table = effects(open_result(result), endpoints, against, window=window)
    click.echo(str(table))
    if out is not None:
        from scenarios.tables import write_csv
        from scenarios.trial_figures import survival_curves

        _folder(out)
        table.to_csv(out / "trial.csv")
        curves = survival_curves(table)
        if curves is not None:
            write_csv(table.curves, out / "survival.csv")
            _save(curves, out / "survival.png")


@click.command("cost")
@click.argument("result", type=_PATH)
@click.option("--prices", type=_PATH, metavar="FILE", help="Price file. [default: invented examples]")
@click.option("--against", metavar="ARM", help="Arm to compare with. [default: the first]")
@click.option("--window", metavar="NAME", help="Target window. [default: the scenario's]")
@click.option("--tornado", type=_PATH, metavar="FIG", help="Draw the sensitivity to each price into this file.")
@click.option("--out", type=_PATH, metavar="DIR", help="Write cost.csv and tornado.csv there.")
def cost_command(
    result: Path, prices: Path | None, against: str | None, window: str | None, tornado: Path | None, out: Path | None
) -> None:
    """What the arms of a RESULT (a run's directory or its result.nc) cost."""
    from scenarios.costs import costs
    from scenarios.prices import Prices
    from scenarios.stored import open_result

    table = costs(open_result(result), Prices.load(prices) if prices else None, against, window=window)
    click.echo(str(table))
    if tornado is not None:
        from scenarios.trial_figures import tornado as draw

        _save(draw(table), tornado)
    if out is not None:
        from scenarios.tables import write_csv

        _folder(out)
        table.to_csv(out / "cost.csv")
        write_csv(table.tornado, out / "tornado.csv")


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise click.BadParameter(f"'{text}' is no list of whole numbers such as 50,100,200") from None


def _folder(path: Path) -> None:
    from pkmodel.errors import InputError

    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError.one(f"cannot write {path}: {error.strerror}", "name a directory", key="--out") from error


def _save(figure: Figure, path: Path) -> None:
    from pkmodel.errors import InputError

    try:
        figure.savefig(path, dpi=_DPI, metadata={"Software": None} if path.suffix == ".png" else None)
    except (OSError, ValueError) as error:
        raise InputError.one(f"cannot write {path}: {error}", "name a file such as figure.png") from error
