"""The live app: build a regimen, see the same virtual patients under it, follow one of them.

The browser sends one object with all settings, the server checks it as it would a file, simulates, and sends numbers;
the browser draws them with the code of the static lessons. Shiny runs one task at a time in one thread, and kernels are
asked for their serial form, so any number of sessions take turns and no kernel is entered twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pkmodel.errors import InputError

if TYPE_CHECKING:
    import shiny

HOST = "127.0.0.1"


def create_app() -> shiny.App:
    """The app, for a server of your own or for tests.

    Raises
    ------
    InputError
        If Shiny is not installed.
    """
    try:
        from shiny import App
    except ImportError as error:
        said = "the app needs Shiny, which is not installed"
        raise InputError.one(said, "python -m pip install 'pkmodel[app]'") from error
    from scenarios.app.page import page
    from scenarios.app.server import server

    return App(page(), server)


def serve(port: int) -> None:
    """Serve the app to browsers of this machine until interrupted."""
    app = create_app()
    from shiny._main import run_app  # shiny.run_app is None where Python runs in a browser

    run_app(app, host=HOST, port=port, dev_mode=False, log_level="warning")
