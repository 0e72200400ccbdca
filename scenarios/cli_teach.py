"""Commands for teaching: ``pkmodel page`` and ``pkmodel app``."""

from __future__ import annotations

from pathlib import Path

import click

_PATH = click.Path(path_type=Path, dir_okay=False)


@click.command("page")
@click.argument("name")
@click.option("--out", type=_PATH, metavar="FILE", help="Where to write. [default: NAME.html]")
def page_command(name: str, out: Path | None) -> None:
    """Write a lesson as one HTML page: sliders over simulations made beforehand, no server needed.

    NAME is a lesson of the package ('pkmodel list pages') or a TOML file of yours.
    """
    from pkmodel.errors import InputError
    from scenarios import lesson
    from scenarios.console import progress_bar

    target = out or Path(f"{Path(name).stem}.html")
    told = lesson.load(name)
    if not target.parent.is_dir():
        raise InputError.one(f"there is no directory {target.parent}", "make it first", key="--out")
    with progress_bar(f"{told.title}") as progress:
        text = lesson.lesson_html(told, progress)
    try:
        target.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        said = error.strerror or str(error)
        raise InputError.one(f"cannot write {target}: {said}", "name a file you can write", key="--out") from error
    click.echo(target)


@click.command("app")
@click.option("--port", type=click.IntRange(1024, 65535), default=8000, show_default=True, help="Of this machine.")
def app_command(port: int) -> None:
    """Serve the live app to browsers of this machine, until you press Ctrl+C."""
    from scenarios.app import HOST, serve

    click.echo(f"http://{HOST}:{port}")
    serve(port)
