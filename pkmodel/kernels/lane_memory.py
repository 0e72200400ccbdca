"""Where everything of the antibody lanes lies in their one block of memory.

Every field is LANES long, at a distance from the others that the compiler knows: that is what lets it prove that
nothing read is overwritten, and vectorise.
"""

from __future__ import annotations

from pkmodel.kernels._jit import jit
from pkmodel.kernels.binding import MATRIX

LANES = 24

# state (depot, central, peripheral, antibody, production, drive), its new value, the eight stages of a step
Y, N = 0 * LANES, 6 * LANES
K1, K2, K3, K4, K5, K6, K7, K8 = (
    12 * LANES, 18 * LANES, 24 * LANES, 30 * LANES, 36 * LANES, 42 * LANES, 48 * LANES, 54 * LANES,
)  # fmt: skip
# dense output of central amount and antibody, three fields each
DENSE = 60 * LANES
# parameters in the order of binding.PARAMETERS; the linearisation of binding.linearise
P = 66 * LANES
M = 81 * LANES
_AFTER = M + MATRIX * LANES
# time, end of the interval, step wanted, step tried, its reciprocal, size of the error, scale of the next step,
# 1 if accepted
T, T1, H, TRY, PER_H, SIZE, SCALE, ACCEPT = (
    _AFTER, _AFTER + LANES, _AFTER + 2 * LANES, _AFTER + 3 * LANES, _AFTER + 4 * LANES, _AFTER + 5 * LANES,
    _AFTER + 6 * LANES, _AFTER + 7 * LANES,
)  # fmt: skip
_MORE = _AFTER + 8 * LANES
# free drug, effect, accumulated and momentary hazard of loss at both ends of the step; next output
C0, C1, E0, E1, L0, L1, R0, R1, OUT = (
    _MORE, _MORE + LANES, _MORE + 2 * LANES, _MORE + 3 * LANES, _MORE + 4 * LANES, _MORE + 5 * LANES,
    _MORE + 6 * LANES, _MORE + 7 * LANES, _MORE + 8 * LANES,
)  # fmt: skip
# clearance; 1 if a scalar look is needed; steps taken; hazard at which response is lost; logarithm of EC50
CLEARANCE, LOOK, COUNT, LOSS_TARGET = _MORE + 9 * LANES, _MORE + 10 * LANES, _MORE + 11 * LANES, _MORE + 12 * LANES
LOG_EC50 = _MORE + 13 * LANES
MEMORY = _MORE + 14 * LANES


@jit(inline="always")
def six(m, field, l):
    """Six consecutive fields of lane l: a state or a stage."""
    return (
        m[field + l],
        m[field + LANES + l],
        m[field + 2 * LANES + l],
        m[field + 3 * LANES + l],
        m[field + 4 * LANES + l],
        m[field + 5 * LANES + l],
    )


@jit(inline="always")
def put_six(m, field, l, values):
    """Write six consecutive fields of lane l."""
    m[field + l] = values[0]
    m[field + LANES + l] = values[1]
    m[field + 2 * LANES + l] = values[2]
    m[field + 3 * LANES + l] = values[3]
    m[field + 4 * LANES + l] = values[4]
    m[field + 5 * LANES + l] = values[5]


@jit(inline="always")
def parameters(m, l):
    """Parameters of lane l in the order of binding.PARAMETERS."""
    return (
        m[P + l],
        m[P + LANES + l],
        m[P + 2 * LANES + l],
        m[P + 3 * LANES + l],
        m[P + 4 * LANES + l],
        m[P + 5 * LANES + l],
        m[P + 6 * LANES + l],
        m[P + 7 * LANES + l],
        m[P + 8 * LANES + l],
        m[P + 9 * LANES + l],
        m[P + 10 * LANES + l],
        m[P + 11 * LANES + l],
        m[P + 12 * LANES + l],
        m[P + 13 * LANES + l],
        m[P + 14 * LANES + l],
    )


@jit(inline="always")
def matrix(m, l):
    """Linearisation of lane l in the order of binding.linearise."""
    return (
        m[M + l],
        m[M + LANES + l],
        m[M + 2 * LANES + l],
        m[M + 3 * LANES + l],
        m[M + 4 * LANES + l],
        m[M + 5 * LANES + l],
        m[M + 6 * LANES + l],
        m[M + 7 * LANES + l],
        m[M + 8 * LANES + l],
        m[M + 9 * LANES + l],
        m[M + 10 * LANES + l],
        m[M + 11 * LANES + l],
        m[M + 12 * LANES + l],
        m[M + 13 * LANES + l],
        m[M + 14 * LANES + l],
        m[M + 15 * LANES + l],
    )


@jit(inline="always")
def put_matrix(m, l, values):
    """Write the linearisation of lane l."""
    m[M + l] = values[0]
    m[M + LANES + l] = values[1]
    m[M + 2 * LANES + l] = values[2]
    m[M + 3 * LANES + l] = values[3]
    m[M + 4 * LANES + l] = values[4]
    m[M + 5 * LANES + l] = values[5]
    m[M + 6 * LANES + l] = values[6]
    m[M + 7 * LANES + l] = values[7]
    m[M + 8 * LANES + l] = values[8]
    m[M + 9 * LANES + l] = values[9]
    m[M + 10 * LANES + l] = values[10]
    m[M + 11 * LANES + l] = values[11]
    m[M + 12 * LANES + l] = values[12]
    m[M + 13 * LANES + l] = values[13]
    m[M + 14 * LANES + l] = values[14]
    m[M + 15 * LANES + l] = values[15]
