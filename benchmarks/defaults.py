"""The judge of the defaults: ours as constructed beside ours as recommended and beside what one would otherwise use.

    python benchmarks/defaults.py --data DIR

trains every contestant on the training part of every set (all of it, and samples of 100 and 300 sequences), scores the
test part once, and prints a table, which ``--write docs/defaults_table.rst`` puts into the documentation. It takes many
hours on two cores. Each fit is a line of ``benchmarks/results/defaults.jsonl`` as soon as it is done, and none that is
there is repeated: interrupt the command and start it again as you like. A fit of ours counts as done for the sources of
the package that it ran with (or for the --tag given), one of a peer for good.

    python benchmarks/defaults.py --data DIR --protocol cv --setting pooling=max --setting pooling=mean dropout=0.3

looks at the training parts alone. It scores the defaults and each variation of them on parts that are held out, and
prints for each set the setting that is best on the *other* sets of its kind, and what it then loses to the best one.

DIR is a data home as ``sklearn_rnn.datasets.get_data_home`` describes it, with ``ucr_uea``, ``pendigits``,
``fsdd_mfcc``, ``indoor_movement``, ``sentiment_labelled_sentences``, ``tser``, ``cmapss_fd001`` and ``beijing_pm25``
beside the sets of text. Each fit runs on one thread. ``pip install -c constraints.txt ".[bench]"`` brings the peers.
"""

from __future__ import annotations

import argparse
import ast
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
from judging import cache, report
from judging.cache import Job, Record
from judging.naming import OURS, PEERS, SEEDED, TITLES
from judging.progress import Progress, duration
from judging.protocol import n_folds, run
from judging.sets import SETS, parts_of

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "defaults.jsonl"
SIZES = ["100", "300", "full"]


