"""Keys of a scenario that refer to something shipped, or to a file of the user's."""

from __future__ import annotations

REFERENCES = ("model", "immunogenicity", "cohort")
"""Keys whose value is a name or a path."""


def is_path(name: str) -> bool:
    """Tell the path of a file (``.toml``, ``.csv``, or with a directory) from a shipped name."""
    return name.lower().endswith((".toml", ".csv")) or "/" in name or "\\" in name
