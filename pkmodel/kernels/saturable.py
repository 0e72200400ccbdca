"""Disposition without a closed form: up to three compartments, saturable elimination, effect site, hazard of loss.

Equations (amounts mg, concentrations mg/L, C = A_c/V1)::

    dA_d/dt = -ka A_d
    dA_c/dt = In + ka A_d - (CL + Vmax/(Km + C) + Q + Q3) C + (Q/V2) A_p + (Q3/V3) A_2
    dA_p/dt = Q C - (Q/V2) A_p              dA_2/dt = Q3 C - (Q3/V3) A_2
    dC_e/dt = k_e (C - C_e)                 dL/dt = lambda_mech + lambda_pk (1 - E(C_e))

Parallel linear and Michaelis-Menten elimination: Michaelis L, Menten ML. Biochem Z 1913;49:333-69; for antibodies
Mould DR, Green B. BioDrugs 2010;24:23-39, doi:10.2165/11530560-000000000-00000.

The step is that of :mod:`pkmodel.kernels.rodas5p`. The Jacobian is analytic and an arrow: every compartment speaks
with the central one only, so that each solve is one division per compartment.
"""

from __future__ import annotations

from pkmodel.kernels import rodas5p as r
from pkmodel.kernels._jit import jit
from pkmodel.kernels.elementary import exp, log

# order of the tuple of parameters that every function here takes; rate is In(t) of the interval, k_e is 0 where
# there is no exposure-response model
PARAMETERS = (
    "rate", "ka", "cl", "q", "k21", "q3", "k31", "vmax", "km", "per_v", "k_e", "hill", "log_half", "mech", "pk",
)  # fmt: skip


@jit(inline="always")
def without_effect(c_e, hill, log_half):
    """1 - E(C_e)."""
    return 1.0 / (1.0 + exp(hill * (log(max(c_e, 1e-300)) - log_half)))


@jit(inline="always")
def clearance(c, p):
    """Clearance (L/d) at concentration c, linear and saturable together."""
    return p[2] + p[7] / (p[8] + c)


@jit(inline="always")
def slopes(y, p):
    """Right-hand side for y = (A_d, A_c, A_p, A_2, C_e, L); p as in :data:`PARAMETERS`."""
    rate, ka, _, q, k21, q3, k31, _, _, per_v, k_e, hill, log_half, mech, pk = p
    a_d, a_c, a_p, a_2, c_e, _ = y
    c = a_c * per_v
    loss = mech + pk * without_effect(c_e, hill, log_half) if k_e > 0.0 else 0.0
    return (
        -ka * a_d,
        rate + ka * a_d - (clearance(c, p) + q + q3) * c + k21 * a_p + k31 * a_2,
        q * c - k21 * a_p,
        q3 * c - k31 * a_2,
        k_e * (c - c_e),
        loss,
    )


