"""What the benchmarks find, as data: measurements and targets."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One tool on one workload.

    Attributes
    ----------
    ms
        Median, ms per 1,000 patients; None if it did not run.
    error
        Largest relative error (with a floor of 0.01 mg/L); None where there is nothing to compare with.
    ratio
        How many times longer it took than pkmodel, from neighbouring repeats; None for pkmodel itself.
    note
        Settings, or why it did not run.
    """

    workload: str
    tool: str
    patients: int = 0
    ms: float | None = None
    error: float | None = None
    ratio: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One line of what is to be reached.

    Attributes
    ----------
    value
        What was measured; None if it was not.
    at_least, aim
        Limits in the same unit.
    more
        Whether larger is better.
    also
        A second condition that "at least" needs (an error small enough), and whether it holds.
    """

    name: str
    unit: str
    value: float | None
    at_least: float | None = None
    aim: float | None = None
    more: bool = False
    also: tuple[str, bool] | None = None

    def verdict(self, limit: float | None, *, with_also: bool) -> str:
        """ "reached", "not reached", "not measured" or "" where there is no limit."""
        if limit is None:
            return ""
        if self.value is None:
            return "not measured"
        good = self.value >= limit if self.more else self.value <= limit
        if with_also and self.also is not None:
            good = good and self.also[1]
        return "reached" if good else "not reached"

    @property
    def at_least_verdict(self) -> str:
        """Whether "at least" is reached."""
        return self.verdict(self.at_least, with_also=True)

    @property
    def aim_verdict(self) -> str:
        """Whether the aim is reached."""
        return self.verdict(self.aim, with_also=False)
