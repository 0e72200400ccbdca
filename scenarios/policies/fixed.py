"""The timetable, whatever happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from scenarios.visit import Orders, Visit


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """Give what is due."""

    needs_levels: ClassVar[bool] = False

    def __call__(self, visit: Visit) -> Orders:
        """Orders as planned."""
        return visit.as_planned()
