"""Tables for people (Markdown, to be read as it is or pasted into a page) and JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.measures import Measurement, Target
from benchmarks.memory import Footprint
from benchmarks.scaling import Curve
from benchmarks.startup import StartUp


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All findings of one run of the suite."""

    machine: Mapping[str, Any]
    options: Mapping[str, Any]
    measurements: Sequence[Measurement]
    targets: Sequence[Target]
    footprints: Sequence[Footprint] = ()
    startups: Sequence[StartUp] = ()
    curves: Sequence[Curve] = field(default_factory=tuple)

    def text(self) -> str:
        """All tables."""
        machine = self.machine
        commit = machine["commit"][:12] or "unknown"
        head = (
            f"{machine['processor']}, {machine['cores']} cores, load {machine['load_average'][0]:.1f}; "
            f"Python {machine['python']}, numba {machine['versions']['numba']}; "
            f"commit {commit}{' with uncommitted changes' if machine['uncommitted'] else ''}"
        )
        parts = [head, _measurements(self.measurements)]
        if self.footprints:
            parts.append(_footprints(self.footprints))
        if self.startups:
            parts.append(_startups(self.startups))
        if self.targets:
            parts.append(_targets(self.targets))
        return "\n\n".join(parts)

    def write_json(self, path: Path) -> None:
        """Everything, with the verdict on each target."""
        content = asdict(self)
        for target, entry in zip(self.targets, content["targets"], strict=True):
            entry["at_least_reached"], entry["aim_reached"] = target.at_least_verdict, target.aim_verdict
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, text: Sequence[int] = (0,)) -> str:
    """A Markdown table whose columns line up; columns number ``text`` are words, the others numbers."""
    widths = [max(len(row[j]) for row in [columns, *rows]) for j in range(len(columns))]

    def line(cells: Sequence[str]) -> str:
        padded = (c.ljust(w) if j in text else c.rjust(w) for j, (c, w) in enumerate(zip(cells, widths, strict=True)))
        return f"| {' | '.join(padded)} |"

    rule = [("-" * w) if j in text else "-" * (w - 1) + ":" for j, w in enumerate(widths)]
    return "\n".join([line(columns), f"| {' | '.join(rule)} |", *map(line, rows)])


def _number(value: float | None, digits: int = 3) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.{digits}g}"


def _measurements(found: Sequence[Measurement]) -> str:
    ours = {m.workload: m.ms for m in found if m.tool == "pkmodel"}

    def of_medians(m: Measurement) -> float | None:
        """Of the times in the table: pkmodel's was taken without the other tool in between."""
        own = ours.get(m.workload)
        return None if m.ratio is None or m.ms is None or not own else m.ms / own

    rows = [
        [m.workload, m.tool, _number(m.ms), "1" if m.tool == "pkmodel" else _number(m.ratio), _number(of_medians(m)),
         "-" if m.error is None else f"{m.error:.1e}", f"{m.patients:,}" if m.patients else "-", m.note]
        for m in found
    ]  # fmt: skip
    columns = [
        "workload", "tool", "ms per 1,000 patients", "times pkmodel, pairs", "of medians", "max error", "patients",
        "note",
    ]  # fmt: skip
    return table(columns, rows, text=(0, 1, 7))


def _footprints(found: Sequence[Footprint]) -> str:
    rows = [
        [f"{f.patients:,}", f"{f.threads}", _number(f.run_s), _number(f.score_s)]
        + [_number(gb) for gb in (f.before_gb, f.run_gb, f.score_gb)]
        for f in found
    ]
    peak = ["before", "after the run", "after the scores"]
    columns = ["four arms: patients", "threads", "run, s", "scores, s", *(f"peak GB {when}" for when in peak)]
    return table(columns, rows)


def _startups(found: Sequence[StartUp]) -> str:
    rows = [[s.command, _number(s.cold), _number(s.warm)] for s in found]
    return table(["command", "nothing cached, s", "later, s"], rows)


def _targets(found: Sequence[Target]) -> str:
    def limit(value: float | None, verdict: str) -> str:
        return "-" if value is None else f"{value:g}: {verdict}"

    rows = []
    for t in found:
        note = "" if t.also is None else f"{t.also[0]}: {'yes' if t.also[1] else 'no'}"
        measured = "-" if t.value is None else f"{_number(t.value)} {t.unit}"
        rows.append([t.name, measured, limit(t.at_least, t.at_least_verdict), limit(t.aim, t.aim_verdict), note])
    return table(["target", "measured", "at least", "aim", "also"], rows, text=(0, 2, 3, 4))
