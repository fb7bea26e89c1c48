"""Scores in a file, one JSON object a line, so that a run goes on where another one was interrupted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import sklearn_rnn

Record = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """One fit.

    Attributes
    ----------
    size : str
        Sequences that are trained on: "100", "300" or "full".
    protocol : {"test", "cv"}
        Whether the test part is scored, or part number `fold` of the training part that was held out.
    settings : dict
        Parameters of ours that are not as the contestant has them.
    tag : str
        The version of the package; empty for peers, which do not depend on it.
    """

    set: str
    size: str
    contestant: str
    seed: int
    protocol: str = "test"
    fold: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    tag: str = ""


def key_of(job: Job | Record) -> str:
    """What tells one fit from another."""
    record = asdict(job) if isinstance(job, Job) else job
    return json.dumps({name: record[name] for name in Job.__dataclass_fields__}, sort_keys=True, default=repr)


def read(paths: Iterable[Path]) -> dict[str, Record]:
    """Records by key; of two with the same key the later one. A line that was cut off in the middle is left out."""
    records: dict[str, Record] = {}
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
            try:
                record = json.loads(line)
            except json.JSONDecodeError:
                continue
            records[key_of(record)] = record
    return records


def append(path: Path, record: Record) -> None:
    """Add a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    broken = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" * broken + json.dumps(record, default=repr) + "\n")


def digest() -> str:
    """Of the sources of the package, whether they are committed or not."""
    found = hashlib.sha256()
    root = Path(sklearn_rnn.__file__).parent
    for path in sorted(root.rglob("*.py")):
        found.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()[:12]
