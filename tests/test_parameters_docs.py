"""Each constructor parameter is declared once: what validates it and what the docs say of it agree."""

import inspect
import json
import re
from dataclasses import dataclass, fields

import pytest
from samples import ESTIMATORS, problem, small
from sklearn.utils._param_validation import InvalidParameterError

from sklearn_rnn import RNNEncoderDecoder, RNNLanguageModel, SequenceBaggingClassifier, SequenceBaggingRegressor
from sklearn_rnn.estimators._docs import GROUPS, documented
from sklearn_rnn.estimators._parameters import parameter
from sklearn_rnn.networks import cells

docscrape = pytest.importorskip("numpydoc.docscrape", reason="numpydoc comes with the docs extra")

ALL = [*ESTIMATORS, RNNEncoderDecoder, RNNLanguageModel, SequenceBaggingClassifier, SequenceBaggingRegressor]
READ_LATER = {"pretrained", "pretrained_embeddings"}
"""Parameters that are judged where they are taken apart."""


def parsed(estimator):
    return docscrape.NumpyDocString(estimator.__doc__)


def lines_of(estimator, section):
    """The lines of one section of a docstring, as they are."""
    [text] = re.findall(rf"^{section}\n-+\n(.*?)(?=^[A-Z][\w ]+\n-+$|\Z)", estimator.__doc__, re.MULTILINE | re.DOTALL)
    return text.rstrip().splitlines()


@pytest.mark.parametrize("estimator", ALL)
def test_every_parameter_is_documented_once_in_order_with_its_default(estimator):
    signature = inspect.signature(estimator).parameters
    described = {entry.name: entry for entry in parsed(estimator)["Parameters"]}
    assert len(described) == len(parsed(estimator)["Parameters"])
    assert sorted(described) == sorted(signature) == sorted(estimator().get_params(deep=False))
    for name, entry in described.items():
        default = signature[name].default
        shown = json.dumps(default) if isinstance(default, str) else repr(default)
        assert entry.type.endswith(f", default={shown}"), entry
        assert " ".join(entry.desc)[-1] in ".)", entry


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_parameters_come_by_what_they_are_about(estimator):
    described = [entry.name for entry in parsed(estimator)["Parameters"]]
    task = {"pooling", "class_weight", "decoder"} & set(described)
    order = ["cell_type", "proj_size", "embedding_dim", "missing", "pretrained", *task, "optimizer", "verbose"]
    places = [described.index(name) for name in order if name not in task]
    assert places == sorted(places)
    assert all(described.index("pretrained") < described.index(name) < described.index("optimizer") for name in task)
    for group in GROUPS.values():
        own = [declared.name for declared in fields(group)]
        assert [name for name in described if name in own] == own


@pytest.mark.parametrize("estimator", ALL)
@pytest.mark.parametrize("section", ["Parameters", "Attributes"])
def test_indentation_is_even_and_no_line_is_long(estimator, section):
    assert estimator.__doc__ == inspect.cleandoc(estimator.__doc__)
    names = {entry.name for entry in parsed(estimator)[section]}
    lines = lines_of(estimator, section)
    assert len([line for line in lines if not line.startswith(" ")]) == len(names)
    assert all(line.partition(" : ")[0] in names or re.match(r" {4}\S", line) for line in lines)
    assert max(map(len, estimator.__doc__.splitlines())) <= 120


@pytest.mark.parametrize("estimator", ALL)
def test_references_count_from_one_and_all_are_cited(estimator):
    text, _, listed = estimator.__doc__.partition("\nReferences\n")
    numbers = [int(number) for number in re.findall(r"^\.\. \[(\d+)\] [A-Z]", listed, re.MULTILINE)]
    cited = [int(number) for number in re.findall(r"\[(\d+)\]_", text)]
    assert numbers == list(dict.fromkeys(cited)) == list(range(1, len(numbers) + 1))
    assert not re.search(r"\[[a-z]+\]_|^\{\w+\}$", estimator.__doc__, re.MULTILINE)


@pytest.mark.parametrize("estimator", ALL)
def test_every_parameter_has_a_constraint_that_its_default_satisfies(estimator):
    assert set(estimator._parameter_constraints) == set(inspect.signature(estimator).parameters)
    estimator()._validate_params()


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_wrong_value_of_a_parameter_is_refused_by_its_name(estimator):
    X, y = problem(estimator)
    for name in set(estimator().get_params()) - READ_LATER:
        with pytest.raises(InvalidParameterError, match=f"'{name}' parameter of {estimator.__name__} must be"):
            small(estimator).set_params(**{name: object()}).fit(X, y)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_cells_are_looked_up_when_they_are_wanted(estimator, monkeypatch):
    named = estimator(cell_type="mine")
    with pytest.raises(InvalidParameterError, match=r"'cell_type' .* among \{'rnn', 'lstm', 'gru', 'mgu'\}"):
        named._validate_params()
    monkeypatch.setitem(cells.CELLS, "mine", cells.rnn_step)
    named._validate_params()


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_subclass_may_declare_parameters_of_its_own(estimator):
    @documented
    @dataclass(kw_only=True, eq=False, repr=False)
    class Own(estimator):
        """An estimator with one parameter more.

        Parameters
        ----------
        {parameters}

        References
        ----------
        {references}
        """

        depth: int = parameter(3, [int], "int", "How deep [crf]_.")

    assert Own(depth=4).get_params()["depth"] == 4
    assert [entry.type for entry in parsed(Own)["Parameters"] if entry.name == "depth"] == ["int, default=3"]
    with pytest.raises(InvalidParameterError, match="'depth' parameter of Own"):
        Own(depth="deep")._validate_params()
    assert "depth" not in estimator._parameter_constraints
