"""Fetchers of published data sets: what they make of the files, here of small ones like them."""

import gzip
import hashlib
import io
import re
import zipfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sklearn_rnn import datasets
from sklearn_rnn.datasets import _catalogue as catalogue
from sklearn_rnn.datasets import _fetching

FETCHERS = {name: getattr(datasets, name) for name in datasets.__all__ if name.startswith("fetch_")}


def archive_of(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


ATIS_LINES = {
    "seq.in": b"fly to new york\nfares\n",
    "seq.out": b"O O B-toloc.city_name I-toloc.city_name\nO\n",
    "label": b"atis_flight\natis_flight#atis_airfare\n",
}
EWT = """\
# newdoc id = a
# text = Don't vote 3 000 times.
1-2\tDon't\t_\t_\t_\t_\t_\t_\t_\t_
1\tDo\tdo\tAUX\tVB\t_\t0\troot\t_\t_
2\tn't\tnot\tPART\tRB\t_\t1\tadvmod\t_\t_
3\tvote\tvote\tVERB\tVB\t_\t1\tx\t_\t_
3.1\telided\t_\tNOUN\tNN\t_\t_\t_\t_\t_
4\t3 000\t3000\tNUM\tCD\t_\t1\tx\t_\t_
5\t#\t#\tSYM\tNN\t_\t1\tx\t_\t_

# text = \u2028
1\t\u2028\t_\tX\tGW\t_\t0\troot\t_\t_

""".encode()
CHUNKS = b"He PRP B-NP\nwaits VBZ B-VP\n\nNow RB B-ADVP\n. . O\n\n"
POSTS = b"@x\tO\nEmpire\tB-location\nState\tI-location\n\t\nok\tO\n\n\nbye\tO\n"
VOWELS = b"#A comment, with: signs\n@dimensions 2\n@data\n1.5,2,3:4,5,6:1\n-1,0.25:7,8:9\n\n"
SENTENCES = "1 ein  cliché , \u0085 \n0 no good .\n"
QUESTIONS = {
    "qc/train.txt": "HUM:desc Who was it ?\nLOC:city Where is a sister\u00f0city ?\nHUM:ind Who am I ?\n".encode(
        "latin-1"
    ),
    "qc/test.txt": b"LOC:city Where is Oslo ?\n",
}

PUBLISHED = {
    "fetch_atis": (
        catalogue.ATIS,
        {f"{part}/{name}": text for part in ("train", "validation", "test") for name, text in ATIS_LINES.items()},
        ("train", "validation", "test"),
        ["tokens", "tags", "intents"],
        {
            "data": [["fly", "to", "new", "york"], ["fares"]],
            "target": [["O", "O", "B-toloc.city_name", "I-toloc.city_name"], ["O"]],
            "intents": ["atis_flight", "atis_flight#atis_airfare"],
        },
    ),
    "fetch_conll2000": (
        catalogue.CONLL2000,
        {"archive": archive_of(**{"conll2000/train.txt": CHUNKS, "conll2000/test.txt": CHUNKS[:-1], "README": b"."})},
        ("train", "test"),
        ["tokens", "tags", "pos"],
        {
            "data": [["He", "waits"], ["Now", "."]],
            "target": [["B-NP", "B-VP"], ["B-ADVP", "O"]],
            "pos": [["PRP", "VBZ"], ["RB", "."]],
        },
    ),
    "fetch_ud_english_ewt": (
        catalogue.UD_ENGLISH_EWT,
        dict.fromkeys(("train", "validation", "test"), EWT),
        ("train", "validation", "test"),
        ["tokens", "tags", "xpos"],
        {
            "data": [["Do", "n't", "vote", "3 000", "#"], ["\u2028"]],
            "target": [["AUX", "PART", "VERB", "NUM", "SYM"], ["X"]],
            "xpos": [["VB", "RB", "VB", "CD", "NN"], ["GW"]],
        },
    ),
    "fetch_wnut17": (
        catalogue.WNUT17,
        {"train": POSTS, "validation": POSTS + b"\n", "test": POSTS[:-1]},
        ("train", "validation", "test"),
        ["tokens", "tags"],
        {
            "data": [["@x", "Empire", "State"], ["ok"], ["bye"]],
            "target": [["O", "B-location", "I-location"], ["O"], ["O"]],
        },
    ),
    "fetch_sst2": (
        catalogue.SST2,
        dict.fromkeys(("train", "validation", "test"), SENTENCES.encode()),
        ("train", "validation", "test"),
        ["tokens", "label"],
        {"data": [["ein", "cliché", ",", "\u0085"], ["no", "good", "."]], "target": [1, 0]},
    ),
    "fetch_movie_reviews": (
        catalogue.MOVIE_REVIEWS,
        {"all": "0 \u2026 a clich\u00e9 \u2013 or two \n1 good\u2026no\n".encode("cp1252")},
        (),
        ["tokens", "label"],
        {"data": [["\u2026", "a", "cliché", "\u2013", "or", "two"], ["good\u2026no"]], "target": [0, 1]},
    ),
    "fetch_trec": (
        catalogue.TREC,
        {"archive": archive_of(**QUESTIONS)},
        ("train", "test"),
        ["tokens", "label", "fine_target"],
        {
            "data": [["Who", "was", "it", "?"], ["Where", "is", "a", "sister\u00f0city", "?"], ["Who", "am", "I", "?"]],
            "target": [0, 1, 0],
            "fine_target": [0, 2, 1],
            "target_names": ["HUM", "LOC"],
            "fine_target_names": ["HUM:desc", "HUM:ind", "LOC:city"],
        },
    ),
    "fetch_sms_spam": (
        catalogue.SMS_SPAM,
        {"all": 'ham\t"Ok lar\u2028 \nspam\tWin £1000 "now"\t! \n'.encode()},
        (),
        ["text", "label"],
        {"data": ['"Ok lar\u2028 ', 'Win £1000 "now"\t! '], "target": [0, 1], "target_names": ["ham", "spam"]},
    ),
    "fetch_surnames": (
        catalogue.SURNAMES,
        {**dict.fromkeys(catalogue.SURNAMES.files, b""), "Arabic": b"Khoury\n\n", "Korean": b"Gwang \nDe la cruz"},
        (),
        ["name", "language"],
        {"data": ["Khoury", "Gwang", "De la cruz"], "target": [0, 11, 11]},
    ),
    "fetch_tiny_shakespeare": (
        catalogue.TINY_SHAKESPEARE,
        {"all": b"First Citizen:\nSpeak: speak.\n\n\nAll:\nResolved.\n\nBRUTUS:\nO,\nwhy?"},
        (),
        ["speech", "speaker"],
        {
            "data": ["First Citizen:\nSpeak: speak.\n\n\n", "All:\nResolved.\n\n", "BRUTUS:\nO,\nwhy?"],
            "target": ["First Citizen", "All", "BRUTUS"],
        },
    ),
    "fetch_japanese_vowels": (
        catalogue.JAPANESE_VOWELS,
        {"train": VOWELS, "test": VOWELS},
        ("train", "test"),
        ["series", "speaker"],
        {"data": [[[1.5, 4], [2, 5], [3, 6]], [[-1, 7], [0.25, 8]]], "target": [1, 9]},
    ),
}
"""For each fetcher: small files like the published ones, the parts, the columns of the frame, and what is read."""


def place(home, file):
    return Path(home, *file.path.split("/"))


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A data home with the small files, whose checksums and sizes pass for those of the published ones."""
    for data_set, contents, *_ in PUBLISHED.values():
        for name, content in contents.items():
            file = replace(data_set.files[name], sha256=hashlib.sha256(content).hexdigest(), size=len(content))
            monkeypatch.setitem(data_set.files, name, file)
            write(place(tmp_path, file), content)
    return tmp_path


def plain(column):
    return [item.tolist() if isinstance(item, np.ndarray | np.generic) else item for item in column]


@pytest.mark.parametrize("name", FETCHERS)
def test_what_is_read(home, name):
    _, _, parts, columns, wanted = PUBLISHED[name]
    fetch = FETCHERS[name]
    for part in parts or [None]:
        options = {"data_home": home, "download_if_missing": False, **({"subset": part} if part else {})}
        bunch = fetch(**options)
        if name == "fetch_trec" and part == "test":
            wanted = {"data": [["Where", "is", "Oslo", "?"]], "target": [1], "fine_target": [2]}
        assert {key: plain(bunch[key]) for key in wanted} == wanted
        assert isinstance(bunch.data, list)
        assert bunch.frame is None
        X, y = fetch(**options, return_X_y=True)
        assert plain(X) == wanted["data"]
        assert plain(y) == wanted["target"]
        framed = fetch(**options, as_frame=True)
        assert list(framed.frame.columns) == columns
        assert all(isinstance(framed[key], pd.Series) for key in ("data", "target"))
        for key, column in zip(("data", "target", *columns[2:]), columns, strict=True):
            assert plain(framed[key]) == plain(framed.frame[column]) == wanted[key]
    if parts:
        n_sequences = [len(fetch(subset=part, data_home=home).data) for part in parts]
        both = fetch(subset="all", data_home=home)
        assert len(both.data) == len(both.target) == sum(n_sequences)
        assert plain(both.data[: n_sequences[0]]) == plain(fetch(subset=parts[0], data_home=home).data)
        assert plain(both.data[-n_sequences[-1] :]) == plain(fetch(subset=parts[-1], data_home=home).data)


def test_numbers_are_laid_out_as_numbers(home):
    series = datasets.fetch_japanese_vowels(data_home=home).data[0]
    assert series.flags.c_contiguous
    assert series.dtype == np.float64


@pytest.mark.parametrize("name", [name for name, (_, _, parts, *_) in PUBLISHED.items() if parts])
def test_a_subset_that_does_not_exist_is_refused(name):
    with pytest.raises(ValueError, match=r"'subset' parameter of fetch_\w+ must be a str among .* Got 'dev' instead"):
        FETCHERS[name](subset="dev")


@pytest.mark.parametrize("name", FETCHERS)
def test_what_each_says_of_itself(name, home):
    data_set = PUBLISHED[name][0]
    text = FETCHERS[name].__doc__
    assert "{" not in re.sub(r'\{("\w+"(, )?)+\}', "", text)  # a choice of strings is in braces too
    described = FETCHERS[name](data_home=home).DESCR
    for each in (" ".join(text.split()), " ".join(described.split())):
        assert re.search(r"Licence: (open|unclear|restricted) \(", each)
        assert all(reference in each for reference in data_set.references)
        assert data_set.source in each


def test_the_catalogue_pins_one_commit_and_checksum_for_each_file():
    files = [file for data_set in catalogue.DATA_SETS for file in data_set.files.values()]
    assert {id(data_set) for data_set, *_ in PUBLISHED.values()} == {id(data_set) for data_set in catalogue.DATA_SETS}
    for file in files:
        assert re.fullmatch(r"https://raw\.githubusercontent\.com/[\w.-]+/[\w.-]+/[0-9a-f]{40}/[\w./-]+", file.url)
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert 0 < file.size < 20_000_000
        assert file.url.rpartition("/")[2] == file.path.rpartition("/")[2]
    assert len({file.path for file in files}) == len({file.sha256 for file in files}) == len(files)


# --- the data home ----------------------------------------------------------------------------------------------------


def test_the_variable_says_where_fetchers_look(home, monkeypatch):
    monkeypatch.setenv("SKLEARN_RNN_DATA_HOME", str(home))
    assert len(datasets.fetch_surnames(download_if_missing=False).data) == 3


def test_clearing_deletes_what_was_downloaded_and_nothing_else(home):
    kept = [home / "sst2" / "stsa.binary.train.gz", home / "notes.txt", home / "own" / "file"]
    for path in kept:
        write(path, b"")
    (home / "empty").mkdir()
    datasets.clear_data_home(home)
    assert sorted(path for path in home.rglob("*") if path.is_file()) == sorted(kept)
    assert (home / "empty").is_dir()
    assert not (home / "atis").exists()
    datasets.clear_data_home(home)
    datasets.clear_data_home(home / "nowhere")


def test_clearing_keeps_what_is_not_the_published_file(home):
    changed, grown = (place(home, catalogue.SST2.files[part]) for part in ("train", "test"))
    content = changed.read_bytes()
    write(changed, content[::-1])
    write(grown, content + b"mine")
    datasets.clear_data_home(home)
    assert sorted(path for path in home.rglob("*") if path.is_file()) == sorted([changed, grown])
    assert changed.read_bytes() == content[::-1]


def test_clearing_goes_through_no_symbolic_link(home, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    file = place(home, catalogue.MOVIE_REVIEWS.files["all"])
    file.rename(elsewhere / file.name)
    file.symlink_to(elsewhere / file.name)
    folder = place(home, catalogue.SST2.files["train"]).parent
    folder.rename(elsewhere / "sst2")
    folder.symlink_to(elsewhere / "sst2", target_is_directory=True)
    datasets.clear_data_home(home)
    assert (elsewhere / file.name).is_file()
    assert len(list((elsewhere / "sst2").iterdir())) == 3
    assert file.is_symlink()
    assert folder.is_symlink()


def test_a_data_home_that_is_a_link_is_cleared(home, tmp_path_factory):
    link = tmp_path_factory.mktemp("links") / "home"
    link.symlink_to(home, target_is_directory=True)
    datasets.clear_data_home(link)
    assert list(home.iterdir()) == []


# --- files in the data home -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FETCHERS)
def test_files_may_be_compressed(home, name):
    data_set, contents, *_, wanted = PUBLISHED[name]
    for file, content in zip((data_set.files[key] for key in contents), contents.values(), strict=True):
        place(home, file).unlink()
        write(place(home, replace(file, path=file.path + ".gz")), gzip.compress(content))
    assert plain(FETCHERS[name](data_home=home, download_if_missing=False).data) == wanted["data"]


def test_a_missing_file_is_named_with_its_address_and_place(home):
    file = catalogue.SST2.files["validation"]
    place(home, file).unlink()
    with pytest.raises(OSError, match="download_if_missing=False") as caught:
        datasets.fetch_sst2(subset="all", data_home=home, download_if_missing=False)
    for part in (file.url, str(place(home, file)), str(place(home, file)) + ".gz"):
        assert part in str(caught.value)
    assert not place(home, file).exists()


def test_a_fetcher_downloads_what_it_needs(home, monkeypatch):
    file = catalogue.SST2.files["validation"]
    content = place(home, file).read_bytes()
    for each in catalogue.SST2.files.values():
        place(home, each).unlink()
    asked = []

    @contextmanager
    def answer(url, timeout):
        asked.append(url)
        response = io.BytesIO(content)
        response.headers = {}
        yield response

    monkeypatch.setattr(_fetching, "urlopen", answer)
    assert datasets.fetch_sst2(subset="validation", data_home=home).data[1] == ["no", "good", "."]
    assert asked == [file.url]
    assert place(home, file).read_bytes() == content
