"""Hypothesis strategies: plausible parameters, regimens and patients, in the shapes that ``naive`` takes.

Bounds are wide around the published monoclonal antibodies (CL 0.1-2 L/d, V1 2-10 L, Q 0.02-8 L/d,
V2 0.5-8 L, ka 0.05-2 per day) and around the first guesses of the antibody layer; a failing example is
therefore a patient one could meet, not a corner of the number line.
"""

from __future__ import annotations

from hypothesis import strategies as st
from naive import infusion

YEAR = 365.25


def between(low: float, high: float) -> st.SearchStrategy[float]:
    """Any ordinary float of a closed range."""
    return st.floats(low, high, allow_nan=False, allow_infinity=False, allow_subnormal=False)


def weights() -> st.SearchStrategy[float]:
    """Body weight, kg."""
    return between(20.0, 150.0)


@st.composite
def thetas(draw: st.DrawFn, compartments: int | None = None, absorption: bool | None = None) -> dict[str, float]:
    """A theta; one-compartment means Q = 0, V2 = 1, without absorption KA = 0, F = 1, LAG = 0."""
    two = draw(st.booleans()) if compartments is None else compartments == 2
    sc = draw(st.booleans()) if absorption is None else absorption
    theta = {"CL": draw(between(0.1, 2.0)), "V1": draw(between(2.0, 10.0))}
    theta |= {"Q": draw(between(0.02, 8.0)) if two else 0.0, "V2": draw(between(0.5, 8.0)) if two else 1.0}
    theta |= {"KA": draw(between(0.05, 2.0)) if sc else 0.0, "F": draw(between(0.3, 1.0)) if sc else 1.0}
    return theta | {"LAG": draw(st.sampled_from([0.0, 0.0, 0.25])) if sc else 0.0}


@st.composite
def dose_times(draw: st.DrawFn, until: float, most: int = 8) -> list[float]:
    """Increasing dose times before ``until``: first at 0, then 1 to 120 d apart, whole or broken days."""
    times = [0.0]
    for _ in range(draw(st.integers(0, most - 1))):
        gap = draw(st.one_of(st.integers(1, 120).map(float), between(1.0, 120.0)))
        if times[-1] + gap >= until:
            break
        times.append(times[-1] + gap)
    return times


@st.composite
def dose_events(draw: st.DrawFn, until: float, absorption: bool = False, most: int = 8) -> list[tuple]:
    """Events of a regimen: infusions of half an hour to six, boluses, and depot doses where absorbed."""
    kinds = ["infusion", "infusion", "bolus"] + ["depot"] * (3 if absorption else 0)
    amount = between(20.0, 1000.0)
    events: list[tuple] = []
    for time in draw(dose_times(until, most)):
        kind, mg = draw(st.sampled_from(kinds)), draw(amount)
        if kind == "infusion":
            events += infusion(time, mg, draw(st.sampled_from([0.5, 1.0, 2.0, 6.0])) / 24)
        else:
            events.append((time, kind, mg))
    return events


@st.composite
def changes(draw: st.DrawFn, until: float, most: int = 3) -> list[tuple]:
    """Events that bring no drug: co-therapy of some strength, steroid or none, occasion factors on CL."""
    kinds = {
        "cotherapy": between(0.0, 1.0),
        "steroid": st.sampled_from([0.48, 1.0]),
        "clearance": between(0.6, 1.6),
    }
    events = []
    for _ in range(draw(st.integers(0, most))):
        kind = draw(st.sampled_from(sorted(kinds)))
        events.append((draw(between(0.0, 0.95 * until)), kind, draw(kinds[kind])))
    return events


@st.composite
def immunes(draw: st.DrawFn) -> dict[str, float]:
    """Parameters of the antibody layer."""
    return {
        "h0": draw(between(0.005, 0.2)),
        "C_ag": draw(between(0.01, 0.5)),
        "C_tol": draw(between(0.3, 10.0)),
        "gamma": draw(between(0.5, 3.0)),
        "tau_rise": draw(between(3.0, 60.0)),
        "tau_R": draw(between(5.0, 150.0)),
        "k_ada": draw(between(0.01, 0.1)),
        "k_extra": draw(between(0.0, 0.5)),
        "Kss": draw(between(0.005, 0.5)),
        "imm_onset": draw(between(0.3, 1.0)),
        "imm_production": draw(between(0.5, 1.0)),
        "imm_clearance": draw(between(0.8, 1.0)),
        "memory_factor": draw(between(0.3, 1.0)),
    }


@st.composite
def subjects(draw: st.DrawFn) -> dict[str, float]:
    """What one person brings along: early, late or no onset; persistent or transient antibody."""
    return {
        "onset_threshold": draw(st.one_of(between(0.01, 2.0), st.just(1e9))),
        "R_max": draw(between(0.002, 2.0)),
        "k_u": draw(st.sampled_from([0.0, 0.0, 0.6931471805599453 / 60])),
        "m_hla": draw(st.sampled_from([1.0, 1.6])),
    }


@st.composite
def responses(draw: st.DrawFn) -> dict[str, float]:
    """Effect site and loss of response."""
    return {
        "t_e": draw(between(3.0, 30.0)),
        "g": draw(between(1.0, 3.0)),
        "EC50": draw(between(0.5, 8.0)),
        "lambda_mech": draw(between(0.0, 0.2)) / YEAR,
        "lambda_pk": draw(between(0.0, 3.0)) / YEAR,
        "C_relapse": draw(between(0.2, 3.0)),
    }


@st.composite
def patients(draw: st.DrawFn, until: float = 200.0, most: int = 6) -> dict:
    """Keyword arguments of ``naive.simulate_patient``; weekly output, so that some times meet doses."""
    theta = draw(thetas())
    events = draw(dose_events(until, absorption=theta["KA"] > 0, most=most)) + draw(changes(until))
    return {
        "theta": theta,
        "immune": draw(immunes()),
        "subject": draw(subjects()),
        "response": draw(responses()),
        "events": events,
        "until": until,
        "times": [7.0 * week for week in range(int(until // 7) + 1)],
    }
