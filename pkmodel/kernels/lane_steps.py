"""A step of every lane by :mod:`pkmodel.kernels.rodas5p`, for the system of :mod:`pkmodel.kernels.binding`.

Each stage is a loop of its own over all lanes: a stage waits for its own square root and divisions, and with short
loops the processor works on the next lanes meanwhile.
"""

from __future__ import annotations

from pkmodel.kernels import binding, rodas5p
from pkmodel.kernels._jit import jit
from pkmodel.kernels.elementary import select
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
        put_matrix(m, l, binding.linearise(six(m, Y, l), parameters(m, l), per_h * (1.0 / rodas5p.GAMMA)))


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
        y = rodas5p.plus(six(m, Y, l), rodas5p.A21, six(m, K1, l))
        mix = rodas5p.scaled(rodas5p.C21, six(m, K1, l))
        k = binding.solve(rodas5p.plus(binding.slopes(y, p), m[PER_H + l], mix), matrix(m, l))
        put_six(m, K2, l, k)


@jit(forceinline=True)
def _stage3(m):
    for l in range(LANES):
        p = parameters(m, l)
        y = rodas5p.plus(six(m, Y, l), rodas5p.A31, six(m, K1, l))
        y = rodas5p.plus(y, rodas5p.A32, six(m, K2, l))
        mix = rodas5p.scaled(rodas5p.C31, six(m, K1, l))
        mix = rodas5p.plus(mix, rodas5p.C32, six(m, K2, l))
        k = binding.solve(rodas5p.plus(binding.slopes(y, p), m[PER_H + l], mix), matrix(m, l))
        put_six(m, K3, l, k)


@jit(forceinline=True)
def _stage4(m):
    for l in range(LANES):
        p = parameters(m, l)
        y = rodas5p.plus(six(m, Y, l), rodas5p.A41, six(m, K1, l))
        y = rodas5p.plus(y, rodas5p.A42, six(m, K2, l))
        y = rodas5p.plus(y, rodas5p.A43, six(m, K3, l))
        mix = rodas5p.scaled(rodas5p.C41, six(m, K1, l))
        mix = rodas5p.plus(mix, rodas5p.C42, six(m, K2, l))
        mix = rodas5p.plus(mix, rodas5p.C43, six(m, K3, l))
        k = binding.solve(rodas5p.plus(binding.slopes(y, p), m[PER_H + l], mix), matrix(m, l))
        put_six(m, K4, l, k)


@jit(forceinline=True)
def _stage5(m):
    for l in range(LANES):
        p = parameters(m, l)
        y = rodas5p.plus(six(m, Y, l), rodas5p.A51, six(m, K1, l))
        y = rodas5p.plus(y, rodas5p.A52, six(m, K2, l))
        y = rodas5p.plus(y, rodas5p.A53, six(m, K3, l))
        y = rodas5p.plus(y, rodas5p.A54, six(m, K4, l))
        mix = rodas5p.scaled(rodas5p.C51, six(m, K1, l))
        mix = rodas5p.plus(mix, rodas5p.C52, six(m, K2, l))
        mix = rodas5p.plus(mix, rodas5p.C53, six(m, K3, l))
        mix = rodas5p.plus(mix, rodas5p.C54, six(m, K4, l))
        k = binding.solve(rodas5p.plus(binding.slopes(y, p), m[PER_H + l], mix), matrix(m, l))
        put_six(m, K5, l, k)


@jit(forceinline=True)
def _stage6(m):
    for l in range(LANES):
        p = parameters(m, l)
        y = rodas5p.plus(six(m, Y, l), rodas5p.A61, six(m, K1, l))
        y = rodas5p.plus(y, rodas5p.A62, six(m, K2, l))
        y = rodas5p.plus(y, rodas5p.A63, six(m, K3, l))
        y = rodas5p.plus(y, rodas5p.A64, six(m, K4, l))
        y = rodas5p.plus(y, rodas5p.A65, six(m, K5, l))
        put_six(m, N, l, y)
        mix = rodas5p.scaled(rodas5p.C61, six(m, K1, l))
        mix = rodas5p.plus(mix, rodas5p.C62, six(m, K2, l))
        mix = rodas5p.plus(mix, rodas5p.C63, six(m, K3, l))
        mix = rodas5p.plus(mix, rodas5p.C64, six(m, K4, l))
        mix = rodas5p.plus(mix, rodas5p.C65, six(m, K5, l))
        k = binding.solve(rodas5p.plus(binding.slopes(y, p), m[PER_H + l], mix), matrix(m, l))
        put_six(m, K6, l, k)


@jit(forceinline=True)
def _stage7(m):
    for l in range(LANES):
        p = parameters(m, l)
        y = rodas5p.plus(six(m, N, l), 1.0, six(m, K6, l))
        put_six(m, N, l, y)
        mix = rodas5p.scaled(rodas5p.C71, six(m, K1, l))
        mix = rodas5p.plus(mix, rodas5p.C72, six(m, K2, l))
        mix = rodas5p.plus(mix, rodas5p.C73, six(m, K3, l))
        mix = rodas5p.plus(mix, rodas5p.C74, six(m, K4, l))
        mix = rodas5p.plus(mix, rodas5p.C75, six(m, K5, l))
        mix = rodas5p.plus(mix, rodas5p.C76, six(m, K6, l))
        k = binding.solve(rodas5p.plus(binding.slopes(y, p), m[PER_H + l], mix), matrix(m, l))
        put_six(m, K7, l, k)


@jit(forceinline=True)
def _stage8(m):
    for l in range(LANES):
        p = parameters(m, l)
        y = rodas5p.plus(six(m, N, l), 1.0, six(m, K7, l))
        put_six(m, N, l, y)
        mix = rodas5p.scaled(rodas5p.C81, six(m, K1, l))
        mix = rodas5p.plus(mix, rodas5p.C82, six(m, K2, l))
        mix = rodas5p.plus(mix, rodas5p.C83, six(m, K3, l))
        mix = rodas5p.plus(mix, rodas5p.C84, six(m, K4, l))
        mix = rodas5p.plus(mix, rodas5p.C85, six(m, K5, l))
        mix = rodas5p.plus(mix, rodas5p.C86, six(m, K6, l))
        mix = rodas5p.plus(mix, rodas5p.C87, six(m, K7, l))
        k = binding.solve(rodas5p.plus(binding.slopes(y, p), m[PER_H + l], mix), matrix(m, l))
        put_six(m, K8, l, k)
        put_six(m, N, l, rodas5p.plus(y, 1.0, k))


@jit(inline="always")
def _weighted(m, l, component, h):
    at = component * LANES + l
    return rodas5p.weighted(
        h, m[K1 + at], m[K2 + at], m[K3 + at], m[K4 + at], m[K5 + at], m[K6 + at], m[K7 + at], m[K8 + at]
    )


@jit(forceinline=True)
def dense(m):
    """Weights of the dense output of the step just tried, for central amount and antibody."""
    for l in range(LANES):
        m[DENSE + l] = _weighted(m, l, 1, rodas5p.H2)
        m[DENSE + LANES + l] = _weighted(m, l, 1, rodas5p.H3)
        m[DENSE + 2 * LANES + l] = _weighted(m, l, 1, rodas5p.H4)
    for l in range(LANES):
        m[DENSE + 3 * LANES + l] = _weighted(m, l, 3, rodas5p.H2)
        m[DENSE + 4 * LANES + l] = _weighted(m, l, 3, rodas5p.H3)
        m[DENSE + 5 * LANES + l] = _weighted(m, l, 3, rodas5p.H4)


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
