"""What a person at a terminal sees beside the data: progress, warnings."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

Progress = Callable[[float], None]


@contextmanager
def progress_bar(text: str) -> Iterator[Progress | None]:
    """A bar on standard error; none where nobody is watching."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(text, total=1.0)
        yield lambda share: bar.update(task, completed=share)


@contextmanager
def warnings_told() -> Iterator[None]:
    """Say our own warnings once each, in one line, without the place in the code."""
    import warnings

    from pkmodel.errors import PkWarning

    told: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("always", PkWarning)
        usual = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
            if not issubclass(category, PkWarning):
                usual(message, category, *rest, **more)
            elif str(message) not in told:
                told.add(str(message))
                click.echo(f"Warning: {message}", err=True)

        warnings.showwarning = show
        yield
