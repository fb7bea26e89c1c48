"""One line says that kernels are compiled, to whoever watches, and only when they are."""

import logging
import sys

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
