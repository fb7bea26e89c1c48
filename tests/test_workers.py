"""Code that knows whether it is one of several jobs; and searches on the engines that joblib can hand its jobs to."""

import contextlib
import json
import multiprocessing
import os
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from importlib.util import find_spec

import pytest
from joblib import Parallel, delayed, parallel_config
from threadpoolctl import ThreadpoolController, threadpool_info

from sklearn_rnn.training.workers import OneBlasThread, _let_any_thread_set_limits, in_worker


def nested(n_jobs, backend):
    return Parallel(n_jobs=n_jobs, backend=backend)(delayed(in_worker)() for _ in range(2))


# joblib


@pytest.mark.filterwarnings(r"ignore:os\.fork\(\) was called:RuntimeWarning")  # by JAX, if another test has loaded it
@pytest.mark.parametrize("backend", ["loky", "multiprocessing", "threading"])
def test_several_jobs_of_joblib_are_workers_and_one_is_not(backend):
    assert nested(2, backend) == [True, True]
    assert nested(1, backend) == [False, False]
    assert not in_worker()


@pytest.mark.parametrize("outer", ["loky", "threading"])
def test_a_single_job_inside_a_worker_is_still_in_the_worker(outer):
    assert Parallel(n_jobs=2, backend=outer)(delayed(nested)(1, "threading") for _ in range(2)) == [[True, True]] * 2


def test_threads_inside_a_single_job_are_workers():
    assert Parallel(n_jobs=1)(delayed(nested)(2, "threading") for _ in range(1)) == [[True, True]]


def test_a_configuration_alone_starts_no_job():
    for backend in ("threading", "loky"):
        with parallel_config(backend=backend, n_jobs=2):
            assert not in_worker()


# Other processes and threads


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_children_of_multiprocessing_are_workers(method):
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
        assert pool.submit(in_worker).result()


def test_the_users_own_threads_and_new_programs_are_not():
    with ThreadPoolExecutor(2) as pool:
        assert not pool.submit(in_worker).result()
    code = "import sys; from sklearn_rnn.training.workers import in_worker; print(in_worker(), *sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert printed[0] == "False"
    assert not {"distributed", "dask", "ray"} & set(printed)


@pytest.mark.parametrize("module", ["distributed", "ray", "joblib.parallel"])
def test_a_library_that_is_not_there_or_half_imported_is_no_worker(module, monkeypatch):
    monkeypatch.delitem(sys.modules, module, raising=False)
    assert not in_worker()
    if module != "joblib.parallel":
        monkeypatch.setitem(sys.modules, module, type(sys)(module))
        assert not in_worker()


# A setting of the process that threads share


def blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.fixture
def three_blas_threads():
    """A number that no other test sets, and that is not bound to this thread."""
    limit = ThreadpoolController().limit(limits=3, user_api="blas")
    _let_any_thread_set_limits()
    yield
    limit.restore_original_limits()
    _let_any_thread_set_limits()


@pytest.mark.parametrize("last", [0, 1])
def test_threads_that_overlap_leave_the_users_number_of_blas_threads(last, three_blas_threads):
    shared, inside, leave = OneBlasThread(ThreadpoolController), threading.Barrier(3), [threading.Event() for _ in "ab"]
    seen = []

    def job(k):
        with shared:
            inside.wait(20)
            assert leave[k].wait(20)
            seen.append(blas_threads())

    for _ in range(2):
        with ThreadPoolExecutor(2) as pool:
            jobs = [pool.submit(job, k) for k in range(2)]
            inside.wait(20)
            for k in (1 - last, last):
                leave[k].set()
                jobs[k].result()
        assert blas_threads() == {3}
        for event in leave:
            event.clear()
    assert seen == [{1}] * 4


def test_many_short_turns_and_errors_leave_it_too(three_blas_threads):
    shared = OneBlasThread(ThreadpoolController)

    def job():
        for _ in range(20):
            with contextlib.suppress(KeyError), shared:
                assert blas_threads() == {1}
                raise KeyError

    with ThreadPoolExecutor(4) as pool:
        for turn in [pool.submit(job) for _ in range(4)]:
            turn.result()
    assert blas_threads() == {3}


