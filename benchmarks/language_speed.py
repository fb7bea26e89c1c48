"""How long training on one stream of symbols takes beside a loop in torch, and how much memory a large vocabulary.

    python benchmarks/language_speed.py [--only NAME ...] [--seconds S]

Stacked LSTMs read a stream in 64 lanes of 100 steps, whose state goes on from piece to piece, and predict the next of
65 symbols; Adam with clipped gradients. The peer is a loop as an expert writes it, over an embedding of the size of the
layers and over one-hot rows. Contestants take turns in processes of their own, each at the number of threads that is
best for it, and on one thread. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import resource
import time
from typing import Any

from measuring import Worker, Workers, race, seats
from peers.language import OurStream, StreamProblem

PROBLEMS = {
    "2x192": StreamProblem(192, embedding=192, n_batches=8),
    "2x512": StreamProblem(512, embedding=512, n_batches=2),
}
PEERS = ("torch stream loop", "torch one-hot stream loop")
WORDS = StreamProblem(200, lanes=64, steps=35, symbols=10_000, embedding=200, n_batches=10)
SOFTMAXES: dict[str, dict[str, Any]] = {"full": {}, "tied": {"tied": True}, "adaptive": {"softmax": "adaptive"}}


def measure_training(name: str, seconds: float) -> dict[str, Any]:
    """Seconds of all contestants by round, and the ratios of ours to theirs: see :func:`measuring.race`.

    Parameters
    ----------
    name : {"2x192", "2x512"}
    seconds : float
        About how long it may take; some rounds are always run.
    """
    workers = Workers()
    try:
        contestants = {contestant: seats(contestant) for contestant in ("our stream", *PEERS)}
        return race(workers, PROBLEMS[name], contestants, seconds=seconds, n_epochs=1)
    finally:
        workers.close()


def measure_memory(softmax: str) -> dict[str, float]:
    """Peak memory in GB of a process that trains on 10,000 words, and the seconds of an optimizer step."""
    worker = Worker()
    try:
        return worker.call("language_speed:train_on_words", softmax)
    finally:
        worker.close()


def train_on_words(softmax: str) -> dict[str, float]:
    """What :func:`measure_memory` wants to know, of this process."""
    problem = StreamProblem(**{**vars(WORDS), **SOFTMAXES[softmax]})
    contestant = OurStream(problem, 1)
    contestant.fit(1)
    start = time.process_time()
    contestant.fit(1)
    seconds = (time.process_time() - start) / problem.n_batches
    return {"GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[*PROBLEMS, "memory"], choices=[*PROBLEMS, "memory"])
    parser.add_argument("--seconds", type=float, default=120, help="for each network")
    arguments = parser.parse_args()
    for name in arguments.only:
        if name == "memory":
            for softmax in SOFTMAXES:
                found = measure_memory(softmax)
                print(f"10,000 words, {softmax} softmax: {found['GB']:.2f} GB at most, {found['seconds']:.3f} s a step")
            continue
        record = measure_training(name, arguments.seconds)
        print(f"LSTM {name}: {record['seat']}")
        for ratios in ("ratios", "ratios_one_thread"):
            for peer, ratio in record[ratios].items():
                print(f"  {ratios}: {ratio['median']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f}) of {peer}")


if __name__ == "__main__":
    main()
