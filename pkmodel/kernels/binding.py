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

Method: Rodas5P, an L-stable Rosenbrock method of order 5 with an embedded one of order 4 (the error estimate) and
a dense output of order 4. Steinebach G. BIT Numer Math 2023;63:27, doi:10.1007/s10543-023-00967-x (coefficients);
Hairer E, Wanner G. Solving Ordinary Differential Equations II, 2nd ed. Springer 1996, section IV.7 (the form that
avoids multiplying by the Jacobian). The Jacobian is analytic and its elimination is written out: depot and drive
are triangular, peripheral amount and production fold into a 2 x 2 system in (A_c, A_S).
"""

from __future__ import annotations

import math

from pkmodel.kernels._jit import jit

_GAMMA = 0.21193756319429014
_A21 = 3.0
_A31, _A32 = 2.849394379747939, 0.45842242204463923
_A41, _A42, _A43 = -6.954028509809101, 2.489845061869568, -10.358996098473584
_A51, _A52, _A53, _A54 = 2.8029986275628964, 0.5072464736228206, -0.3988312541770524, -0.04721187230404641
_A61, _A62, _A63 = -7.502846399306121, 2.561846144803919, -11.627539656261098
_A64, _A65 = -0.18268767659942256, 0.030198172008377946
_C21 = -14.155112264123755
_C31, _C32 = -17.97296035885952, -2.859693295451294
_C41, _C42, _C43 = 147.12150275711716, -1.41221402718213, 71.68940251302358
_C51, _C52, _C53, _C54 = 165.43517024871676, -0.4592823456491126, 42.90938336958603, -5.961986721573306
_C61, _C62, _C63 = 24.854864614690072, -3.0009227002832186, 47.4931110020768
_C64, _C65 = 5.5814197821558125, -0.6610691825249471
_C71, _C72, _C73 = 30.91273214028599, -3.1208243349937974, 77.79954646070892
_C74, _C75, _C76 = 34.28646028294783, -19.097331116725623, -28.087943162872662
_C81, _C82, _C83 = 37.80277123390563, -3.2571969029072276, 112.26918849496327
_C84, _C85, _C86, _C87 = 66.9347231244047, -40.06618937091002, -54.66780262877968, -9.48861652309627
# dense output: rows of weights of k1..k8
_H2 = (
    25.948786856663858, -2.5579724845846235, 10.433815404888879, -2.3679251022685204,
    0.524948541321073, 1.1241088310450404, 0.4272876194431874, -0.17202221070155493,
)  # fmt: skip
_H3 = (
    -9.91568850695171, -0.9689944594115154, 3.0438037242978453, -24.495224566215796,
    20.176138334709044, 15.98066361424651, -6.789040303419874, -6.710236069923372,
)  # fmt: skip
_H4 = (
    11.419903575922262, 2.8879645146136994, 72.92137995996029, 80.12511834622643,
    -52.072871366152654, -59.78993625266729, -0.15582684282751913, 4.883087185713722,
)  # fmt: skip


@jit(inline="always")
def free_drug(d, s, kss):
    """(free drug C, sqrt of the discriminant) in mg/L; the form without cancellation for either sign of b."""
    b = d - s - kss
    root = math.sqrt(b * b + 4.0 * kss * d)
    small = 2.0 * kss * d / (root - b if b < 0.0 else 1.0)
    c = 0.5 * (b + root) if b >= 0.0 else small
    return c, root


# order of the tuple of parameters that every function here takes; rate is In(t) of the interval
PARAMETERS = (
    "rate", "ka", "q", "k21", "v", "k_cx", "k_extra", "k_ada", "kss", "c_ag", "r_max", "per_tau", "k_u", "per_v",
)  # fmt: skip


@jit(inline="always")
def slopes(y, p):
    """Right-hand side for y = (A_d, A_c, A_p, A_S, R, u); p as in :data:`PARAMETERS`."""
    rate, ka, q, k21, v, k_cx, k_extra, k_ada, kss, c_ag, r_max, per_tau, k_u, per_v = p
    a_d, a_c, a_p, a_s, r, u = y
    d = a_c * per_v
    c, _ = free_drug(d, a_s * per_v, kss)
    return (
        -ka * a_d,
        rate + ka * a_d - k_cx * a_c + (k_extra * v - q) * c + k21 * a_p,
        q * c - k21 * a_p,
        r * v - k_ada * a_s - (k_cx - k_ada) * (a_c - v * c),
        (r_max * u * d / (d + c_ag) - r) * per_tau,
        -k_u * u,
    )


@jit(inline="always")
def step(y, h, p):
    """One step of length h: (new y, its error, dense output of A_c and of A_S), tuples of six."""
    _, ka, q, k21, v, k_cx, k_extra, k_ada, kss, c_ag, r_max, per_tau, k_u, per_v = p
    _, a_c, _, a_s, _, u = y
    d = a_c * per_v
    c, root = free_drug(d, a_s * per_v, kss)
    per_root = per_v / max(root, 1e-300)
    c_c = (c + kss) * per_root
    c_s = -c * per_root
    w = 1.0 / (_GAMMA * h)
    i_d = 1.0 / (w + ka)
    i_u = 1.0 / (w + k_u)
    i_p = 1.0 / (w + k21)
    i_r = 1.0 / (w + per_tau)
    hold = k_extra * v - q
    per_ag = 1.0 / (d + c_ag)
    r_u = r_max * d * per_ag * per_tau
    r_c = r_max * u * c_ag * per_ag * per_ag * per_tau * per_v
    m11 = w + k_cx - hold * c_c - k21 * i_p * q * c_c
    m12 = -hold * c_s - k21 * i_p * q * c_s
    m21 = (k_cx - k_ada) * (1.0 - v * c_c) - v * i_r * r_c
    m22 = w + k_ada - (k_cx - k_ada) * v * c_s
    inv = 1.0 / (m11 * m22 - m12 * m21)
    matrix = (m11, m12, m21, m22, inv, i_d, i_p, i_r, i_u, ka, k21, v, r_u, r_c, q * c_c, q * c_s)
    g = 1.0 / h

    k1 = _solve(slopes(y, p), matrix)
    k2 = _solve(_add1(slopes(_add1(y, _A21, k1), p), g * _C21, k1), matrix)
    stage = slopes(_add2(y, _A31, k1, _A32, k2), p)
    k3 = _solve(_add2(stage, g * _C31, k1, g * _C32, k2), matrix)
    stage = slopes(_add3(y, _A41, k1, _A42, k2, _A43, k3), p)
    k4 = _solve(_add3(stage, g * _C41, k1, g * _C42, k2, g * _C43, k3), matrix)
    stage = slopes(_add4(y, _A51, k1, _A52, k2, _A53, k3, _A54, k4), p)
    k5 = _solve(_add4(stage, g * _C51, k1, g * _C52, k2, g * _C53, k3, g * _C54, k4), matrix)
    y6 = _add1(_add4(y, _A61, k1, _A62, k2, _A63, k3, _A64, k4), _A65, k5)
    stage = _add1(slopes(y6, p), g * _C65, k5)
    k6 = _solve(_add4(stage, g * _C61, k1, g * _C62, k2, g * _C63, k3, g * _C64, k4), matrix)
    y7 = _add1(y6, 1.0, k6)
    stage = _add2(slopes(y7, p), g * _C75, k5, g * _C76, k6)
    k7 = _solve(_add4(stage, g * _C71, k1, g * _C72, k2, g * _C73, k3, g * _C74, k4), matrix)
    y8 = _add1(y7, 1.0, k7)
    stage = _add3(slopes(y8, p), g * _C85, k5, g * _C86, k6, g * _C87, k7)
    k8 = _solve(_add4(stage, g * _C81, k1, g * _C82, k2, g * _C83, k3, g * _C84, k4), matrix)
    central = (k1[1], k2[1], k3[1], k4[1], k5[1], k6[1], k7[1], k8[1])
    antibody = (k1[3], k2[3], k3[3], k4[3], k5[3], k6[3], k7[3], k8[3])
    dense = (
        _dot(_H2, central), _dot(_H3, central), _dot(_H4, central),
        _dot(_H2, antibody), _dot(_H3, antibody), _dot(_H4, antibody),
    )  # fmt: skip
    return _add1(y8, 1.0, k8), k8, dense


@jit(inline="always")
def _dot(h, k):
    return h[0] * k[0] + h[1] * k[1] + h[2] * k[2] + h[3] * k[3] + h[4] * k[4] + h[5] * k[5] + h[6] * k[6] + h[7] * k[7]


@jit(inline="always")
def between(x, y0, y1, h2, h3, h4):
    """Dense output of one component at share x of a step."""
    return (1.0 - x) * y0 + x * (y1 + (1.0 - x) * (h2 + x * (h3 + x * h4)))


@jit(inline="always")
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


@jit(inline="always")
def _add1(y, a, k):
    return (
        y[0] + a * k[0],
        y[1] + a * k[1],
        y[2] + a * k[2],
        y[3] + a * k[3],
        y[4] + a * k[4],
        y[5] + a * k[5],
    )


@jit(inline="always")
def _add2(y, a, k, b, l):
    return _add1(_add1(y, a, k), b, l)


@jit(inline="always")
def _add3(y, a, k, b, l, c, m):
    return _add1(_add2(y, a, k, b, l), c, m)


@jit(inline="always")
def _add4(y, a, k, b, l, c, m, d, n):
    return _add1(_add3(y, a, k, b, l, c, m), d, n)
