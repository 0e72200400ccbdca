"""The only place that decorates a kernel: one set of options, one cache stamp.

numba checks a cached kernel against the source of its own file only, so a kernel whose *callee* or constant
changed in another file would silently go on running its old machine code. Every kernel here is therefore
stamped with a hash of all kernel sources: change one line anywhere in this folder and every kernel is
compiled again.
"""

from __future__ import annotations

import functools
import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core import config

_CONFIG: Any = config  # its attributes are set at run time
_HERE = Path(__file__).parent


@functools.cache
def source_stamp() -> bytes:
    """Hash of every kernel source and of the settings that change the machine code."""
    digest = hashlib.sha256(repr((numba.__version__, _CONFIG.BOUNDSCHECK)).encode())
    for path in sorted(_HERE.rglob("*.py")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.digest()


def _forgive(cache_file: Any) -> None:
    """Take an index that cannot be read for an empty one: it may name a module that an upgrade has removed."""
    read = cache_file._load_index

    def load_index() -> Any:
        try:
            return read()
        except (ImportError, AttributeError, EOFError, IndexError, KeyError, pickle.UnpicklingError):
            return {}

    cache_file._load_index = load_index


def jit(*, allocates: bool = False, cached: bool = True, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """``numba.njit`` with this package's options and a cache that cannot go stale.

    ``error_model="numpy"`` lets a division by zero give inf or NaN (kernels report through status codes:
    a ``raise`` inside ``prange`` would silently drop the parallelism). ``fastmath`` stays off because NaN
    means "missing" here and results are compared bit for bit.

    A kernel that creates no array says so by leaving ``allocates`` False: numba then counts no references, and
    counting (an atomic addition for every array handed to every function) was a third of the time of a patient.

    A kernel that takes a function of the user's leaves nothing on disk (``cached`` False): the stamp knows nothing of
    that function.
    """
    settings: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": allocates, **options}

    def decorate(function: Callable[..., Any]) -> Any:
        if _CONFIG.DISABLE_JIT:
            return function
        kernel = numba.njit(**settings)(function)
        if not cached:
            return kernel
        try:
            kernel.enable_caching()
        except RuntimeError:
            # A read-only install without a home directory: compile at each start, still right.
            return kernel
        cache_file = getattr(getattr(kernel, "_cache", None), "_cache_file", None)
        if cache_file is None or not all(hasattr(cache_file, name) for name in ("_source_stamp", "_load_index")):
            # numba changed its private cache: better to compile each time than to trust a stale entry.
            return numba.njit(**settings)(function)
        cache_file._source_stamp = source_stamp()
        _forgive(cache_file)
        return kernel

    return decorate


def threads_in_use() -> int:
    """How many threads a parallel kernel called from here would use."""
    return int(numba.get_num_threads())