# dask and ray, in a program of their own: they leave threads behind, and ray changes the pool of joblib for good

PROGRAM = """
import json, os, sys
import numpy as np
from joblib import Parallel, delayed, parallel_config
from sklearn.model_selection import GridSearchCV
from sklearn_rnn import RNNClassifier, RNNSequenceTagger, Sequences
from sklearn_rnn.model_selection import WarmHalvingGridSearchCV
from sklearn_rnn.training.workers import OneBlasThread, _let_any_thread_set_limits, in_worker


def where(X):
    return os.getpid(), id(X), in_worker(), type(X).__name__


def scores(X, y, tags, memory, n_jobs):
    classifier = RNNClassifier(hidden_size=3, max_epochs=3, random_state=0)
    tagger = RNNSequenceTagger(hidden_size=3, max_epochs=2, random_state=0)
    options = {"cv": 2, "n_jobs": n_jobs, "error_score": "raise"}
    grid = {"hidden_size": [2, 3, 4]}
    searches = [
        GridSearchCV(classifier, grid, **options).fit(X, y),
        GridSearchCV(tagger, grid, **options).fit(X, tags),
        WarmHalvingGridSearchCV(classifier, grid, memory=memory, **options).fit(X, y),
    ]
    for search in searches:
        assert len(search.predict(X)) == len(X)
    return [search.cv_results_["mean_test_score"].tolist() for search in searches]


def report(configuration):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(length, 3)) for length in rng.integers(2, 8, size=24)]
    X = Sequences.from_arrays(arrays)
    y = np.array([int(x[:, 0].mean() > 0) for x in arrays])
    tags = [["up" if step > 0 else "down" for step in x[:, 0]] for x in arrays]
    memory = sys.argv[1]
    alone = scores(X, y, tags, memory, None)
    with parallel_config(**configuration(arrays)):
        jobs = Parallel(n_jobs=2)(delayed(where)(arrays) for _ in range(8))
        beside = scores(X, y, tags, memory, 2)
    print(json.dumps({
        "driver": [os.getpid(), in_worker()], "jobs": jobs, "alone": alone, "beside": beside, "left": os.listdir(memory)
    }))


"""
ENGINES = {
    "distributed": """
from distributed import Client, LocalCluster

if __name__ == "__main__":
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with cluster, Client(cluster):
        report(lambda X: {"backend": "dask", "scatter": [X]})
""",
    "ray": """
import ray
from ray.util.joblib import register_ray

if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR")
    register_ray()
    report(lambda X: {"backend": "ray"})
    ray.shutdown()
""",
}


@pytest.fixture(scope="module", params=ENGINES)
def engine(request, tmp_path_factory):
    """The name of an engine, and what a program printed that searched on two workers of it."""
    if find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    folder = tmp_path_factory.mktemp(request.param)
    program = folder / "program.py"
    program.write_text(PROGRAM + ENGINES[request.param])
    memory = folder / "memory"
    memory.mkdir()
    run = subprocess.run(
        [sys.executable, str(program), str(memory)],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert run.returncode == 0, run.stderr
    return request.param, json.loads(run.stdout.splitlines()[-1])


def test_jobs_of_an_engine_are_workers_and_its_driver_is_not(engine):
    _, said = engine
    driver, driver_is_worker = said["driver"]
    assert not driver_is_worker
    assert all(is_worker for _, _, is_worker, _ in said["jobs"])
    processes = {process for process, *_ in said["jobs"]}
    assert driver not in processes
    assert 1 <= len(processes) <= 2


def test_searches_on_an_engine_score_as_one_after_the_other(engine):
    _, said = engine
    assert said["beside"] == said["alone"]
    assert said["left"] == []


def test_what_dask_scatters_crosses_once_to_a_worker(engine):
    name, said = engine
    if name != "distributed":
        pytest.skip("ray has nothing to scatter with")
    assert len({(process, X) for process, X, _, _ in said["jobs"]}) == len({process for process, *_ in said["jobs"]})
