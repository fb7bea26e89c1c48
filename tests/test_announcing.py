"""One line says that kernels are compiled, to whoever watches, and only when they are."""

import logging
import os
import subprocess
import sys
import textwrap

import pytest

from sklearn_rnn.kernels.announcing import Announcer

SAID = "sklearn_rnn compiles its kernels for this machine, which takes about ten seconds"


@pytest.mark.parametrize("watched", [False, True])
def test_once_in_a_computation(capsys, caplog, watched):
    announcer = Announcer()
    with caplog.at_level(logging.INFO, logger="sklearn_rnn"):
        for _ in range(2):
            with announcer.computing(watched=watched), announcer.computing():
                announcer.compiling("/folder")
                announcer.compiling("/folder")
    line = f"{SAID}, once: they are kept in /folder"
    assert caplog.messages == [line, line]
    assert capsys.readouterr().out == (f"{line}\n{line}\n" if watched else "")


def test_an_interactive_interpreter_is_told(capsys, monkeypatch):
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    Announcer().compiling(None)
    assert capsys.readouterr().out == f"{SAID}, in each process: set NUMBA_CACHE_DIR to a folder that keeps them\n"


def run(script, *, cache, verbose):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": os.pathsep.join(sys.path)}
    script = textwrap.dedent(script).replace("VERBOSE", str(verbose))
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


FIT = """
    import numpy as np
    from sklearn_rnn.kernels.compiling import kernel
    from sklearn_rnn.training.compute import compute_settings
    import written
    with compute_settings(1, "auto", verbose=VERBOSE):
        written.double(np.arange(3.0))
        written.double(np.arange(3))
"""
KERNEL = """
from sklearn_rnn.kernels.compiling import kernel

@kernel
def double(x):
    return x * 2
"""


def test_what_comes_from_the_cache_is_not_announced(tmp_path, monkeypatch):
    pytest.importorskip("numba")
    (tmp_path / "written.py").write_text(KERNEL)
    monkeypatch.syspath_prepend(str(tmp_path))
    first = run(FIT, cache=tmp_path / "cache", verbose=1)
    assert len(first) == 1
    assert first[0].startswith(f"{SAID}, once: they are kept in {tmp_path / 'cache'}")
    assert run(FIT, cache=tmp_path / "cache", verbose=1) == []
    assert run(FIT, cache=tmp_path / "other", verbose=0) == []
