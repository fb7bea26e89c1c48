"""Files of data sets: found, downloaded and checked."""

import gzip
import hashlib
import os
import re
import sys
import threading
import tracemalloc
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from sklearn_rnn.datasets import _fetching, get_data_home

CONTENT = np.random.default_rng(0).bytes(300_000)


class Server(ThreadingHTTPServer):
    """Answers with what a test has laid out: a status, the bytes, and how many were promised."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.requests = [], []


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append(self.path)
        answers = self.server.answers
        status, content, length = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        pass


GOOD = (200, CONTENT, len(CONTENT))
BUSY = (503, b"busy", 4)
CUT_OFF = (200, CONTENT[:100_000], len(CONTENT))
OTHER = (200, CONTENT[::-1], len(CONTENT))


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def file(server):
    url = f"http://127.0.0.1:{server.server_port}/folder/file.bin"
    return _fetching.RemoteFile("set/part/file.bin", url, hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


def cache(home, **options):
    options = {"download_if_missing": True, "n_retries": 2, "delay": 0.0, "verbose": False, **options}
    return _fetching.Cache(data_home=home, **options)


def files_below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


def place(home, file):
    return Path(home, *file.path.split("/"))


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_the_data_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.delenv("SKLEARN_RNN_DATA_HOME", raising=False)
    assert Path(get_data_home()) == tmp_path / "sklearn_rnn_data"
    assert Path(get_data_home("~/other")) == tmp_path / "other"
    monkeypatch.setenv("SKLEARN_RNN_DATA_HOME", str(tmp_path / "of the variable"))
    assert Path(get_data_home()) == tmp_path / "of the variable"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["of the variable", "other", "sklearn_rnn_data"]


# --- files that are there ---------------------------------------------------------------------------------------------


def test_nothing_is_made_where_nothing_is_downloaded(tmp_path, file):
    with pytest.raises(OSError, match="is not there, and download_if_missing=False"):
        cache(tmp_path / "new", download_if_missing=False).read(file)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("suffix", "content", "message"),
    [
        ("", b"1 another\n", "SHA-256 checksum {found}, but {wanted} is expected"),
        (".gz", gzip.compress(b"1 another\n"), "SHA-256 checksum {found}, but {wanted} is expected"),
        (".gz", gzip.compress(b"1 another\n")[:-4], "is cut off or damaged"),
        (".gz", b"1 another\n", "is cut off or damaged"),
    ],
    ids=["plain", "compressed", "cut off", "not compressed"],  # gzip writes the time of day into what it makes
)
def test_another_file_is_refused_and_kept(tmp_path, file, suffix, content, message):
    path = tmp_path / "set" / "part" / f"file.bin{suffix}"
    write(path, content)
    message = message.format(found=hashlib.sha256(b"1 another\n").hexdigest(), wanted=file.sha256)
    with pytest.raises(OSError, match=re.escape(str(path)) + ".*" + message) as caught:
        cache(tmp_path).read(file)
    assert file.url in str(caught.value)
    assert path.read_bytes() == content


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_no_more_is_read_than_was_published(tmp_path, file, suffix):
    endless = b"\0" * 50_000_000
    write(tmp_path / "set" / "part" / f"file.bin{suffix}", gzip.compress(endless, 1) if suffix else endless)
    tracemalloc.start()
    try:
        with pytest.raises(OSError, match="is longer than the 300000 bytes that are expected"):
            cache(tmp_path).read(file)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000


def test_a_member_of_an_archive_that_would_fill_the_memory_is_not_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", b"\0" * 50_000_000)
        archive.writestr("text", b"a word and another\n" * 20)
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        tracemalloc.start()
        try:
            with pytest.raises(OSError, match=r"zeros in .*x\.zip would grow from \d+ to 50000000 bytes"):
                _fetching.read_member(archive, "zeros")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 1_000_000
        assert _fetching.read_member(archive, "text") == b"a word and another\n" * 20


# --- downloads --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [GOOD, (200, CONTENT, None)], ids=["known length", "unknown length"])
def test_a_missing_file_is_downloaded_once(tmp_path, server, file, answer):
    server.answers = [answer]
    umask = os.umask(0o022)
    try:
        assert cache(tmp_path / "new").read(file) == CONTENT
    finally:
        os.umask(umask)
    assert cache(tmp_path / "new").read(file) == CONTENT
    assert cache(tmp_path / "new", download_if_missing=False).read(file) == CONTENT
    assert server.requests == ["/folder/file.bin"]
    assert files_below(tmp_path) == ["new/set/part/file.bin"]
    assert place(tmp_path / "new", file).stat().st_mode & 0o777 in (0o644, 0o666)  # others may read it too


@pytest.mark.parametrize("failure", [BUSY, CUT_OFF, (429, b"", 0)], ids=["busy", "cut off", "too many requests"])
def test_an_interrupted_download_is_tried_again(tmp_path, server, file, failure):
    server.answers = [failure, failure, GOOD]
    assert cache(tmp_path).read(file) == CONTENT
    assert len(server.requests) == 3
    assert files_below(tmp_path) == ["set/part/file.bin"]


@pytest.mark.parametrize(
    ("answer", "reason", "n_requests"),
    [
        (BUSY, "503", 3),
        (CUT_OFF, "the connection ended after 100000 of 300000 bytes", 3),
        ((404, b"", 0), "404", 1),
    ],
    ids=["busy", "cut off", "not found"],
)
def test_a_download_that_fails_leaves_nothing_behind(tmp_path, server, file, answer, reason, n_requests):
    server.answers = [answer]
    with pytest.raises(OSError, match=rf"could not be downloaded, tried {n_requests} time\(s\): .*{reason}") as caught:
        cache(tmp_path).read(file)
    assert len(server.requests) == n_requests
    assert file.url in str(caught.value)
    assert f"put it at {place(tmp_path, file)}" in str(caught.value)
    assert files_below(tmp_path) == []


def test_no_network(tmp_path, server, file):
    server.shutdown()
    server.server_close()
    with pytest.raises(OSError, match=r"tried 3 time\(s\): .*put it at"):
        cache(tmp_path).read(file)
    assert files_below(tmp_path) == []


def test_retries_wait(tmp_path, server, file, monkeypatch):
    server.answers = [BUSY, BUSY, GOOD]
    waits = []
    monkeypatch.setattr(_fetching.time, "sleep", waits.append)
    assert cache(tmp_path, delay=2.5).read(file) == CONTENT
    assert waits == [2.5, 2.5]


def test_a_folder_that_cannot_be_written_to_is_not_tried_again(tmp_path, server, file):
    server.answers = [GOOD]
    write(tmp_path / "set", b"a file where a folder is wanted")
    with pytest.raises(OSError, match=r"tried 1 time\(s\)"):
        cache(tmp_path, delay=100.0).read(file)
    assert server.requests == []


def test_a_download_with_another_content_is_deleted(tmp_path, server, file):
    server.answers = [OTHER]
    found = hashlib.sha256(CONTENT[::-1]).hexdigest()
    with pytest.raises(OSError, match=f"SHA-256 checksum {found}, but {file.sha256} is expected"):
        cache(tmp_path).read(file)
    assert len(server.requests) == 1
    assert files_below(tmp_path) == []


def test_a_download_that_does_not_end_is_broken_off(tmp_path, server, file):
    server.answers = [(200, CONTENT + b"\0" * 5_000_000, None)]
    with pytest.raises(OSError, match="sends more than the 300000 bytes that are expected"):
        cache(tmp_path).read(file)
    assert len(server.requests) == 1
    assert files_below(tmp_path) == []


def test_ctrl_c_in_a_download_leaves_nothing_behind(tmp_path, server, file, monkeypatch):
    server.answers = [GOOD]
    seen = []

    def interrupt(*_):
        seen.extend(files_below(tmp_path))
        raise KeyboardInterrupt

    monkeypatch.setattr(_fetching.os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        cache(tmp_path).read(file)
    assert len(seen) == 1  # the whole content was there, under another name
    assert re.fullmatch(r"set/part/\.file\.bin\.\d+\.\w+\.part", seen[0])
    assert files_below(tmp_path) == []


def test_several_may_download_at_once(tmp_path, server, file):
    server.answers = [GOOD]
    results = []
    threads = [threading.Thread(target=lambda: results.append(cache(tmp_path).read(file))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [CONTENT] * 6
    assert files_below(tmp_path) == ["set/part/file.bin"]


@pytest.mark.parametrize("verbose", [False, True])
def test_a_bar_shows_the_download_on_the_error_stream(tmp_path, server, file, verbose, capsys):
    server.answers = [GOOD]
    cache(tmp_path, verbose=verbose).read(file)
    out, err = capsys.readouterr()
    assert out == ""
    assert ("file.bin" in err) == ("300" in err) == verbose


def test_without_rich_a_download_is_silent(tmp_path, server, file, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    server.answers = [GOOD]
    assert cache(tmp_path, verbose=True).read(file) == CONTENT
    assert capsys.readouterr() == ("", "")
