"""Rooms, and who may import whom; and what no file of the package does."""

import ast
import sys
from pathlib import Path

import pytest

import sklearn_rnn

PACKAGE = Path(sklearn_rnn.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 400

ROOMS = {
    "estimators": {"targets", "training", "networks", "data", "metrics", "preprocessing"},
    "targets": {"data", "metrics", "networks"},
    "training": {"networks", "data"},
    "networks": {"kernels"},
    "kernels": set(),
    "data": set(),
    "preprocessing": {"data"},
    "metrics": {"data"},
    "model_selection": {"data"},
    "inspection": {"data", "training"},
    "datasets": {"data"},
}
"""What each room may import of the others. The modules beside the rooms are ``exceptions`` and those of
`FOR_ALL`, which all may import, and what users see, ``__init__`` and ``testing`` with its checks, which no room
imports."""

LIBRARIES = {
    "estimators": {"numpy", "scipy", "sklearn", "torch"},
    "targets": {"numpy", "scipy", "sklearn", "torch"},
    "training": {"numpy", "skorch", "torch"},
    "networks": {"torch"},
    "kernels": {"numba", "numpy"},
    "data": {"numpy", "sklearn"},
    "preprocessing": {"numpy", "sklearn"},
    "metrics": {"numpy", "sklearn"},
    "model_selection": {"joblib", "numpy", "sklearn"},
    "inspection": {"matplotlib", "numpy", "sklearn"},
    "datasets": {"numpy", "pandas", "sklearn"},
}
ALSO = {
    "kernels/products.py": {"llvmlite"},
    "networks/beams.py": {"numpy"},
    "networks/chain_filtering.py": {"numpy"},
    "networks/chain_fused.py": {"numpy"},
    "networks/choosing.py": {"numpy"},
    "networks/decoder_stepping.py": {"numpy"},
    "networks/decoding.py": {"numpy"},
    "networks/direct.py": {"numpy"},
    "networks/engines.py": {"numba", "numpy"},
    "networks/flat_weights.py": {"numpy"},
    "networks/fused.py": {"numpy"},
    "networks/generating.py": {"numpy"},
    "networks/number_decoding.py": {"numpy"},
    "networks/packed_weights.py": {"numpy"},
    "networks/packing.py": {"numpy"},
    "networks/layer.py": {"numpy"},
    "networks/state.py": {"numpy"},
    "networks/stepping.py": {"numpy"},
    "training/compute.py": {"scipy", "threadpoolctl"},
    "data/batching.py": {"torch"},
    "data/orders.py": {"torch"},
    "data/frame_columns.py": {"narwhals"},
    "data/gathering.py": {"torch"},
    "data/frames.py": {"narwhals"},
    "datasets/_fetching.py": {"rich"},
    "targets/tags.py": {"pandas"},
    "metrics/_span_confusion.py": {"pandas"},
    "metrics/_transduction.py": {"sacrebleu"},
}
FOR_ALL = {"_compat", "_snapshots", "_spelling", "_warning", "_wrapped", "exceptions"}
PRINTING = {"kernels/announcing.py", "estimators/_defaults.py", "training/loop.py"}
"""What says that kernels are compiled, what "auto" came to and what ended a training, to whoever watches."""


def name_of(path):
    return path.relative_to(PACKAGE).as_posix()


def room_of(path):
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else None


def imports(path, *, inside_functions=True):
    """The modules that a file imports, by their full names."""
    tree = ast.parse(path.read_text())
    nodes = list(ast.walk(tree))
    if not inside_functions:
        functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        inside = {node for function in functions for node in ast.walk(function)}
        nodes = [node for node in nodes if node not in inside]
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)} has a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def own(modules):
    """The part below the package of those `modules` that belong to it: a room, or a module beside the rooms."""
    return {module.split(".")[1] for module in modules if module.split(".")[0] == "sklearn_rnn"}


def foreign(modules):
    return {module.split(".")[0] for module in modules} - {"sklearn_rnn"} - set(sys.stdlib_module_names)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_rooms_import_as_agreed(path):
    room = room_of(path)
    if room is None:
        return
    assert room in ROOMS, f"{room} is a room without a rule"
    assert own(imports(path)) <= ROOMS[room] | FOR_ALL | {room}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_rooms_use_the_libraries_that_they_may(path):
    room = room_of(path)
    if room is not None:
        assert foreign(imports(path)) <= LIBRARIES[room] | ALSO.get(name_of(path), set())


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_matplotlib_waits_for_a_plot(path):
    assert "matplotlib" not in foreign(imports(path, inside_functions=False))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_libraries_that_few_calls_need_wait_for_them(path):
    waiting = {"rich"} if room_of(path) == "datasets" else {"pandas", "rich"}
    assert not waiting & foreign(imports(path, inside_functions=False))


def test_only_training_imports_skorch():
    assert {room_of(path) for path in FILES if "skorch" in foreign(imports(path))} == {"training"}


def test_the_package_names_what_is_public():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    kinds = (ast.Expr, ast.Import, ast.ImportFrom, ast.Assign)
    assert all(isinstance(node, kinds) for node in tree.body), "__init__ holds more than names"
    assert all(hasattr(sklearn_rnn, name) for name in sklearn_rnn.__all__)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_are_short(path):
    assert len(path.read_text().splitlines()) <= LONGEST


@pytest.mark.parametrize("path", [path for path in FILES if name_of(path) not in PRINTING], ids=name_of)
def test_nothing_is_printed(path):
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    printing = [node.lineno for node in calls if isinstance(node.func, ast.Name) and node.func.id == "print"]
    assert not printing, f"print() in line {printing}"


@pytest.mark.parametrize("path", [path for path in FILES if path.name != "_warning.py"], ids=name_of)
def test_warnings_name_the_line_of_the_caller(path):
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    counting = [node.lineno for node in calls if ast.unparse(node.func) == "warnings.warn"]
    assert not counting, f"warnings.warn in line {counting}: sklearn_rnn._warning.warn finds the line of the caller"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_constructors_only_assign(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ClassDef) or not {"BaseEstimator"} & {ast.unparse(base) for base in node.bases}:
            continue
        for item in node.body:
            if isinstance(item, ast.FunctionDef) and item.name == "__init__":
                assert all(isinstance(statement, ast.Assign) for statement in item.body), node.name
                assert item.args.kwarg is None, f"{node.name} takes **{item.args.kwarg}"
