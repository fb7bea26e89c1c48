"""What the benchmarks of speed compute from times, and that the contestants do the same work."""

import json

import measuring
import numpy as np
import pytest
import torch
from generation import WRITERS
from generation import measure as measure_writing
from generation import table as table_of_writing
from measuring import Budget, Seat, exponent, geometric_mean, ratios_to_ours, read_results, rounds_within, write_results
from peers.language import ExpertStream, OneHotStream, OurStream, StreamProblem
from peers.problem import LONGEST, Problem
from peers.taggers import ChainNetwork, TaggingProblem
from peers.torch_loops import Network, Packed, Padded
from peers.writers import Writing
from scaling import AXES, grown, size_of
from speed import measurements
from speed_report import Row, number, result_of, rows, table
from streams import measure as measure_streams
from streams import table as table_of_streams
from torch import nn

from sklearn_rnn.networks.chain import log_partition, path_score


def test_ratios_are_those_of_each_round():
    took = {"ours": [1.0, 2.0, 3.0], "a": [2.0, 2.0, 4.0], "b": [10.0, 1.0, 3.0]}
    found = ratios_to_ours(took)
    assert found["a"]["all"] == [0.5, 1.0, 0.75]
    assert (found["a"]["median"], found["a"]["low"], found["a"]["high"]) == (0.75, 0.625, 0.875)
    assert found["b"]["median"] == 1.0


def test_geometric_mean_of_a_ratio_and_its_inverse_is_one():
    assert geometric_mean([0.25, 4.0]) == pytest.approx(1)
    assert geometric_mean([0.2, 0.3, 0.9]) == pytest.approx(0.054 ** (1 / 3))


@pytest.mark.parametrize("power", [0.0, 1.0, 1.7])
def test_exponent_of_a_power_law(power):
    sizes = [10.0, 30.0, 100.0]
    assert exponent(sizes, [5 * size**power for size in sizes]) == pytest.approx(power, abs=1e-9)


@pytest.mark.parametrize(("seconds", "wanted"), [(-4.0, 3), (7.9, 3), (8.1, 4), (1000.0, 15)])
def test_rounds_that_fit_in(seconds, wanted):
    assert rounds_within(seconds, 2.0) == wanted


def test_budget_is_shared_by_weight_among_what_is_left(monkeypatch):
    monkeypatch.setattr(measuring.time, "monotonic", lambda: now)
    now = 100.0
    budget = Budget(1.0, {"a": 3.0, "b": 1.0, "c": 2.0})
    assert budget.share("a") == 30
    now = 145.0
    assert budget.share("b") == 5
    now = 1000.0
    assert budget.share("c") == 0


def test_results_of_another_machine_are_refused(tmp_path):
    path = tmp_path / "deep" / "speed.json"
    results = read_results(path)
    assert results["records"] == {}
    results["records"]["epoch"] = {"seconds": [1.0]}
    write_results(path, results)
    assert read_results(path)["records"] == {"epoch": {"seconds": [1.0]}}
    results["machine"]["cpu"] = "another"
    path.write_text(json.dumps(results), encoding="utf-8")
    with pytest.raises(SystemExit, match="another"):
        read_results(path)


def test_seats_share_a_process_only_where_settings_are_the_same():
    expert, padded, unflushed = "expert torch loop", "torch padded to the longest", "torch loop without flushing"
    assert Seat(expert, 1).process == Seat(padded, 1).process
    others = {Seat(expert, 1), Seat(expert, 2), Seat(unflushed, None), Seat("skorch", 1), Seat("ours", 1)}
    others |= {Seat("Keras", 1, "jax"), Seat("Keras", 2, "jax"), Seat("Keras", 1, "torch"), Seat("JAX", 1)}
    assert len({seat.process for seat in others}) == len(others)


def test_every_row_of_the_table_is_measured():
    planned = {*measurements(), "search/jobs", "search/busy"}
    wanted = {name for row in rows() for name in row.names}
    assert wanted <= planned
    assert {name for name in planned if not name.startswith("throughput")} - {"search"} == wanted


def test_table_shows_a_row_once_all_of_its_records_are_there():
    row = rows()[0]
    records = {
        name: {"ratios": {row.against: {"median": 0.1 * (k + 1), "low": 0.0, "high": 9.0}}}
        for k, name in enumerate(row.names)
    }
    ratio, low, high = result_of(row, records)
    assert ratio == pytest.approx(0.0024**0.25)
    assert (low, high) == pytest.approx((0.1, 0.4))
    assert table(records)[1:] == [[row.work, row.against, "0.221 (0.1 to 0.4)", "0.45", "yes", ""]]
    del records[row.names[-1]]
    assert table(records)[1:] == []


def test_aim_of_a_record_goes_before_that_of_its_row():
    records = {"memory": {"aim": 2.5, "ratios": {"bytes of the data set": {"median": 3.0, "low": 3.0, "high": 3.0}}}}
    assert table(records)[1:] == [
        ["peak memory of fit above the imports", "bytes of the data set", "3", "2.5", "no", ""],
    ]
    single = Row("", "bytes of the data set", None, ("memory",))
    assert result_of(single, records) == (3.0, 3.0, 3.0)


