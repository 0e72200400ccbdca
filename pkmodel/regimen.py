"""What is given when: doses, regimens, and the events that the kernels understand."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pkmodel import units
from pkmodel.errors import InputError
from pkmodel.structure import Structure
from pkmodel.units import Amount

DEFAULT_INFUSION_D = 2.0 / 24.0  # the labelled infusion time of infliximab


@dataclass(frozen=True, slots=True, kw_only=True)
class Dose:
    """One planned dose.

    Attributes
    ----------
    time
        Day of the dose.
    amount
        mg, or mg per kg of body weight.
    route
        "iv" (infusion or bolus) or "sc"; None takes the model's own route.
    duration
        Length of the infusion in days; 0 is a bolus. Ignored for "sc".
    premedicated
        IV hydrocortisone immediately before the dose; it acts on the onset hazard until the next dose.
    """

    time: float
    amount: Amount
    route: str | None = None
    duration: float = DEFAULT_INFUSION_D
    premedicated: bool = False

    def milligrams(self, weight: NDArray[np.float64] | None, n: int) -> NDArray[np.float64]:
        """Dose in mg for each of ``n`` patients of ``weight`` kg."""
        if not self.amount.per_weight:
            return np.full(n, self.amount.value)
        if weight is None:
            raise InputError.one(
                f"a dose of {self.amount.value:g} mg/kg needs body weights",
                "give the patients a 'weight' in kg, or the dose in mg",
                key="dose",
            )
        return self.amount.value * weight


@dataclass(frozen=True, slots=True, kw_only=True)
class Regimen:
    """A timetable of doses, in order of time.

    Build one with :meth:`induction`, :meth:`every` and :meth:`then`::

        Regimen.induction("5 mg/kg", weeks=(0, 2, 6)).then(
            Regimen.every("8 weeks", dose="5 mg/kg", until="54 weeks"))
    """

    doses: tuple[Dose, ...]
    interval: float | None = None  # d; of the last repeated part, for `then` and for policies
    until: float | None = None  # d; where the last repeated part stops
    repeated: int = 0  # doses of the last repeated part (maintenance)

    def __post_init__(self) -> None:
        times = [dose.time for dose in self.doses]
        if not times:
            raise InputError.one("a regimen without doses", "give at least one dose", key="regimen")
        if any(not 0.0 <= t < np.inf for t in times):
            raise InputError.one("a dose before day 0", "doses start at 0", key="regimen")
        if any(b <= a for a, b in itertools.pairwise(times)):
            raise InputError.one(
                "two doses at the same time or out of order",
                "give each dose its own, later time",
                key="regimen",
            )

    @classmethod
    def induction(
        cls,
        dose: str | Sequence[str],
        weeks: Sequence[float] = (0, 2, 6),
        *,
        route: str | None = None,
        infusion: str = "2 hours",
    ) -> Regimen:
        """Doses at given weeks; one dose text for all, or one for each week (``("160 mg", "80 mg")``)."""
        texts = [dose] * len(weeks) if isinstance(dose, str) else list(dose)
        if len(texts) != len(weeks):
            raise InputError.one(
                f"{len(texts)} doses for {len(weeks)} weeks",
                "give one dose, or one for each week",
                key="dose",
            )
        duration = _infusion(infusion)
        return cls(
            doses=tuple(
                Dose(time=7.0 * float(week), amount=units.dose(text), route=_route(route), duration=duration)
                for week, text in zip(weeks, texts, strict=True)
            )
        )

    @classmethod
    def every(
        cls,
        interval: str,
        *,
        dose: str,
        until: str,
        start: str | None = None,
        route: str | None = None,
        infusion: str = "2 hours",
    ) -> Regimen:
        """Repeated doses from ``start`` (default day 0, or one interval after what goes before in
        :meth:`then`) up to but not including ``until``."""
        step = units.time_d(interval)
        end = units.time_d(until)
        first = 0.0 if start is None else units.time_d(start)
        if step <= 0.0:
            raise InputError.one(f"an interval of {interval}", "the interval must be longer than 0", key="every")
        if end <= first:
            raise InputError.one(
                f"no dose fits between {first:g} and {end:g} days",
                "'until' must be after 'start'",
                key="until",
            )
        amount, duration = units.dose(dose), _infusion(infusion)
        count = int(np.ceil((end - first) / step - 1e-9))
        doses = tuple(
            Dose(time=first + k * step, amount=amount, route=_route(route), duration=duration) for k in range(count)
        )
        return cls(doses=doses, interval=step, until=end, repeated=count)

    def then(self, following: Regimen) -> Regimen:
        """This regimen, then another.

        A following :meth:`every` that starts at 0 is shifted to one interval after the last dose here;
        otherwise its own times hold and must lie after the last dose here.
        """
        last = self.doses[-1].time
        later = following.doses
        if following.interval is not None and later[0].time == 0.0 and following.until is not None:
            count = int(np.ceil((following.until - last - following.interval) / following.interval - 1e-9))
            if count <= 0:
                raise InputError.one(
                    f"no dose fits between day {last + following.interval:g} and day {following.until:g}",
                    "'until' must be later",
                    key="until",
                )
            later = tuple(replace(later[0], time=last + (k + 1) * following.interval) for k in range(count))
        return Regimen(
            doses=self.doses + later,
            interval=following.interval,
            until=following.until,
            repeated=len(later) if following.interval is not None else 0,
        )

    def premedicated(self) -> Regimen:
        """The same regimen with IV hydrocortisone immediately before every dose."""
        return replace(self, doses=tuple(replace(dose, premedicated=True) for dose in self.doses))


def _route(route: str | None) -> str | None:
    if route not in (None, "iv", "sc"):
        raise InputError.one(f"unknown route '{route}'", "use 'iv' or 'sc'", key="route")
    return route


def _infusion(text: str) -> float:
    duration = 0.0 if text == "bolus" else units.time_d(text)
    if not 0.0 <= duration <= 2.0:
        raise InputError.one(f"an infusion of {text}", "infusions last up to 2 days; 'bolus' is 0", key="infusion")
    return duration


def resolve_route(route: str | None, structure: Structure, *, model: str) -> str:
    """The route of a dose in a model: its own default where none is named, an error where it has no such route."""
    chosen = structure.routes[0] if route is None else route
    if chosen not in structure.routes:
        raise InputError.one(
            f"route '{chosen}' in model '{model}', which knows {', '.join(structure.routes)}",
            "choose another model or route",
            key="route",
        )
    return chosen
