"""Rodas5P: an L-stable, linearly implicit Rosenbrock method of order 5 for the kernels that integrate.

With an embedded method of order 4 (the error estimate is the last stage) and a dense output of order 4. Steinebach G.
BIT Numer Math 2023;63:27, doi:10.1007/s10543-023-00967-x (coefficients); Hairer E, Wanner G. Solving Ordinary
Differential Equations II, 2nd ed. Springer 1996, section IV.7 (the form that avoids multiplying by the Jacobian)::

    (I/(GAMMA h) - J) k_i = f(y + sum_j A_ij k_j) + sum_j C_ij k_j / h
    A_7 = A_6 and k_6, A_8 = A_7 and k_7; the new y adds k_8 to the argument of stage 8
"""

from __future__ import annotations

from pkmodel.kernels._jit import jit
from pkmodel.kernels.elementary import fma

GAMMA = 0.21193756319429014
A21 = 3.0
A31, A32 = 2.849394379747939, 0.45842242204463923
A41, A42, A43 = -6.954028509809101, 2.489845061869568, -10.358996098473584
A51, A52, A53, A54 = 2.8029986275628964, 0.5072464736228206, -0.3988312541770524, -0.04721187230404641
A61, A62, A63 = -7.502846399306121, 2.561846144803919, -11.627539656261098
A64, A65 = -0.18268767659942256, 0.030198172008377946
C21 = -14.155112264123755
C31, C32 = -17.97296035885952, -2.859693295451294
C41, C42, C43 = 147.12150275711716, -1.41221402718213, 71.68940251302358
C51, C52, C53, C54 = 165.43517024871676, -0.4592823456491126, 42.90938336958603, -5.961986721573306
C61, C62, C63 = 24.854864614690072, -3.0009227002832186, 47.4931110020768
C64, C65 = 5.5814197821558125, -0.6610691825249471
C71, C72, C73 = 30.91273214028599, -3.1208243349937974, 77.79954646070892
C74, C75, C76 = 34.28646028294783, -19.097331116725623, -28.087943162872662
C81, C82, C83 = 37.80277123390563, -3.2571969029072276, 112.26918849496327
C84, C85, C86, C87 = 66.9347231244047, -40.06618937091002, -54.66780262877968, -9.48861652309627
# dense output: rows of weights of k1..k8
H2 = (
    25.948786856663858,
    -2.5579724845846235,
    10.433815404888879,
    -2.3679251022685204,
    0.524948541321073,
    1.1241088310450404,
    0.4272876194431874,
    -0.17202221070155493,
)
H3 = (
    -9.91568850695171,
    -0.9689944594115154,
    3.0438037242978453,
    -24.495224566215796,
    20.176138334709044,
    15.98066361424651,
    -6.789040303419874,
    -6.710236069923372,
)
H4 = (
    11.419903575922262,
    2.8879645146136994,
    72.92137995996029,
    80.12511834622643,
    -52.072871366152654,
    -59.78993625266729,
    -0.15582684282751913,
    4.883087185713722,
)


@jit(inline="always")
def scaled(a, k):
    """a k."""
    return (a * k[0], a * k[1], a * k[2], a * k[3], a * k[4], a * k[5])


@jit(inline="always")
def plus(y, a, k):
    """y + a k."""
    return (
        fma(a, k[0], y[0]),
        fma(a, k[1], y[1]),
        fma(a, k[2], y[2]),
        fma(a, k[3], y[3]),
        fma(a, k[4], y[4]),
        fma(a, k[5], y[5]),
    )


@jit(inline="always")
def weighted(h, k1, k2, k3, k4, k5, k6, k7, k8):
    """Sum of one component of the eight stages with a row of weights of the dense output."""
    left = fma(h[0], k1, fma(h[1], k2, fma(h[2], k3, h[3] * k4)))
    return left + fma(h[4], k5, fma(h[5], k6, fma(h[6], k7, h[7] * k8)))


@jit(inline="always")
def between(x, y0, y1, h2, h3, h4):
    """Dense output of one component at share x of a step."""
    u = 1.0 - x
    return fma(u, y0, x * fma(u, fma(x, fma(x, h4, h3), h2), y1))
