"""Taking turns at Python: while threads of a run keep the books of their patients, they do so one at a time.

Only compiled loops run truly side by side. Between them each thread makes hundreds of short NumPy calls, and Python's
own lock changes hands at each of them; waiting for the handover then costs more than the calls. Whoever keeps books
here has the turn until the next long loop, at which another thread takes over.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """A turn that one thread at a time can have."""

    def __init__(self) -> None:
        self._turn = threading.Lock()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Have the turn; waits until it is free."""
        with self._turn:
            yield

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Give the turn away for the length of a compiled loop, and wait for it afterwards. Only with the turn."""
        self._turn.release()
        try:
            yield
        finally:
            self._turn.acquire()
