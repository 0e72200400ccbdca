"""The antibody system after onset: quasi-steady-state binding and one linearly implicit step.

Equations (amounts mg, concentrations mg/L, antibody in mg of drug-binding capacity, V = V1)::

    D = A_c/V   S = A_S/V   b = D - S - Kss   C = (b + sqrt(b^2 + 4 Kss D))/2   X = D - C
    dA_d/dt = -ka A_d
    dA_c/dt = In + ka A_d - (CL + Q) C + (Q/V2) A_p - k_cx X V      k_cx = CL/V + k_extra
    dA_p/dt = Q C - (Q/V2) A_p
    dA_S/dt = R V - k_ada (S - X) V - k_cx X V
    dR/dt   = (R_max u D/(D + C_ag) - R)/tau_R                      du/dt = -k_u u

Binding: Gibiansky L et al. J Pharmacokinet Pharmacodyn 2008;35:573-91, doi:10.1007/s10928-008-9102-8 (the
quasi-steady-state approximation), with the antibody in the place of the receptor.

Method: RODAS, an L-stable Rosenbrock method of order 4 with an embedded one of order 3. Hairer E, Wanner G.
Solving Ordinary Differential Equations II, 2nd ed. Springer 1996, section VI.4. The Jacobian is analytic and
its elimination is written out: depot and drive are triangular, peripheral amount and production fold into a
2 x 2 system in (A_c, A_S).
"""

from __future__ import annotations

import math

from pkmodel.kernels._jit import jit

_GAMMA = 0.25
_A21 = 1.544
_A31, _A32 = 0.9466785280815826, 0.2557011698983284
_A41, _A42, _A43 = 3.314825187068521, 2.896124015972201, 0.9986419139977817
_A51, _A52, _A53, _A54 = 1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950
_C21 = -5.6688
_C31, _C32 = -2.430093356833875, -0.2063599157091915
_C41, _C42, _C43 = -0.1073529058151375, -9.594562251023355, -20.47028614809616
_C51, _C52, _C53, _C54 = 7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160
_C61, _C62, _C63, _C64, _C65 = (
    8.083246795921522,
    -7.981132988064893,
    -31.52159432874371,
    16.31930543123136,
    -6.058818238834054,
)


@jit()
def free_drug(d, s, kss):
    """(free drug C, sqrt of the discriminant) in mg/L; the form without cancellation for either sign of b."""
    b = d - s - kss
    root = math.sqrt(b * b + 4.0 * kss * d)
    c = 0.5 * (b + root) if b >= 0.0 else 2.0 * kss * d / (root - b)
    return c, root


# order of the tuple of parameters that every function here takes; rate is In(t) of the interval
PARAMETERS = ("rate", "ka", "q", "k21", "v", "k_cx", "k_extra", "k_ada", "kss", "c_ag", "r_max", "tau", "k_u")


@jit()
def slopes(y, p):
    """Right-hand side for y = (A_d, A_c, A_p, A_S, R, u); p as in :data:`PARAMETERS`."""
    rate, ka, q, k21, v, k_cx, k_extra, k_ada, kss, c_ag, r_max, tau, k_u = p
    a_d, a_c, a_p, a_s, r, u = y
    d = a_c / v
    c, _ = free_drug(d, a_s / v, kss)
    return (
        -ka * a_d,
        rate + ka * a_d - k_cx * a_c + (k_extra * v - q) * c + k21 * a_p,
        q * c - k21 * a_p,
        r * v - k_ada * a_s - (k_cx - k_ada) * (a_c - v * c),
        (r_max * u * d / (d + c_ag) - r) / tau,
        -k_u * u,
    )


