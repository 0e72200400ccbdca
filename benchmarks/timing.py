"""Timing on a machine that is not ours alone: medians of interleaved repeats, ratios of neighbours in time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

Work = Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds of each repeat, in the order they were run."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Median, s."""
        return median(self.seconds)

    def times_faster_than(self, other: Timing) -> float:
        """Median over the pairs of neighbouring repeats of ``other``'s time over this one's."""
        return median(b / a for a, b in zip(self.seconds, other.seconds, strict=True))


def interleaved(works: Mapping[str, Work], repeats: int) -> dict[str, Timing]:
    """Time several pieces of work in turn, after one untimed call of each.

    In turn, because the load of a shared machine drifts: what runs a moment apart can be compared, what runs a
    minute apart cannot.
    """
    for work in works.values():
        work()
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            begin = time.perf_counter()
            result = work()
            seconds[name].append(time.perf_counter() - begin)
            del result  # giving memory back is not timed
    return {name: Timing(seconds=tuple(values)) for name, values in seconds.items()}


def timed(work: Work, repeats: int) -> Timing:
    """Time one piece of work after an untimed call."""
    return interleaved({"": work}, repeats)[""]
