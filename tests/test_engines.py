"""Where kernels run: threads, processes, interruptions, caches, and machines without numba."""

import _thread
import multiprocessing
import os
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

pytest.importorskip("numba")

from numba import types
from numba.core.caching import NullCache
from numba.core.dispatcher import Dispatcher

from sklearn_rnn import RNNClassifier, RNNRegressor, RNNSequenceTagger
from sklearn_rnn.kernels import chain, chain_decoding, chain_packing, heads, recurrence
from sklearn_rnn.networks import engines
from sklearn_rnn.networks.engines import Engine, current_engine, using_engine
from sklearn_rnn.training.compute import compute_settings

rng = np.random.default_rng(0)
X = [rng.normal(size=(n, 3)).astype("float32") for n in rng.integers(1, 30, 60)]
y = np.array([x.sum() > 0 for x in X]).astype(int)


def fitted(engine="fused", n_threads=None, **options):
    small = {"hidden_size": 8, "max_epochs": 2, "conv_branch": False, "random_state": 0}
    return RNNClassifier(engine=engine, n_threads=n_threads, **small, **options).fit(X, y)


def probabilities(*arguments):
    """What a worker process returns."""
    return fitted(*arguments).predict_proba(X)


def blas_threads():
    return sorted((library["filepath"], library["num_threads"]) for library in threadpool_info())


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_parts_are_each_computed_once_in_all_threads(n_threads):
    seen = []
    parts = [(k,) for k in range(12)]
    with using_engine(Engine("fused", n_threads)):
        current_engine().share(lambda k: seen.append((k, threading.current_thread().name)), parts)
    assert sorted(k for k, _ in seen) == list(range(12))
    assert len({name for _, name in seen}) <= n_threads


def test_an_error_in_a_thread_is_raised():
    def fail(k):
        if k == 1:
            raise ZeroDivisionError

    with using_engine(Engine("fused", 2)), pytest.raises(ZeroDivisionError):
        current_engine().share(fail, [(0,), (1,)])


def test_threads_end_with_the_block():
    before = threading.active_count()
    with using_engine(Engine("fused", 3)):
        current_engine().share(lambda k: None, [(k,) for k in range(3)])
        assert threading.active_count() > before
    assert threading.active_count() == before


def test_subnormal_numbers_are_zero_in_every_thread():
    found = []
    with compute_settings(3, "fused"):
        current_engine().share(
            lambda k: found.append(float(torch.tensor(1e-310, dtype=torch.float64) * 1.0)), [(k,) for k in range(6)]
        )
    assert found == [0.0] * 6


def test_threads_do_not_change_a_fit():
    one, two = (fitted(n_threads=n, batch_size=60, bidirectional=True) for n in (1, 2))
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(X))


def test_engines_agree_after_a_fit():
    fused, plain = (fitted(engine, dropout=0.0) for engine in ("fused", "torch"))
    np.testing.assert_allclose(fused.loss_curve_, plain.loss_curve_, rtol=1e-5)
    np.testing.assert_allclose(fused.predict_proba(X), plain.predict_proba(X), atol=1e-5)


def test_tagger_engines_agree_after_a_fit():
    tags = [["B-x" if step.sum() > 0 else "O" for step in x] for x in X]
    options = {"hidden_size": 6, "max_epochs": 2, "dropout": 0.0, "decoder": "crf", "random_state": 0}
    fused, plain = (RNNSequenceTagger(engine=engine, **options).fit(X, tags) for engine in ("fused", "torch"))
    np.testing.assert_allclose(fused.loss_curve_, plain.loss_curve_, rtol=1e-5)


@pytest.mark.parametrize("engine", ["auto", "fused", "torch"])
def test_a_prediction_does_not_depend_on_its_batch(engine):
    model = fitted(engine, bidirectional=True)
    together = model.predict_proba(X)
    alone = np.concatenate([model.predict_proba([x]) for x in X])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-12)


def test_threads_of_the_caller_fit_at_once():
    wanted, before = probabilities(), blas_threads()
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: probabilities(), range(8)))
    for result in results:
        np.testing.assert_array_equal(result, wanted)
    assert blas_threads() == before