@jit()
def step(y, h, p):
    """One step of length h: (new y, error of y), both as tuples of six."""
    _, ka, q, k21, v, k_cx, k_extra, k_ada, kss, c_ag, r_max, tau, k_u = p
    _, a_c, _, a_s, _, u = y
    d = a_c / v
    c, root = free_drug(d, a_s / v, kss)
    root = max(root, 1e-300)
    c_c = (c + kss) / (root * v)
    c_s = -c / (root * v)
    w = 1.0 / (_GAMMA * h)
    i_d = 1.0 / (w + ka)
    i_u = 1.0 / (w + k_u)
    i_p = 1.0 / (w + k21)
    i_r = 1.0 / (w + 1.0 / tau)
    hold = k_extra * v - q
    r_u = r_max * d / ((d + c_ag) * tau)
    r_c = r_max * u * c_ag / (v * tau * (d + c_ag) * (d + c_ag))
    m11 = w + k_cx - hold * c_c - k21 * i_p * q * c_c
    m12 = -hold * c_s - k21 * i_p * q * c_s
    m21 = (k_cx - k_ada) * (1.0 - v * c_c) - v * i_r * r_c
    m22 = w + k_ada - (k_cx - k_ada) * v * c_s
    inv = 1.0 / (m11 * m22 - m12 * m21)
    matrix = (m11, m12, m21, m22, inv, i_d, i_p, i_r, i_u, ka, k21, v, r_u, r_c, q * c_c, q * c_s)
    g = 1.0 / h

    k1 = _solve(slopes(y, p), matrix)
    y2 = _add1(y, _A21, k1)
    k2 = _solve(_add1(slopes(y2, p), g * _C21, k1), matrix)
    y3 = _add2(y, _A31, k1, _A32, k2)
    k3 = _solve(_add2(slopes(y3, p), g * _C31, k1, g * _C32, k2), matrix)
    y4 = _add3(y, _A41, k1, _A42, k2, _A43, k3)
    k4 = _solve(_add3(slopes(y4, p), g * _C41, k1, g * _C42, k2, g * _C43, k3), matrix)
    y5 = _add4(y, _A51, k1, _A52, k2, _A53, k3, _A54, k4)
    k5 = _solve(_add4(slopes(y5, p), g * _C51, k1, g * _C52, k2, g * _C53, k3, g * _C54, k4), matrix)
    y6 = _add1(y5, 1.0, k5)
    rhs = _add1(slopes(y6, p), g * _C65, k5)
    k6 = _solve(_add4(rhs, g * _C61, k1, g * _C62, k2, g * _C63, k3, g * _C64, k4), matrix)
    return _add1(y6, 1.0, k6), k6


@jit()
def _solve(b, matrix):
    m11, m12, m21, m22, inv, i_d, i_p, i_r, i_u, ka, k21, v, r_u, r_c, p_c, p_s = matrix
    x_d = b[0] * i_d
    x_u = b[5] * i_u
    rhs1 = b[1] + ka * x_d + k21 * i_p * b[2]
    rhs2 = b[3] + v * i_r * (b[4] + r_u * x_u)
    x_c = (m22 * rhs1 - m12 * rhs2) * inv
    x_s = (m11 * rhs2 - m21 * rhs1) * inv
    return (
        x_d,
        x_c,
        (b[2] + p_c * x_c + p_s * x_s) * i_p,
        x_s,
        (b[4] + r_u * x_u + r_c * x_c) * i_r,
        x_u,
    )


@jit()
def _add1(y, a, k):
    return (
        y[0] + a * k[0],
        y[1] + a * k[1],
        y[2] + a * k[2],
        y[3] + a * k[3],
        y[4] + a * k[4],
        y[5] + a * k[5],
    )


@jit()
def _add2(y, a, k, b, l):
    return _add1(_add1(y, a, k), b, l)


@jit()
def _add3(y, a, k, b, l, c, m):
    return _add1(_add2(y, a, k, b, l), c, m)


@jit()
def _add4(y, a, k, b, l, c, m, d, n):
    return _add1(_add3(y, a, k, b, l, c, m), d, n)
