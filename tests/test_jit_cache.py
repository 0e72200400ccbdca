"""A kernel cache must never run yesterday's machine code after today's edit."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pkmodel.kernels
from pkmodel.kernels import _jit

HOME = Path(pkmodel.kernels.__file__).parent


@pytest.mark.skipif(_jit._CONFIG.DISABLE_JIT, reason="nothing is compiled")
def test_numba_still_has_the_private_attribute_we_set():
    @_jit.jit()
    def double(x):
        return 2 * x

    assert double(3) == 6
    assert double._cache._cache_file._source_stamp == _jit.source_stamp()


def run(folder: Path, **environment: str) -> str:
    code = "import kernels.outer as o; print(o.g(1))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "NUMBA_CACHE_DIR": str(folder / "cache"), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_an_edit_of_a_called_module_is_seen(tmp_path):
    package = tmp_path / "kernels"
    package.mkdir()
    (package / "__init__.py").touch()
    shutil.copy(HOME / "_jit.py", package / "_jit.py")
    (package / "inner.py").write_text("from kernels._jit import jit\n@jit()\ndef f(x):\n    return x + 1\n")
    (package / "outer.py").write_text(
        "from kernels._jit import jit\nfrom kernels.inner import f\n@jit()\ndef g(x):\n    return 10 * f(x)\n"
    )
    assert run(tmp_path) == "20"
    assert run(tmp_path) == "20"
    (package / "inner.py").write_text("from kernels._jit import jit\n@jit()\ndef f(x):\n    return x + 2\n")
    assert run(tmp_path) == "30"


def test_runs_where_nothing_can_be_cached(tmp_path):
    package = tmp_path / "kernels"
    package.mkdir()
    (package / "__init__.py").touch()
    shutil.copy(HOME / "_jit.py", package / "_jit.py")
    (package / "outer.py").write_text("from kernels._jit import jit\n@jit()\ndef g(x):\n    return 10 * x\n")
    blocked = tmp_path / "file"
    blocked.touch()  # a path below a file cannot be created, whoever asks
    assert run(tmp_path, NUMBA_CACHE_DIR=str(blocked / "cache"), HOME=str(blocked)) == "10"


@pytest.mark.skipif(_jit._CONFIG.DISABLE_JIT, reason="nothing is compiled")
def test_an_index_that_cannot_be_read_is_an_empty_one(tmp_path):
    class Index:
        def _load_index(self):
            return pickle.loads(b"cno_such_module\nno_such_name\n.")

    index = Index()
    with pytest.raises(ImportError):
        index._load_index()
    _jit._forgive(index)
    assert index._load_index() == {}