@jit(inline="always")
def step(y, h, p):
    """One step of length h: (new y, its error, the eight stages), all in tuples of six."""
    _, ka, cl, q, k21, q3, k31, vmax, km, per_v, k_e, hill, log_half, _, pk = p
    c = y[1] * per_v
    room = km + c
    w = 1.0 / (r.GAMMA * h)
    i_d = 1.0 / (w + ka)
    i_p = 1.0 / (w + k21)
    i_2 = 1.0 / (w + k31)
    i_e = 1.0 / (w + k_e)
    leaving = (cl + vmax * km / (room * room) + q + q3) * per_v
    i_c = 1.0 / (w + leaving - k21 * i_p * q * per_v - k31 * i_2 * q3 * per_v)
    hazard_slope = 0.0
    if k_e > 0.0 and y[4] > 0.0:
        missing = without_effect(y[4], hill, log_half)
        hazard_slope = -pk * hill * missing * (1.0 - missing) / y[4]
    matrix = (
        i_d, i_c, i_p, i_2, i_e, r.GAMMA * h, ka, k21 * i_p, k31 * i_2, q * per_v, q3 * per_v, k_e * per_v,
        hazard_slope,
    )  # fmt: skip
    g = 1.0 / h

    k1 = _solve(slopes(y, p), matrix)
    y2 = r.plus(y, r.A21, k1)
    mix = r.scaled(r.C21, k1)
    k2 = _solve(r.plus(slopes(y2, p), g, mix), matrix)
    y3 = r.plus(y, r.A31, k1)
    y3 = r.plus(y3, r.A32, k2)
    mix = r.scaled(r.C31, k1)
    mix = r.plus(mix, r.C32, k2)
    k3 = _solve(r.plus(slopes(y3, p), g, mix), matrix)
    y4 = r.plus(y, r.A41, k1)
    y4 = r.plus(y4, r.A42, k2)
    y4 = r.plus(y4, r.A43, k3)
    mix = r.scaled(r.C41, k1)
    mix = r.plus(mix, r.C42, k2)
    mix = r.plus(mix, r.C43, k3)
    k4 = _solve(r.plus(slopes(y4, p), g, mix), matrix)
    y5 = r.plus(y, r.A51, k1)
    y5 = r.plus(y5, r.A52, k2)
    y5 = r.plus(y5, r.A53, k3)
    y5 = r.plus(y5, r.A54, k4)
    mix = r.scaled(r.C51, k1)
    mix = r.plus(mix, r.C52, k2)
    mix = r.plus(mix, r.C53, k3)
    mix = r.plus(mix, r.C54, k4)
    k5 = _solve(r.plus(slopes(y5, p), g, mix), matrix)
    y6 = r.plus(y, r.A61, k1)
    y6 = r.plus(y6, r.A62, k2)
    y6 = r.plus(y6, r.A63, k3)
    y6 = r.plus(y6, r.A64, k4)
    y6 = r.plus(y6, r.A65, k5)
    mix = r.scaled(r.C61, k1)
    mix = r.plus(mix, r.C62, k2)
    mix = r.plus(mix, r.C63, k3)
    mix = r.plus(mix, r.C64, k4)
    mix = r.plus(mix, r.C65, k5)
    k6 = _solve(r.plus(slopes(y6, p), g, mix), matrix)
    y7 = r.plus(y6, 1.0, k6)
    mix = r.scaled(r.C71, k1)
    mix = r.plus(mix, r.C72, k2)
    mix = r.plus(mix, r.C73, k3)
    mix = r.plus(mix, r.C74, k4)
    mix = r.plus(mix, r.C75, k5)
    mix = r.plus(mix, r.C76, k6)
    k7 = _solve(r.plus(slopes(y7, p), g, mix), matrix)
    y8 = r.plus(y7, 1.0, k7)
    mix = r.scaled(r.C81, k1)
    mix = r.plus(mix, r.C82, k2)
    mix = r.plus(mix, r.C83, k3)
    mix = r.plus(mix, r.C84, k4)
    mix = r.plus(mix, r.C85, k5)
    mix = r.plus(mix, r.C86, k6)
    mix = r.plus(mix, r.C87, k7)
    k8 = _solve(r.plus(slopes(y8, p), g, mix), matrix)
    return r.plus(y8, 1.0, k8), k8, (k1, k2, k3, k4, k5, k6, k7, k8)


@jit(inline="always")
def dense(stages, i):
    """The three numbers that the dense output of component i needs."""
    k1, k2, k3, k4, k5, k6, k7, k8 = stages
    return (
        r.weighted(r.H2, k1[i], k2[i], k3[i], k4[i], k5[i], k6[i], k7[i], k8[i]),
        r.weighted(r.H3, k1[i], k2[i], k3[i], k4[i], k5[i], k6[i], k7[i], k8[i]),
        r.weighted(r.H4, k1[i], k2[i], k3[i], k4[i], k5[i], k6[i], k7[i], k8[i]),
    )


@jit(inline="always")
def _solve(rhs, matrix):
    i_d, i_c, i_p, i_2, i_e, i_l, ka, from_p, from_2, to_p, to_2, to_e, hazard_slope = matrix
    x_d = rhs[0] * i_d
    x_c = (rhs[1] + ka * x_d + from_p * rhs[2] + from_2 * rhs[3]) * i_c
    x_e = (rhs[4] + to_e * x_c) * i_e
    return (
        x_d,
        x_c,
        (rhs[2] + to_p * x_c) * i_p,
        (rhs[3] + to_2 * x_c) * i_2,
        x_e,
        (rhs[5] + hazard_slope * x_e) * i_l,
    )
