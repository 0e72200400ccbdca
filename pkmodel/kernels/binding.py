"""The antibody system after onset: quasi-steady-state binding, its slopes and its linearisation.

Equations (amounts mg, concentrations mg/L, antibody in mg of drug-binding capacity, V = V1)::

    D = A_c/V   S = A_S/V   b = D - S - Kss   C = (b + sqrt(b^2 + 4 Kss D))/2   X = D - C
    dA_d/dt = -ka A_d
    dA_c/dt = In + ka A_d - (CL + Q) C + (Q/V2) A_p - k_cx X V      k_cx = CL/V + k_extra
    dA_p/dt = Q C - (Q/V2) A_p
    dA_S/dt = R V - k_ada (S - X) V - k_cx X V
    dR/dt   = (B - R)(1/tau_R + (1/tau_rise - 1/tau_R) B/(B + R))   B = R_max u D/(D + C_ag)
    du/dt   = -k_u u

Production rises with tau_rise where there is none and falls with tau_R where nothing drives it; between these the rate
passes smoothly from one to the other (a switch at R = B would be a kink, which costs the integrator its order).

Binding: Gibiansky L et al. J Pharmacokinet Pharmacodyn 2008;35:573-91, doi:10.1007/s10928-008-9102-8 (the
quasi-steady-state approximation), with the antibody in the place of the receptor.

The linearly implicit method of :mod:`pkmodel.kernels.rodas5p` solves (w I - J) x = b with the Jacobian J of these
slopes. It is analytic and its elimination is written out: depot and drive are triangular, peripheral amount and
production fold into a 2 x 2 system in (A_c, A_S).
"""

from __future__ import annotations

import math

from pkmodel.kernels._jit import jit
from pkmodel.kernels.elementary import fma


@jit(inline="always")
def free_drug(d, s, kss):
    """(free drug C, sqrt of the discriminant) in mg/L; the form without cancellation for either sign of b."""
    b = d - s - kss
    root = math.sqrt(fma(b, b, 4.0 * kss * d))
    small = 2.0 * kss * d / (root - b if b < 0.0 else 1.0)
    c = 0.5 * (b + root) if b >= 0.0 else small
    return c, root


_NOTHING = 1e-100  # mg/L/d; neither drive nor production: the share is then 0

# order of the tuple of parameters that every function here takes; rate is In(t) of the interval, gain is
# 1/tau_rise - 1/tau_R
PARAMETERS = (
    "rate", "ka", "q", "k21", "v", "k_cx", "k_extra", "k_ada", "kss", "c_ag", "r_max", "per_tau", "k_u", "per_v",
    "gain",
)  # fmt: skip


@jit(inline="always")
def slopes(y, p):
    """Right-hand side for y = (A_d, A_c, A_p, A_S, R, u); p as in :data:`PARAMETERS`."""
    rate, ka, q, k21, v, k_cx, k_extra, k_ada, kss, c_ag, r_max, per_tau, k_u, per_v, gain = p
    a_d, a_c, a_p, a_s, r, u = y
    d = a_c * per_v
    b = fma(-a_s, per_v, d - kss)
    root = math.sqrt(fma(b, b, 4.0 * kss * d))
    # free drug as in free_drug; its division shares one reciprocal with those of the drive and of the share that it has
    # in drive and production (divisions are what a stage waits for)
    low = root - b if b < 0.0 else 1.0
    stimulus = d + c_ag
    drive = r_max * u * d
    both = fma(r, stimulus, drive) + _NOTHING
    pair = low * stimulus
    inverse = 1.0 / (pair * both)
    per_pair = both * inverse
    c = 0.5 * (b + root) if b >= 0.0 else 2.0 * kss * d * (stimulus * per_pair)
    share = drive * (pair * inverse)
    back = k21 * a_p
    return (
        -ka * a_d,
        fma(ka, a_d, fma(-k_cx, a_c, fma(fma(k_extra, v, -q), c, rate + back))),
        fma(q, c, -back),
        fma(r, v, fma(-k_ada, a_s, (k_ada - k_cx) * fma(-v, c, a_c))),
        fma(drive, low * per_pair, -r) * fma(gain, share, per_tau),
        -k_u * u,
    )


@jit(inline="always")
def linearise(y, p, w):
    """What :func:`solve` needs of w I - J at y: a tuple of :data:`MATRIX` numbers."""
    _, ka, q, k21, v, k_cx, k_extra, k_ada, kss, c_ag, r_max, per_tau, k_u, per_v, gain = p
    _, a_c, _, a_s, r, u = y
    d = a_c * per_v
    c, root = free_drug(d, a_s * per_v, kss)
    # reciprocals in two groups, one division each
    root = max(root, 1e-150)
    stimulus = d + c_ag
    drive = r_max * u * d
    both = fma(r, stimulus, drive) + _NOTHING
    pair = stimulus * both
    inverse = 1.0 / (root * pair)
    per_root = per_v * (pair * inverse)
    per_pair = root * inverse
    per_ag = both * per_pair
    share = drive * (stimulus * per_pair)
    c_c = (c + kss) * per_root
    c_s = -c * per_root
    # slopes of dR/dt by R and by B, with the share s = B/(B + R): -(k + 2 (k' - k) s^2), k + (k' - k)(1 - 2 (1 - s)^2)
    by_drive = fma(gain, 1.0 - 2.0 * (1.0 - share) * (1.0 - share), per_tau)
    w_p, w_r, w_d, w_u = w + k21, w + fma(2.0 * gain, share * share, per_tau), w + ka, w + k_u
    pair, other = w_p * w_r, w_d * w_u
    inverse = 1.0 / (pair * other)
    i_p, i_r = w_r * other * inverse, w_p * other * inverse
    i_d, i_u = w_u * pair * inverse, w_d * pair * inverse
    r_u = r_max * d * per_ag * by_drive
    r_c = r_max * u * c_ag * per_ag * per_ag * by_drive * per_v
    back = k21 * i_p
    # slope of A_c by C: what complexes lose beyond free drug, less what is distributed and not yet returned
    hold = fma(k_extra, v, -q) + back * q
    m11 = fma(-hold, c_c, w + k_cx)
    m12 = -hold * c_s
    m21 = fma(k_cx - k_ada, fma(-v, c_c, 1.0), -(v * i_r) * r_c)
    m22 = fma((k_ada - k_cx) * v, c_s, w + k_ada)
    inv = 1.0 / fma(m11, m22, -m12 * m21)
    return (
        m11, m12, m21, m22, inv, i_d, i_p, i_r, i_u, ka, back, v * i_r, r_u, r_c, q * c_c,
        q * c_s,
    )  # fmt: skip


MATRIX = 16


@jit(inline="always")
def solve(b, matrix):
    """x of (w I - J) x = b."""
    m11, m12, m21, m22, inv, i_d, i_p, i_r, i_u, ka, back, v_r, r_u, r_c, p_c, p_s = matrix
    x_d = b[0] * i_d
    x_u = b[5] * i_u
    made = fma(r_u, x_u, b[4])
    rhs1 = fma(back, b[2], fma(ka, x_d, b[1]))
    rhs2 = fma(v_r, made, b[3])
    x_c = fma(m22, rhs1, -m12 * rhs2) * inv
    x_s = fma(m11, rhs2, -m21 * rhs1) * inv
    return (
        x_d,
        x_c,
        fma(p_s, x_s, fma(p_c, x_c, b[2])) * i_p,
        x_s,
        fma(r_c, x_c, made) * i_r,
        x_u,
    )