def setting(words: list[str]) -> dict[str, Any]:
    """Parameters from ``name=value`` words; a value that is no Python literal is a string."""
    found = {}
    for word in words:
        name, _, value = word.partition("=")
        try:
            found[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            found[name] = value
    return found


def jobs_of(name: str, n_train: int, arguments: argparse.Namespace, tag: str) -> list[Job]:
    """All fits on a set."""
    kind, testing = SETS[name].kind, arguments.protocol == "test"
    fitting = [size for size in arguments.sizes if size == "full" or int(size) < n_train]
    jobs = []
    for contestant in arguments.contestants:
        if contestant not in [*OURS, *PEERS[kind]] or (contestant == "unscaled" and kind != "series"):
            continue
        if contestant == "recommended" and SETS[name].task is None:
            continue
        ours = contestant in OURS
        for size in ["full"] if contestant == "unscaled" else fitting:
            for settings in [{}, *arguments.setting] if contestant == "default" else [{}]:
                for fold in range(1 if testing else n_folds(n_train)):
                    for seed in range(arguments.seeds if contestant in SEEDED else 1):
                        where = (arguments.protocol, fold, settings, tag if ours else "")
                        jobs.append(Job(name, size, contestant, seed, *where))
    return jobs


def settings_of(job: Job) -> str:
    return "".join(f", {name}={value!r}" for name, value in job.settings.items())


def start_worker() -> None:
    """Load and compile what all fits need before any is timed."""
    from sklearn_rnn import RNNClassifier, RNNSequenceTagger

    X = np.random.RandomState(0).randn(8, 5, 2)
    RNNClassifier(max_epochs=1, n_threads=1).fit(X, [0, 1] * 4).predict(X)
    RNNSequenceTagger(max_epochs=1, n_threads=1).fit([["a", "b"]] * 8, [["O", "B-x"]] * 8).predict([["a"]])


def run_all(jobs: list[Job], arguments: argparse.Namespace, records: dict[str, Record]) -> int:
    """Run what is not in `records`, and put it there and into the file; returns how many fits failed."""
    waiting = [job for job in jobs if cache.key_of(job) not in records]
    progress = Progress(waiting, records.values(), arguments.jobs)
    print(f"{len(jobs)} fits to show, {progress}", flush=True)
    failed = 0
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.jobs, mp_context=context, initializer=start_worker) as pool:
        futures = {pool.submit(run, job, arguments.data): job for job in waiting}
        try:
            for future in as_completed(futures):
                job = futures[future]
                what = f"{job.set} ({job.size}), {TITLES[job.contestant]}, seed {job.seed}{settings_of(job)}"
                if future.exception() is not None:
                    failed += 1
                    progress.gave_up(job)
                    print(f"{what}: failed, {future.exception()!r}", flush=True)
                    continue
                record = future.result()
                records[cache.key_of(record)] = record
                cache.append(arguments.json, record)
                progress.finished(record)
                print(f"{what}: {record['score']:.4g} ({record['cpu']:.1f} s; {progress})", flush=True)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise SystemExit("interrupted; the same command goes on from here") from None
    return failed


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--protocol", choices=["test", "cv"], default="test", help="score test parts, or held-out ones")
    parser.add_argument("--seeds", type=int, default=5, help="fits of what is random, with random_state 0, 1, ...")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=SIZES, help="sequences to train on")
    parser.add_argument("--only", nargs="+", choices=list(SETS), default=list(SETS), metavar="SET", help="sets by name")
    parser.add_argument(
        "--contestants", nargs="+", choices=list(TITLES), help="all by default; for cv, ours by default"
    )
    parser.add_argument("--unscaled", action="store_true", help="ours by default on channels in other units, alone")
    parser.add_argument(
        "--setting", nargs="+", action="append", default=[], metavar="NAME=VALUE", help="a variation of ours, for cv"
    )
    parser.add_argument("--jobs", type=int, default=1, help="fits at the same time, each on one thread")
    parser.add_argument("--json", type=Path, default=RESULTS, help="file of the scores")
    parser.add_argument("--also", type=Path, nargs="+", default=[], help="files of more scores, which are only read")
    parser.add_argument("--tag", help="name of this version of the package, in place of a digest of its sources")
    parser.add_argument("--cached", action="store_true", help="run nothing, show what is there")
    parser.add_argument("--write", type=Path, help="write the tables there as reStructuredText")
    arguments = parser.parse_args()
    if arguments.setting and arguments.protocol == "test":
        parser.error("--setting needs --protocol cv: what is tried on test parts is chosen on them")
    arguments.setting = [setting(words) for words in arguments.setting]
    if arguments.unscaled:
        arguments.contestants = ["unscaled"]
    arguments.contestants = arguments.contestants or (list(TITLES) if arguments.protocol == "test" else ["default"])
    return arguments


def main() -> None:
    arguments = parsed()
    os.environ.update(dict.fromkeys(["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"], "1"))
    started, tag = time.perf_counter(), arguments.tag or cache.digest()
    records = cache.read([*arguments.also, arguments.json])
    failed = 0
    if not arguments.cached:
        jobs = [
            job
            for name in arguments.only
            for job in jobs_of(name, len(parts_of(name, arguments.data).y), arguments, tag)
        ]
        jobs.sort(key=lambda job: job.contestant == "crfsuite" and job.size == "full")  # those take the longest
        failed = run_all(jobs, arguments, records)
        print(f"{duration(time.perf_counter() - started)} in all")
    chosen = [
        r
        for r in records.values()
        if r["tag"] in ("", tag) and r["protocol"] == arguments.protocol
        if r["set"] in arguments.only and r["size"] in arguments.sizes
    ]
    if arguments.protocol == "cv":
        print(report.choices(chosen))
    else:
        print(report.plain(chosen))
    if arguments.write:
        arguments.write.write_text(report.page(chosen), encoding="utf-8")
    if failed:
        raise SystemExit(f"{failed} fits failed; the same command tries them again")


if __name__ == "__main__":
    main()
