"""Files of columns as they are found, and what is said of those that are broken."""

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold

from sklearn_rnn.datasets import read_conll
from sklearn_rnn.datasets._columns import Layout, read_columns
from sklearn_rnn.exceptions import SequenceDataError

CONLL_2000 = "He PRP B-NP\nwaits VBZ B-VP\n\n# # B-NP\n4 CD I-NP\n\n"
CONLL_2003 = """-DOCSTART- -X- -X- O

EU NNP B-NP B-ORG
rejects VBZ B-VP O

German JJ B-NP B-MISC

-DOCSTART- -X- -X- O

-DOCSTART-ed NN B-NP O

"""
WNUT = "#nofilter\tO\nEmpire State\tB-location\n\t\n\t\n@x\tO"
CONLL_U = """# newdoc id = a
# text = Don't vote
1-2\tDon't\t_\t_\t_
1\tDo\tdo\tAUX\tVB
2\tn't\tnot\tPART\tRB
2.1\telided\t_\tVERB\tVB
3\t3\u00a0000\t_\tNUM\tCD

# newdoc id = b
1\t#\t#\tSYM\tNN
# newpar
2\t\u2028\t_\tX\tGW
"""


@pytest.fixture
def file(tmp_path):
    def write(text, name="train.txt", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        return path

    return write


def test_conll_2000(file):
    found = read_conll(file(CONLL_2000), columns={"pos": 1})
    assert found.data == [["He", "waits"], ["#", "4"]]
    assert found.target == [["B-NP", "B-VP"], ["B-NP", "I-NP"]]
    assert found.pos == [["PRP", "VBZ"], ["#", "CD"]]
    assert found.groups is None


def test_conll_2003_with_documents(file):
    found = read_conll(file(CONLL_2003), columns={"chunk": 2})
    assert found.data == [["EU", "rejects"], ["German"], ["-DOCSTART-ed"]]
    assert found.target == [["B-ORG", "O"], ["B-MISC"], ["O"]]
    assert found.chunk[1] == ["B-NP"]
    assert found.groups.tolist() == [0, 0, 1]
    splits = GroupKFold(2).split(np.zeros(3), groups=found.groups)
    assert sorted(test.tolist() for _, test in splits) == [[0, 1], [2]]


def test_what_comes_before_the_first_document_is_one(file):
    assert read_conll(file("a O\n\n-DOCSTART-\n\nb O\n")).groups.tolist() == [0, 1]
    assert read_conll(
        file("#begin document (x);\na O\n#end document\n#begin document (y);\nb O\n"), comment="#"
    ).groups.tolist() == [0, 1]


def test_tabs_and_blank_lines_that_hold_some(file):
    found = read_conll(file(WNUT))
    assert found.data == [["#nofilter", "Empire State"], ["@x"]]
    assert read_conll(file(WNUT), return_X_y=True) == (found.data, found.target)


@pytest.mark.parametrize("name", ["dev.conllu", "dev.conllu.gz", "dev.txt"])
def test_conll_u(file, name):
    text = gzip.compress(CONLL_U.encode()) if name.endswith(".gz") else CONLL_U
    options = {"format": "conllu"} if name == "dev.txt" else {}
    found = read_conll(file(text, name), columns={"xpos": 4}, **options)
    assert found.data == [["Do", "n't", "3\u00a0000"], ["#", "\u2028"]]
    assert found.target == [["AUX", "PART", "NUM"], ["SYM", "X"]]
    assert found.xpos == [["VB", "RB", "CD"], ["NN", "GW"]]
    assert found.groups.tolist() == [0, 1]


@pytest.mark.parametrize("ending", ["", "\n", "\n\n", "\n\n\n"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_ends_of_lines_and_of_the_file(file, ending, newline):
    text = ("\ufeffa O\nb B-x\n\n\nc O" + ending).replace("\n", newline)
    assert read_conll(file(text), return_X_y=True) == ([["a", "b"], ["c"]], [["O", "B-x"], ["O"]])


def test_tokens_alone(file):
    found = read_conll(file("a\nb\n\nc\n"), tag=None)
    assert (found.data, found.target) == ([["a", "b"], ["c"]], None)


def test_encodings(file):
    path = file("Malm\u00f6 B-city\n\nK\u00f8ln B-city\n", encoding="latin-1")
    assert read_conll(path, encoding="latin-1").data == [["Malm\u00f6"], ["K\u00f8ln"]]
    with pytest.raises(
        SequenceDataError, match=r"train.txt, line 1 is not in the encoding 'utf-8'.*encoding='latin-1'"
    ):
        read_conll(path)
    with pytest.raises(SequenceDataError, match=r"line 3 is not in the encoding 'ascii'"):
        read_conll(file("Oslo O\n\nK\u00f8ln O\n"), encoding="ascii")


@pytest.mark.parametrize(
    ("text", "options", "error", "message"),
    [
        ("a O\nb\n", {}, SequenceDataError, r"line 2 has 1 column\(s\) between blanks, wanted at least 2: 'b'"),
        ("a N O\nb V O\nc O\n", {}, SequenceDataError, r"line 3 has 2 .*wanted 3 as in the lines before.*'c O'"),
        (
            "a\tO\n\nb O\n",
            {"tag": 1},
            SequenceDataError,
            r"line 3 has 1 column\(s\) between '\\t', wanted at least 2: 'b O'",
        ),
        ("a O\n", {"tag": 2}, SequenceDataError, r"line 1 has 2 column\(s\) between blanks, wanted at least 3"),
        ("# text = a\na O\n", {"tag": 5}, SequenceDataError, r"line 1 .*left out with comment='#'"),
        ("a\t\n", {}, SequenceDataError, r"line 1 has nothing in column -1: 'a\\t'"),
        ("\tO\n", {}, SequenceDataError, r"line 1 has nothing in column 0"),
        ("\n\n", {}, SequenceDataError, r"holds no sentence"),
        ("", {}, SequenceDataError, r"holds no sentence"),
        ("a\nb\n", {}, SequenceDataError, r"line 1 has 1 column.*wanted at least 2: 'a'"),
        ("a O\n", {"format": "bio"}, ValueError, r"format must be one of"),
        ("a O\n", {"tag": "last"}, ValueError, r"the column of target must be an int, got 'last'"),
        ("a O\n", {"columns": {"target": 1}}, ValueError, r"columns names \['target'\]"),
    ],
)
def test_what_is_refused(file, text, options, error, message):
    with pytest.raises(error, match=message):
        read_conll(file(text), **options)


def test_damaged_and_absent_files(file, tmp_path):
    with pytest.raises(SequenceDataError, match=r"cut off or damaged"):
        read_conll(file(gzip.compress(CONLL_2000.encode())[:-9], "train.txt.gz"))
    with pytest.raises(FileNotFoundError):
        read_conll(tmp_path / "absent.txt")


entry = st.text(st.characters(blacklist_characters="\t\n\r ", blacklist_categories=["Cs"]), min_size=1, max_size=4)


@given(st.lists(st.lists(st.tuples(entry, entry), min_size=1, max_size=4), max_size=4), st.sampled_from([" ", "\t"]))
@settings(deadline=None)
def test_what_is_written_is_read(sentences, separator):
    lines = [line for sentence in sentences for line in [*(separator.join(row) for row in sentence), ""]]
    if any(line.startswith("-DOCSTART-") for line in lines):
        return
    found = read_columns(lines, Layout((0, -1)))
    assert found.columns == [[[row[k] for row in sentence] for sentence in sentences] for k in (0, 1)]
    assert found.documents == [0] * len(sentences)
