"""What the cache of compiled kernels cannot give is compiled, and what it cannot take is not kept, with one warning."""

import errno
import importlib.util

import numpy as np
import pytest

pytest.importorskip("numba")

from numba import config
from numba.core.caching import IndexDataCacheFile

from sklearn_rnn.kernels import compiling
from sklearn_rnn.training.compute import compute_settings

SOURCE = """
from sklearn_rnn.kernels.compiling import kernel


@kernel
def double(x):
    x[0] *= 2
"""


@pytest.fixture
def load_kernel(tmp_path, monkeypatch):
    """What loads a kernel as a new process does."""
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "written.py"
    path.write_text(SOURCE)

    def load():
        monkeypatch.setattr(compiling, "_CACHE_FAULTS", compiling._CacheFaults())
        spec = importlib.util.spec_from_file_location("written", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.double

    return load


def doubled(double, dtype=float):
    """Run the kernel, and tell how often it was found in the cache."""
    x = np.array([3], dtype=dtype)
    double(x)
    assert x == [6]
    return sum(double.stats.cache_hits.values())


@pytest.mark.parametrize("pattern", ["*.nbi", "*.nbc"])
@pytest.mark.parametrize("content", [b"", b"no cache\n" * 99, None], ids=["empty", "another's", "cut short"])
def test_a_damaged_cache_is_made_anew(load_kernel, tmp_path, pattern, content):
    assert [doubled(load_kernel()) for _ in range(2)] == [0, 1]
    (path,) = (tmp_path / "cache").rglob(pattern)
    path.write_bytes(path.read_bytes()[:40] if content is None else content)
    with pytest.warns(RuntimeWarning, match=r"^The cache of compiled kernels in .* cannot be read .* compiled anew"):
        assert doubled(load_kernel()) == 0
    assert doubled(load_kernel()) == 1


def fail(*args):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("failing", "what"),
    [(["save"], "written to"), (["load"], "read"), (["load", "flush"], "read"), (["load", "save"], "read")],
    ids=str,
)
def test_a_cache_that_is_full_or_not_to_be_read(load_kernel, monkeypatch, failing, what):
    for name in failing:
        monkeypatch.setattr(IndexDataCacheFile, name, fail)
    double = load_kernel()
    with pytest.warns(RuntimeWarning, match=rf"cannot be {what} \(OSError: .*No space left on device\)"):
        assert doubled(double) == 0
    assert doubled(double, int) == 0  # of another type, for which there is no second warning


def test_a_folder_that_cannot_be_made(load_kernel, monkeypatch):
    monkeypatch.setattr(config, "CACHE_DIR", "/dev/null/cache")
    assert doubled(load_kernel()) == 0


@pytest.mark.parametrize("verbose", [0, 1])
def test_what_comes_from_the_cache_is_not_announced(load_kernel, tmp_path, capsys, verbose):
    printed = []
    for _ in range(2):
        with compute_settings(1, verbose=verbose):
            double = load_kernel()
            doubled(double)
            doubled(double, int)
        printed.append(capsys.readouterr().out)
    assert printed[1] == ""
    assert printed[0].count("\n") == verbose
    assert (f"once: they are kept in {tmp_path / 'cache'}" in printed[0]) == verbose
