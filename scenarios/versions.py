"""Versions of everything that a result depends on."""

from __future__ import annotations

import functools
import platform
from importlib.metadata import PackageNotFoundError, version

import pkmodel

_RECORDED = ("numpy", "scipy", "numba", "xarray", "pandas", "matplotlib", "h5netcdf", "h5py")


def versions() -> dict[str, str]:
    """Return name to version: pkmodel, Python, and what is installed of the packages that compute, store or draw."""
    return dict(_found())


@functools.cache
def _found() -> dict[str, str]:
    """Asking for them reads eight files, which takes longer than simulating a thousand patients."""
    found = {"pkmodel": pkmodel.__version__, "python": platform.python_version()}
    for package in _RECORDED:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
