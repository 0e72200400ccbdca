"""From lanes to rows: lane memory holds a time for all patients side by side, results a patient's times.

Copied one number at a time this took a quarter of the time of a simulation. A tile of 8 times and 8 lanes is turned
in registers: three rounds of shuffles, each of which swaps blocks of 1, 2 and 4 numbers (Eklundh JO. IEEE Trans Comput
1972;C-21:801-3. doi:10.1109/T-C.1972.223584). Nothing is computed, so there are no bits to differ.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from pkmodel.kernels._jit import jit

TILE = 8
_VECTOR = ir.VectorType(ir.DoubleType(), TILE)


def _swapped(builder: Any, one: Any, other: Any, size: int) -> tuple[Any, Any]:
    """Two rows of a tile after exchanging the odd blocks of the first with the even blocks of the second."""
    even = [k + (TILE - size if k & size else 0) for k in range(TILE)]
    odd = [k + size for k in even]
    masks = [ir.Constant(ir.VectorType(ir.IntType(32), TILE), mask) for mask in (even, odd)]
    return builder.shuffle_vector(one, other, masks[0]), builder.shuffle_vector(one, other, masks[1])


@intrinsic
def _turn_tile(typing_context: Any, source: Any, begin: Any, stride: Any, target: Any, end: Any, step: Any) -> Any:
    """``target[end + l * step + k] = source[begin + k * stride + l]`` for k and l below ``TILE``; flat arrays."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        read, begins, strides, write, ends, steps = args
        data = context.make_array(signature.args[0])(context, builder, read).data
        into = context.make_array(signature.args[3])(context, builder, write).data

        def place(base: Any, first: Any, gap: Any, k: int) -> Any:
            index = builder.add(first, builder.mul(gap, ir.Constant(ir.IntType(64), k)))
            return builder.bitcast(builder.gep(base, [index]), _VECTOR.as_pointer())

        rows = [builder.load(place(data, begins, strides, k), align=8) for k in range(TILE)]
        for size in (1, 2, 4):
            for k in range(TILE):
                if not k & size:
                    rows[k], rows[k + size] = _swapped(builder, rows[k], rows[k + size], size)
        for k, row in enumerate(rows):
            builder.store(row, place(into, ends, steps, k), align=8)
        return context.get_dummy_value()

    flat = types.Array(types.float64, 1, "C")
    return types.void(flat, types.int64, types.int64, flat, types.int64, types.int64), generate


_turn: Any = _turn_tile


@jit(inline="always")
def write_rows(source, lanes, times, target, first, width, patients):
    """``target[first + l * width + k] = source[k * lanes + l]`` for ``times`` k and ``patients`` l; flat arrays.

    The last tile of a row overlaps the one before it: numbers written twice are the same.
    """
    whole = patients - patients % TILE if times >= TILE else 0
    for l in range(0, whole, TILE):
        for k in range(0, times, TILE):
            begin = min(k, times - TILE)
            _turn(source, begin * lanes + l, lanes, target, first + l * width + begin, width)
    for l in range(whole, patients):
        for k in range(times):
            target[first + l * width + k] = source[k * lanes + l]