@pytest.mark.parametrize(("value", "wanted"), [(0.05678, "0.0568"), (1.0, "1"), (99.94, "99.9"), (1234.5, "1234")])
def test_numbers_have_three_digits(value, wanted):
    assert number(value) == wanted


@pytest.mark.parametrize("axis", list(AXES))
def test_scaling_grows_one_thing(axis):
    small, large = grown(axis, 1), grown(axis, 100)
    assert size_of(axis, large) == 100 * size_of(axis, small)
    assert [size_of(other, large) for other in AXES if other != axis] == [
        size_of(other, small) for other in AXES if other != axis
    ]


def test_ragged_lengths_are_log_uniform_and_data_end_with_them():
    problem = Problem("gru", 50, LONGEST, 2, 4, n_batches=40, ragged=True)
    lengths, (X, y) = problem.lengths(), problem.data()
    assert lengths.min() == 1
    assert lengths.max() == LONGEST
    quarters = np.quantile(lengths, [0.25, 0.5, 0.75])
    np.testing.assert_allclose(quarters, 201 ** np.array([0.25, 0.5, 0.75]), rtol=0.1, atol=1)
    assert all((X[i, n:] == 0).all() and X[i, n - 1].all() for i, n in enumerate(lengths))
    assert X.shape == (2000, LONGEST, 2)
    assert X.dtype == y.dtype == np.float32


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_padded_and_packed_loops_have_the_same_outputs(cell):
    problem = Problem(cell, 4, LONGEST, 3, 5, n_batches=2, ragged=True)
    threads, rows = torch.get_num_threads(), torch.tensor([5, 0, 3, 7])
    padded, packed, model = Padded(problem, None), Packed(problem, None), Network(problem)
    torch.set_flush_denormal(False)
    with torch.no_grad():
        alone = [model(padded.X[row : row + 1, : padded.lengths[row]]) for row in rows]
        torch.testing.assert_close(padded.outputs(model, rows), torch.cat(alone))
        torch.testing.assert_close(packed.outputs(model, rows), torch.cat(alone))
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_jax_computes_what_torch_computes(cell):
    pytest.importorskip("optax")
    from peers.jax_scan import network

    problem = Problem(cell, 4, 7, 3, 5, n_batches=1, layers=2, directions=2)
    model = Network(problem)

    def direction(suffix):
        part = {name: getattr(model.rnn, name + suffix).detach().numpy() for name in ("weight_ih", "weight_hh")}
        biases = {name: getattr(model.rnn, name + suffix).detach().numpy() for name in ("bias_ih", "bias_hh")}
        return {
            "input": part["weight_ih"].T,
            "hidden": part["weight_hh"].T,
            "input_bias": biases["bias_ih"],
            "hidden_bias": biases["bias_hh"],
        }

    parameters = {
        "layers": [[direction(f"_l{k}"), direction(f"_l{k}_reverse")] for k in range(2)],
        "head": model.head.weight.detach().numpy()[0],
        "head_bias": model.head.bias.detach().numpy()[0],
    }
    X, _ = problem.data()
    wanted = model(torch.from_numpy(X)).detach().numpy()[:, 0]
    np.testing.assert_allclose(network(cell, parameters, X), wanted, atol=1e-6)


def test_loss_of_the_plain_tagger_is_that_of_the_chain():
    model = ChainNetwork(TaggingProblem("", 0, embedding=3, hidden=4), n_tokens=6, n_labels=5)
    for scores in (model.transitions, model.start, model.end):
        nn.init.normal_(scores)
    lengths, labels = torch.tensor([4, 1, 7]), torch.randint(5, (3, 7))
    emissions = model(torch.randint(1, 6, (3, 7)), lengths)
    chain = torch.cat([model.transitions, model.start[None], model.end[None]])
    likelihood = path_score(emissions, chain, labels, lengths) - log_partition(emissions, chain, lengths)
    torch.testing.assert_close(model.loss(emissions, labels, lengths), -likelihood.sum() / lengths.sum())


def test_streams_are_measured_beside_torch():
    record = measure_streams(2, rounds=1)
    assert set(record["seconds"]) == {"Stream.update", *record["ratios"]}
    header, row = table_of_streams({"2": record})
    assert len(header) == len(row)
    assert row[0] == "2"


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_writers_write_the_same(cell):
    writing = Writing(cell, 2, 24, 3, symbols=30)
    ours, *others = (make(writing).write(40, best=True) for make in WRITERS.values())
    assert len(np.unique(ours)) > 3
    for found in others:
        np.testing.assert_array_equal(found, ours)


def test_writers_are_measured_side_by_side():
    record = measure_writing(Writing("gru", 1, 8, 2, symbols=5), rounds=1, turn=1e-4)
    header, row = table_of_writing({"a": record})
    assert len(header) == len(row) == 2 * len(WRITERS)
    assert set(record["ratios"]) == set(WRITERS) - {"ours"}


@pytest.mark.parametrize("contestant", [OurStream, ExpertStream, OneHotStream])
@pytest.mark.parametrize("tied", [False, True])
def test_streams_are_trained_by_all(contestant, tied):
    problem = StreamProblem(6, lanes=4, steps=3, symbols=5, embedding=6, tied=tied)
    threads = torch.get_num_threads()
    try:
        contestant(problem, 1).fit(2)
    finally:
        torch.set_num_threads(threads)
        torch.set_flush_denormal(False)