def test_settings_of_blas_come_back_after_an_error():
    fitted()
    before = blas_threads()
    with pytest.raises(ZeroDivisionError), compute_settings(2, "fused"):
        raise ZeroDivisionError
    assert blas_threads() == before


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_that_start_after_a_fit(method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system has no {method}")
    wanted = probabilities("fused", 2)
    with multiprocessing.get_context(method).Pool(2) as pool:
        results = pool.starmap_async(probabilities, [("fused", None), ("fused", 2)]).get(timeout=120)
    for result in results:
        np.testing.assert_array_equal(result, wanted)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("n_threads", [1, 2])
def test_an_interruption_ends_the_fit_and_leaves_the_model_alone(n_threads):
    model = fitted(n_threads=n_threads, batch_size=60)
    before = model.predict_proba(X)
    timer = threading.Timer(0.5, _thread.interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        model.set_params(max_epochs=10**6, n_iter_no_change=10**6).fit(X, y)
    timer.join()
    np.testing.assert_array_equal(model.predict_proba(X), before)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("kernel")]


@pytest.mark.parametrize("module", [chain, chain_decoding, chain_packing, heads, recurrence])
def test_kernels_return_no_arrays(module):
    """To wrap one, numba runs Python, where a Ctrl-C is lost: the call ends in a SystemError."""
    small = {"hidden_size": 4, "max_epochs": 1, "conv_branch": False, "engine": "fused"}
    for estimator, target in ((RNNClassifier, np.c_[y, y]), (RNNClassifier, np.arange(60) % 3), (RNNRegressor, y)):
        estimator(**small).fit(X, target)
    tags = [["a" if step > 0 else "b" for step in x[:, 0]] for x in X]
    tagger = RNNSequenceTagger(**small, decoder="crf").fit(X, tags)
    tagger.predict(X)
    tagger.predict_nbest(X, 2)
    # What is compiled into another kernel is not called from Python, and not read from the cache.
    compiled = [x for x in vars(module).values() if isinstance(x, Dispatcher) and not isinstance(x._cache, NullCache)]
    signatures = [signature for kernel in compiled for signature in kernel.nopython_signatures]
    assert len(signatures) >= len(compiled) > 0
    for signature in signatures:
        assert isinstance(signature.return_type, types.NoneType | types.Boolean | types.Float), signature


@pytest.mark.usefixtures("interruptible")
def test_memory_that_is_lent_does_not_swallow_an_interruption():
    """A destructor would, when the signal arrives while it runs."""
    engine = Engine("fused")

    def borrow_for(seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            engine.borrow((engines.WORTH_KEEPING,), np.dtype("float32"))

    for _ in range(20):
        timer = threading.Timer(0.01, _thread.interrupt_main)
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            borrow_for(20)
        timer.join()


def run_script(script, **environment):
    """The output of a Python process of its own."""
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, **environment},
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.strip()


WITHOUT_NUMBA = """
    import sys
    sys.modules["numba"] = None  # what an import finds where it is not installed
    import numpy as np
    from sklearn_rnn import RNNClassifier
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 5, 2)), np.arange(20) % 2
    options = {"hidden_size": 4, "max_epochs": 2, "random_state": 0, "dropout": 0.0}
    model = RNNClassifier(**options).fit(X, y)
    same = RNNClassifier(**options, engine="torch").fit(X, y)
    assert np.array_equal(model.predict_proba(X), same.predict_proba(X))
    try:
        RNNClassifier(engine="fused").fit(X, y)
    except ValueError as error:
        print(error)
"""


def test_without_numba_torch_does_the_work():
    said = run_script(WITHOUT_NUMBA)
    assert said.startswith("engine='fused' needs numba, which cannot be imported: install it")


ONE_KERNEL = """
    import sys
    import numpy as np
    sys.path.insert(0, {folder!r})
    from written import double
    print(double(np.arange(3.0)).tolist(), len(double.stats.cache_hits))
"""
SOURCE = """
from sklearn_rnn.kernels.compiling import kernel


@kernel
def double(x):
    return x * 2
"""


@pytest.fixture
def folder_of_a_kernel(tmp_path):
    (tmp_path / "written.py").write_text(SOURCE)
    return tmp_path


def test_the_next_process_finds_compiled_kernels(folder_of_a_kernel, tmp_path):
    script = ONE_KERNEL.format(folder=str(folder_of_a_kernel))
    outputs = [run_script(script, NUMBA_CACHE_DIR=str(tmp_path / "cache")) for _ in range(2)]
    assert outputs == ["[0.0, 2.0, 4.0] 0", "[0.0, 2.0, 4.0] 1"]


@pytest.mark.parametrize("folder", ["/dev/null/cache", "/proc/cache"], ids=["no folder", "read-only"])
def test_a_cache_folder_that_cannot_be_written_to(folder_of_a_kernel, folder):
    if not os.path.exists(os.path.dirname(folder)):
        pytest.skip("this system has no such place")
    script = ONE_KERNEL.format(folder=str(folder_of_a_kernel))
    assert run_script(script, NUMBA_CACHE_DIR=folder) == "[0.0, 2.0, 4.0] 0"


def test_kernels_without_any_place_for_a_cache(folder_of_a_kernel):
    script = """
        from numba.core.caching import CacheImpl
        CacheImpl._locator_classes = []
    """
    script = textwrap.dedent(script) + textwrap.dedent(ONE_KERNEL.format(folder=str(folder_of_a_kernel)))
    assert run_script(script) == "[0.0, 2.0, 4.0] 0"


WITHOUT_COMPILER = WITHOUT_NUMBA.replace('sys.modules["numba"] = None', "pass")


def test_without_numbas_compiler_torch_does_the_work():
    said = run_script(WITHOUT_COMPILER, NUMBA_DISABLE_JIT="1")
    assert said.startswith("engine='fused' needs numba's compiler, which NUMBA_DISABLE_JIT switches off: unset")


def test_a_stream_without_numbas_compiler():
    script = """
        import numpy as np
        from sklearn_rnn import RNNSequenceTagger, stream
        X = np.random.default_rng(0).normal(size=(20, 5, 2))
        tagger = RNNSequenceTagger(hidden_size=4, max_epochs=2, bidirectional=False).fit(X, X[..., 0] > 0)
        live = stream(tagger)
        for step in X[0]:
            live.update(step)
        print(len(tagger.predict_nbest(X)[0]), live.n_steps_.tolist())
    """
    assert run_script(script, NUMBA_DISABLE_JIT="1") == "5 [5]"


def test_an_unknown_engine():
    with pytest.raises(ValueError, match="'engine' parameter of RNNClassifier must be a str among"):
        RNNClassifier(engine="quick").fit(X, y)


def test_numba_waits_for_a_fit():
    assert run_script("import sys, sklearn_rnn; print('numba' in sys.modules)") == "False"


def test_engine_outside_of_any_block():
    assert engines._default is current_engine()
    assert current_engine().n_threads == 1
