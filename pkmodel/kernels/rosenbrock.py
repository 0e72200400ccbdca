"""A linearly implicit step of every lane.

Method: Rodas5P, an L-stable Rosenbrock method of order 5 with an embedded one of order 4 (the error estimate) and
a dense output of order 4. Steinebach G. BIT Numer Math 2023;63:27, doi:10.1007/s10543-023-00967-x (coefficients);
Hairer E, Wanner G. Solving Ordinary Differential Equations II, 2nd ed. Springer 1996, section IV.7 (the form that
avoids multiplying by the Jacobian).

Each stage is a loop of its own over all lanes: a stage waits for its own square root and divisions, and with short
loops the processor works on the next lanes meanwhile.
"""

from __future__ import annotations

from pkmodel.kernels import binding
from pkmodel.kernels._jit import jit
from pkmodel.kernels.elementary import fma, select
from pkmodel.kernels.lane_memory import (
    DENSE,
    K1,
    K2,
    K3,
    K4,
    K5,
    K6,
    K7,
    K8,
    LANES,
    PER_H,
    T1,
    TRY,
    H,
    N,
    T,
    Y,
    matrix,
    parameters,
    put_matrix,
    put_six,
    six,
)

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
    25.948786856663858,
    -2.5579724845846235,
    10.433815404888879,
    -2.3679251022685204,
    0.524948541321073,
    1.1241088310450404,
    0.4272876194431874,
    -0.17202221070155493,
)
_H3 = (
    -9.91568850695171,
    -0.9689944594115154,
    3.0438037242978453,
    -24.495224566215796,
    20.176138334709044,
    15.98066361424651,
    -6.789040303419874,
    -6.710236069923372,
)
_H4 = (
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
def _mixed(a, k):
    return (a * k[0], a * k[1], a * k[2], a * k[3], a * k[4], a * k[5])


@jit(inline="always")
def _plus(y, a, k):
    """y + a k."""
    return (
        fma(a, k[0], y[0]),
        fma(a, k[1], y[1]),
        fma(a, k[2], y[2]),
        fma(a, k[3], y[3]),
        fma(a, k[4], y[4]),
        fma(a, k[5], y[5]),
    )


@jit(forceinline=True)
def _begin(m):
    """Choose the step, and take the Jacobian where it begins."""
    for l in range(LANES):
        left = m[T1 + l] - m[T + l]
        # two equal steps rather than a long one and a sliver
        h = select(m[H + l] >= left, left, min(m[H + l], 0.5 * left))
        m[TRY + l] = h
        per_h = 1.0 / h
        m[PER_H + l] = per_h
        put_matrix(m, l, binding.linearise(six(m, Y, l), parameters(m, l), per_h * (1.0 / _GAMMA)))


@jit(forceinline=True)
def _stage1(m):
    for l in range(LANES):
        p = parameters(m, l)
        k = binding.solve(binding.slopes(six(m, Y, l), p), matrix(m, l))
        put_six(m, K1, l, k)


@jit(forceinline=True)
def _stage2(m):
    for l in range(LANES):
        p = parameters(m, l)
        y = _plus(six(m, Y, l), _A21, six(m, K1, l))
        mix = _mixed(_C21, six(m, K1, l))
        k = binding.solve(_plus(binding.slopes(y, p), m[PER_H + l], mix), matrix(m, l))
        put_six(m, K2, l, k)


@jit(forceinline=True)
def _stage3(m):
    for l in range(LANES):
        p = parameters(m, l)
        y = _plus(six(m, Y, l), _A31, six(m, K1, l))
        y = _plus(y, _A32, six(m, K2, l))
        mix = _mixed(_C31, six(m, K1, l))
        mix = _plus(mix, _C32, six(m, K2, l))
        k = binding.solve(_plus(binding.slopes(y, p), m[PER_H + l], mix), matrix(m, l))
        put_six(m, K3, l, k)


@jit(forceinline=True)
def _stage4(m):
    for l in range(LANES):
        p = parameters(m, l)
        y = _plus(six(m, Y, l), _A41, six(m, K1, l))
        y = _plus(y, _A42, six(m, K2, l))
        y = _plus(y, _A43, six(m, K3, l))
        mix = _mixed(_C41, six(m, K1, l))
        mix = _plus(mix, _C42, six(m, K2, l))
        mix = _plus(mix, _C43, six(m, K3, l))
        k = binding.solve(_plus(binding.slopes(y, p), m[PER_H + l], mix), matrix(m, l))
        put_six(m, K4, l, k)


@jit(forceinline=True)
def _stage5(m):
    for l in range(LANES):
        p = parameters(m, l)
        y = _plus(six(m, Y, l), _A51, six(m, K1, l))
        y = _plus(y, _A52, six(m, K2, l))
        y = _plus(y, _A53, six(m, K3, l))
        y = _plus(y, _A54, six(m, K4, l))
        mix = _mixed(_C51, six(m, K1, l))
        mix = _plus(mix, _C52, six(m, K2, l))
        mix = _plus(mix, _C53, six(m, K3, l))
        mix = _plus(mix, _C54, six(m, K4, l))
        k = binding.solve(_plus(binding.slopes(y, p), m[PER_H + l], mix), matrix(m, l))
        put_six(m, K5, l, k)


@jit(forceinline=True)
def _stage6(m):
    for l in range(LANES):
        p = parameters(m, l)
        y = _plus(six(m, Y, l), _A61, six(m, K1, l))
        y = _plus(y, _A62, six(m, K2, l))
        y = _plus(y, _A63, six(m, K3, l))
        y = _plus(y, _A64, six(m, K4, l))
        y = _plus(y, _A65, six(m, K5, l))
        put_six(m, N, l, y)
        mix = _mixed(_C61, six(m, K1, l))
        mix = _plus(mix, _C62, six(m, K2, l))
        mix = _plus(mix, _C63, six(m, K3, l))
        mix = _plus(mix, _C64, six(m, K4, l))
        mix = _plus(mix, _C65, six(m, K5, l))
        k = binding.solve(_plus(binding.slopes(y, p), m[PER_H + l], mix), matrix(m, l))
        put_six(m, K6, l, k)


@jit(forceinline=True)
def _stage7(m):
    for l in range(LANES):
        p = parameters(m, l)
        y = _plus(six(m, N, l), 1.0, six(m, K6, l))
        put_six(m, N, l, y)
        mix = _mixed(_C71, six(m, K1, l))
        mix = _plus(mix, _C72, six(m, K2, l))
        mix = _plus(mix, _C73, six(m, K3, l))
        mix = _plus(mix, _C74, six(m, K4, l))
        mix = _plus(mix, _C75, six(m, K5, l))
        mix = _plus(mix, _C76, six(m, K6, l))
        k = binding.solve(_plus(binding.slopes(y, p), m[PER_H + l], mix), matrix(m, l))
        put_six(m, K7, l, k)


@jit(forceinline=True)
def _stage8(m):
    for l in range(LANES):
        p = parameters(m, l)
        y = _plus(six(m, N, l), 1.0, six(m, K7, l))
        put_six(m, N, l, y)
        mix = _mixed(_C81, six(m, K1, l))
        mix = _plus(mix, _C82, six(m, K2, l))
        mix = _plus(mix, _C83, six(m, K3, l))
        mix = _plus(mix, _C84, six(m, K4, l))
        mix = _plus(mix, _C85, six(m, K5, l))
        mix = _plus(mix, _C86, six(m, K6, l))
        mix = _plus(mix, _C87, six(m, K7, l))
        k = binding.solve(_plus(binding.slopes(y, p), m[PER_H + l], mix), matrix(m, l))
        put_six(m, K8, l, k)
        put_six(m, N, l, _plus(y, 1.0, k))


@jit(inline="always")
def _weighted(m, l, component, h):
    at = component * LANES + l
    left = fma(h[0], m[K1 + at], fma(h[1], m[K2 + at], fma(h[2], m[K3 + at], h[3] * m[K4 + at])))
    right = fma(h[4], m[K5 + at], fma(h[5], m[K6 + at], fma(h[6], m[K7 + at], h[7] * m[K8 + at])))
    return left + right


@jit(forceinline=True)
def dense(m):
    """Weights of the dense output of the step just tried, for central amount and antibody."""
    for l in range(LANES):
        m[DENSE + l] = _weighted(m, l, 1, _H2)
        m[DENSE + LANES + l] = _weighted(m, l, 1, _H3)
        m[DENSE + 2 * LANES + l] = _weighted(m, l, 1, _H4)
    for l in range(LANES):
        m[DENSE + 3 * LANES + l] = _weighted(m, l, 3, _H2)
        m[DENSE + 4 * LANES + l] = _weighted(m, l, 3, _H3)
        m[DENSE + 5 * LANES + l] = _weighted(m, l, 3, _H4)


@jit(inline="always")
def between(x, y0, y1, h2, h3, h4):
    """Dense output of one component at share x of a step."""
    u = 1.0 - x
    return fma(u, y0, x * fma(u, fma(x, fma(x, h4, h3), h2), y1))


@jit(forceinline=True)
def step(m):
    """A step in every lane, of the length H wanted or what is left: from Y to N, length in TRY, error in K8."""
    _begin(m)
    _stage1(m)
    _stage2(m)
    _stage3(m)
    _stage4(m)
    _stage5(m)
    _stage6(m)
    _stage7(m)
    _stage8(m)
