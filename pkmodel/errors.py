"""What can go wrong, and how it is said.

Every message names the place, the value, what was expected and what to do about it.  Faults of one file are
collected and raised together, so that a file is repaired in one go.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


class PkError(Exception):
    """Anything this package refuses to do; the command line prints it without a traceback."""


class PkWarning(UserWarning):
    """Something a careful reader should know although the calculation goes on."""


class KernelError(PkError):
    """A numerical kernel reported a failure for at least one patient."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong with an input.

    Attributes
    ----------
    problem
        What is wrong, with the offending value.
    remedy
        What was expected or what to do.
    key, file, line
        Where: dotted key, file name and line number; empty or None where unknown.
    """

    problem: str
    remedy: str = ""
    key: str = ""
    file: str = ""
    line: int | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.file and self.line is not None else self.file
        said = "; ".join(part for part in (self.problem, self.remedy) if part)
        return ": ".join(part for part in (place, self.key, said) if part)


class InputError(PkError, ValueError):
    """Bad input, as a list of faults.

    It is also a ``ValueError``: a unit parser can then serve as a pydantic validator, and pydantic collects
    its faults with all the others of the file.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults: tuple[Fault, ...] = tuple(faults)
        if not self.faults:
            raise TypeError("InputError needs at least one Fault")
        super().__init__(self.faults)

    @classmethod
    def one(
        cls, problem: str, remedy: str = "", *, key: str = "", file: str = "", line: int | None = None
    ) -> InputError:
        """Error with a single fault."""
        return cls([Fault(problem=problem, remedy=remedy, key=key, file=file, line=line)])

    def __str__(self) -> str:
        return "\n".join(str(fault) for fault in self.faults)


class UnknownNameError(InputError):
    """A name that is not in the list it was looked up in."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return the valid name most like ``name``, or an empty string if none is alike."""
    names = list(valid)
    folded = {candidate.casefold(): candidate for candidate in names}
    if name.casefold() in folded:
        return folded[name.casefold()]
    close = difflib.get_close_matches(name.casefold(), list(folded), n=1)
    return folded[close[0]] if close else ""


def did_you_mean(name: str, valid: Iterable[str], *, what: str = "valid names") -> str:
    """Return a remedy: the nearest valid name, if any, and the list of all of them."""
    names = sorted(valid)
    guess = nearest(name, names)
    listing = f"{what}: {', '.join(names)}" if names else f"there are no {what}"
    return f"did you mean '{guess}'? ({listing})" if guess else listing


def unknown_name(
    kind: str, name: str, valid: Iterable[str], *, key: str = "", file: str = "", line: int | None = None
) -> UnknownNameError:
    """Build the error for an unknown ``name`` of a ``kind`` ("model", "window"); raise it yourself."""
    problem, remedy = f"unknown {kind} '{name}'", did_you_mean(name, valid)
    return UnknownNameError([Fault(problem=problem, remedy=remedy, key=key, file=file, line=line)])
