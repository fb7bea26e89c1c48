"""What the parameters do that concern tokens, their vectors and dropout in them."""

from collections import Counter

import numpy as np
import pytest
import torch
from samples import ESTIMATORS, outputs, problem, small, weights
from sklearn.frozen import FrozenEstimator
from test_parameters import POOLED, differs, fit, recurrences, shows
from torch import nn

from sklearn_rnn import RNNClassifier, RNNRegressor, RNNSequenceTagger
from sklearn_rnn.data.tokens import UNKNOWN
from sklearn_rnn.exceptions import EmbeddingCoverageWarning
from sklearn_rnn.networks.ngrams import HASHED_ROWS

WORDS = ["fly", "to", "Oslo", "from", "Rome", "NATO", "2024", "via", "Lima"]
SHARES = np.arange(len(WORDS), 0, -1) / sum(range(len(WORDS) + 1))


def text_problem(estimator, n=24, seed=0):
    """Lists of tokens, the first of WORDS more often than the last, and targets for the class `estimator`."""
    rng = np.random.default_rng(seed)
    X = [rng.choice(WORDS, size=length, p=SHARES).tolist() for length in rng.integers(2, 7, size=n)]
    if estimator is RNNClassifier:
        return X, np.where(["to" in x for x in X], "there", "back")
    if estimator is RNNRegressor:
        return X, np.array([float(x.count("fly")) for x in X])
    return X, [["city" if token.istitle() else "other" for token in x] for x in X]


PLAIN = {"char_encoder": None, "casing_features": False, "embedding_dropout": 0.0, "word_dropout": 0.0}


def fit_text(estimator, data=None, **parameters):
    """A fit that sees tokens as they are, and all of them."""
    return fit(estimator, data or text_problem(estimator), **{"embedding_dim": 5, **PLAIN, **parameters})


def token_vectors(model):
    """The vector of each token."""
    weight = model.module_.inputs.token_embedding.weight.detach().numpy()
    return {token: weight[row] for token, row in model.vocabulary_.items()}


def says(model, *tokens):
    """All numbers that the model says of one sequence of these tokens."""
    return outputs(model, [list(tokens)])


def without(X, kept):
    """X with all tokens that are not `kept` made unknown."""
    return [[token if token in kept else UNKNOWN for token in x] for x in X]


@shows("ngrams", of=POOLED)
def test_ngrams_weigh_on_the_outputs_by_themselves(estimator):
    rows = [len(fit_text(estimator, ngrams=ngrams).module_.ngrams.weight) for ngrams in (1, 2)]
    assert rows == [1 + len(WORDS), 1 + len(WORDS) + HASHED_ROWS]
    model = fit_text(estimator, ngrams=0)
    assert model.module_.ngrams is None


@shows("min_df")
@pytest.mark.parametrize("min_df", [8, 12, 0.45])
def test_tokens_in_fewer_sequences_than_min_df_are_unknown(estimator, min_df):
    X, y = text_problem(estimator)
    in_sequences = Counter(token for x in X for token in set(x))
    fewest = min_df if isinstance(min_df, int) else min_df * len(X)
    kept = {token for token, count in in_sequences.items() if count >= fewest}
    assert 0 < len(kept) < len(in_sequences)
    model, by_hand = fit_text(estimator, (X, y), min_df=min_df), fit_text(estimator, (without(X, kept), y))
    assert set(model.vocabulary_) == kept
    np.testing.assert_array_equal(weights(model), weights(by_hand))
    np.testing.assert_array_equal(outputs(model, X), outputs(by_hand, without(X, kept)))
    assert set(fit_text(estimator, (X, y)).vocabulary_) == set(in_sequences)


@shows("max_features")
def test_max_features_keeps_the_most_frequent_tokens(estimator):
    X, y = text_problem(estimator)
    counts = Counter(token for x in X for token in x)
    kept = set(sorted(counts, key=lambda token: (-counts[token], token))[:3])
    model, by_hand = fit_text(estimator, (X, y), max_features=3), fit_text(estimator, (without(X, kept), y))
    assert set(model.vocabulary_) == kept
    assert model.module_.inputs.token_embedding.weight.shape == (4, 5)
    np.testing.assert_array_equal(weights(model), weights(by_hand))
    assert set(fit_text(estimator, (X, y), max_features=99).vocabulary_) == set(counts)


@shows("char_encoder")
@pytest.mark.parametrize("kind", ["cnn", "lstm"])
def test_char_encoder_reads_tokens_that_are_unknown(estimator, kind):
    plain, model = fit_text(estimator), fit_text(estimator, char_encoder=kind)
    np.testing.assert_array_equal(says(plain, "to", "Bergen"), says(plain, "to", "2025"))
    assert not np.allclose(says(model, "to", "Bergen"), says(model, "to", "2025"))
    np.testing.assert_array_equal(says(model, "to", "####"), says(model, "to", "%%%%"))  # of unknown characters
    assert plain.module_.inputs.character_encoder is None
    assert len(recurrences(model)) == len(recurrences(plain)) + (2 if kind == "lstm" else 0)
    assert model.module_.inputs.output_size == 5 + 50


@shows("char_embedding_dim", "char_hidden_size")
@pytest.mark.parametrize("kind", ["cnn", "lstm"])
def test_sizes_of_the_char_encoder(estimator, kind):
    model = fit_text(estimator, char_encoder=kind, char_embedding_dim=3, char_hidden_size=8)
    encoder, characters = model.module_.inputs.character_encoder, set("".join(WORDS))
    assert encoder.embedding.weight.shape == (len(characters) + 2, 3)  # two for padding and unknown characters
    assert model.module_.inputs.output_size == 5 + 8


@shows("casing_features")
def test_casing_features_fold_the_case_of_tokens_into_an_input(estimator):
    X, y = text_problem(estimator)
    model, plain = fit_text(estimator, (X, y), casing_features=True), fit_text(estimator, (X, y))
    assert set(model.vocabulary_) == {word.lower() for word in WORDS}
    assert set(plain.vocabulary_) == set(WORDS)
    assert len(model.module_.inputs.embeddings) == len(plain.module_.inputs.embeddings) + 1
    kinds = [says(model, "to", token) for token in ("rome", "ROME", "Rome", "rOME")]
    assert all(not np.allclose(one, other) for i, one in enumerate(kinds) for other in kinds[:i])
    np.testing.assert_array_equal(says(plain, "to", "ROME"), says(plain, "to", "rome"))  # both unknown
    assert not np.allclose(says(model, "to", "BERGEN"), says(model, "to", "Bergen"))


@shows("embedding_dropout", "word_dropout", "weight_dropout")
@pytest.mark.parametrize("name", ["embedding_dropout", "word_dropout", "weight_dropout"])
def test_dropout_changes_training_and_not_prediction(estimator, name):
    X, y = text_problem(estimator)
    model, plain = (fit_text(estimator, (X, y), dropout=0.0, **{name: p}) for p in (0.5, 0.0))
    assert differs(model, plain)
    assert differs(model, fit_text(estimator, (X, y), dropout=0.0, **{name: 0.1}))
    np.testing.assert_array_equal(outputs(model, X), outputs(model, X))


@shows("word_dropout")
def test_word_dropout_trains_the_vector_of_unknown_tokens(estimator):
    for share, trained in ((0.0, False), (0.3, True)):
        unknown = fit_text(estimator, word_dropout=share).module_.inputs.token_embedding.weight[0]
        assert bool((unknown != 0).any()) == trained


@shows("weight_dropout")
@pytest.mark.parametrize("cell_type", ["rnn", "lstm", "gru"])
def test_weight_dropout_of_each_cell_on_numbers(estimator, cell_type):
    options = {"cell_type": cell_type, "dropout": 0.0}
    assert differs(fit(estimator, **options, weight_dropout=0.5), fit(estimator, **options))


@shows("tied_dropout")
@pytest.mark.parametrize("what", [{"embedding_dropout": 0.5, "dropout": 0.0}, {"dropout": 0.5, "hidden_size": [4, 4]}])
def test_tied_dropout_draws_other_masks(estimator, what):
    assert differs(fit_text(estimator, **what, tied_dropout=True), fit_text(estimator, **what))
    still = {"dropout": 0.0}
    tied, free = fit_text(estimator, **still, tied_dropout=True), fit_text(estimator, **still)
    np.testing.assert_array_equal(weights(tied), weights(free))


VECTORS = {word: np.random.default_rng(i).normal(3, 2, size=4) for i, word in enumerate(WORDS[:6])}
FROZEN = {"learning_rate": 1e-12, "max_epochs": 1}


@shows("pretrained_embeddings")
def test_pretrained_embeddings_are_the_first_vectors(estimator):
    model = fit_text(estimator, embedding_dim=None, pretrained_embeddings=VECTORS, **FROZEN)
    learned = token_vectors(model)
    for word, vector in VECTORS.items():
        np.testing.assert_allclose(learned[word], vector, rtol=1e-6)
    assert model.embedding_coverage_ == len(VECTORS) / len(WORDS)
    others = np.concatenate([vector for word, vector in learned.items() if word not in VECTORS])
    spread = np.std(list(VECTORS.values()))
    assert 0.4 * spread < others.std() < 2.5 * spread
    assert (model.module_.inputs.token_embedding.weight[0] == 0).all()
    assert not hasattr(fit_text(estimator), "embedding_coverage_")


@shows("pretrained_embeddings")
def test_pretrained_embeddings_in_a_file_are_those_in_memory(estimator, tmp_path):
    path = tmp_path / "vectors.txt"
    lines = [f"{word} {' '.join(map(str, vector.tolist()))}" for word, vector in VECTORS.items()]
    path.write_text("\n".join([*lines, "aliens 1 2 3 4"]))
    sources = [VECTORS, path, str(path), (list(VECTORS), np.array(list(VECTORS.values())))]
    models = [fit_text(estimator, embedding_dim=4, pretrained_embeddings=source) for source in sources]
    for model in models[1:]:
        np.testing.assert_allclose(weights(model), weights(models[0]), atol=1e-6)
    assert "aliens" not in models[1].vocabulary_


@shows("pretrained_embeddings")
def test_pretrained_embeddings_are_read_when_a_fit_starts_anew(estimator):
    X, y = text_problem(estimator)
    model = small(estimator, pretrained_embeddings=VECTORS, warm_start=True, learning_rate=0.05).fit(X, y)
    first = token_vectors(model)["fly"]
    assert not np.allclose(first, VECTORS["fly"])
    again = model.set_params(**FROZEN).fit(X, y)
    np.testing.assert_allclose(token_vectors(again)["fly"], first, atol=1e-6)
    anew = model.set_params(warm_start=False).fit(X, y)
    np.testing.assert_allclose(token_vectors(anew)["fly"], VECTORS["fly"], rtol=1e-6)
    assert not hasattr(model.set_params(pretrained_embeddings=None).fit(X, y), "embedding_coverage_")


@shows("pretrained_embeddings")
def test_pretrained_embeddings_that_cover_nothing_are_pointed_out(estimator):
    with pytest.warns(EmbeddingCoverageWarning, match="a vector for none of the 9 tokens"):
        model = fit_text(estimator, embedding_dim=None, pretrained_embeddings={"aliens": [1.0, 2.0]})
    assert model.embedding_coverage_ == 0
    assert model.module_.token_dim == 2


@shows("freeze_embeddings")
@pytest.mark.parametrize("source", [VECTORS, None])
def test_freeze_embeddings_keeps_the_vectors_of_tokens(estimator, source):
    X, y = text_problem(estimator)
    options = {"pretrained_embeddings": source, "warm_start": True, "learning_rate": 0.05, "embedding_dim": None}
    frozen, free = (fit_text(estimator, (X, y), **options, freeze_embeddings=f) for f in (True, False))
    first = fit_text(estimator, (X, y), **{**options, **FROZEN})
    for word in WORDS:
        np.testing.assert_allclose(token_vectors(frozen)[word], token_vectors(first)[word], atol=1e-6)
        assert not np.allclose(token_vectors(free)[word], token_vectors(first)[word], atol=1e-6)
    assert not torch.allclose(frozen.module_.head.linear.weight, first.module_.head.linear.weight, atol=1e-3)
    let_in = frozen.set_params(freeze_embeddings=False).fit(X, y)
    assert not np.allclose(token_vectors(let_in)["fly"], token_vectors(first)["fly"], atol=1e-6)


def changed(model, first):
    """The parts of the network that are not what they were at `first`: inputs, layers by their number, and head."""
    found = set()
    for (name, one), (_, other) in zip(model.module_.named_parameters(), first.module_.named_parameters(), strict=True):
        if not torch.allclose(one, other, atol=1e-6):
            parts = name.split(".")
            found.add(f"layer {parts[2]}" if parts[0] == "backbone" else parts[0])
    return found


DEEP = {"hidden_size": [4, 3], "residual": True, "layer_norm": True, "char_encoder": "cnn", "learning_rate": 0.05}
ALL = {"inputs", "layer 0", "layer 1", "head"}


@shows("freeze", "unfreeze_every")
@pytest.mark.parametrize(
    ("parameters", "epochs", "trained"),
    [
        ({}, 1, ALL),
        ({"freeze": "inputs"}, 3, ALL - {"inputs"}),
        ({"freeze": "backbone"}, 3, {"head"}),
        ({"freeze": "backbone", "unfreeze_every": 2}, 2, {"head"}),
        ({"freeze": "backbone", "unfreeze_every": 2}, 3, {"head", "layer 1"}),
        ({"freeze": "backbone", "unfreeze_every": 2}, 5, {"head", "layer 1", "layer 0"}),
        ({"freeze": "backbone", "unfreeze_every": 2}, 7, ALL),
        ({"freeze": "inputs", "unfreeze_every": 1}, 1, ALL - {"inputs"}),
        ({"freeze": "inputs", "unfreeze_every": 1}, 2, ALL),
    ],
    ids=lambda value: str(sorted(value)) if isinstance(value, set) else str(value),
)
def test_freeze_keeps_parts_as_they_were_and_unfreeze_every_lets_them_in(estimator, parameters, epochs, trained):
    options = {**DEEP, "lr_schedule": None}
    first = fit_text(estimator, **{**options, **FROZEN})
    model = fit_text(estimator, **options, **parameters, max_epochs=epochs)
    learned = changed(model, first)
    assert learned - {"chain", "ngrams"} == trained
    assert ("ngrams" in learned) == (model.module_.ngrams is not None)
    assert ("chain" in learned) == (model.module_.state_dict().get("chain.scores") is not None)


@shows("freeze")
def test_freeze_inputs_has_no_part_in_sequences_of_numbers(estimator):
    np.testing.assert_array_equal(weights(fit(estimator, freeze="inputs")), weights(fit(estimator)))


@shows("pretrained")
@pytest.mark.parametrize("source", ESTIMATORS)
def test_pretrained_hands_on_vocabulary_embeddings_and_backbone(estimator, source):
    """The vocabulary too has tokens that the second data do not."""
    first = fit_text(source, char_encoder="cnn", cell_type="lstm", hidden_size=[3, 5], max_epochs=3)
    X, y = text_problem(estimator, seed=1)
    known = [["Rome" if token == "Lima" else token for token in x] for x in X]
    frozen = {**FROZEN, "freeze": "backbone"}
    for pretrained in (first, FrozenEstimator(first)):
        model = small(estimator, pretrained=pretrained, **frozen).fit(known, y)
        assert model.vocabulary_ == first.vocabulary_
        own, given = model.module_.state_dict(), first.module_.state_dict()
        taken = {name for name in given if name.startswith(("inputs.", "backbone."))}
        assert taken == {name for name in own if name.startswith(("inputs.", "backbone."))}
        assert all(torch.equal(own[name], given[name]) for name in taken)
        for one, other in zip(model.transform_steps(X), first.transform_steps(X), strict=True):
            np.testing.assert_allclose(one, other)
    before = weights(first)
    trained = small(estimator, pretrained=first, learning_rate=0.05).fit(X, y)
    assert changed(trained, model) - {"chain", "ngrams"} == ALL, "without freeze they are only where training starts"
    np.testing.assert_array_equal(weights(first), before)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_characters_and_casing_want_strings(estimator):
    ids = [[0, 1, 2], [1, 1, 2], [2, 0, 1], [0, 0, 2]] * 3
    y = {RNNClassifier: list("abab") * 3, RNNRegressor: [0.0, 1.0, 2.0, 3.0] * 3}.get(estimator, ids)
    for X in (ids, problem(estimator)[0][:12]):
        dim = 3 if X is ids else None
        labels = y if X is ids or estimator in (RNNClassifier, RNNRegressor) else problem(estimator)[1][:12]
        for parameter in ({"char_encoder": "cnn"}, {"casing_features": True}):
            with pytest.raises(ValueError, match=rf"{next(iter(parameter))} needs tokens that are strings"):
                fit(estimator, (X, labels), embedding_dim=dim, **parameter)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_ids_have_a_vocabulary_that_can_be_shortened(estimator):
    ids = [[0, 1, 2], [1, 1, 2], [2, 0, 1], [0, 0, 2]] * 3
    y = {RNNClassifier: list("abab") * 3, RNNRegressor: [0.0, 1.0, 2.0, 3.0] * 3}.get(estimator, ids)
    assert fit(estimator, (ids, y), embedding_dim=3, max_features=2).vocabulary_ == {0: 1, 1: 2}
    assert fit(estimator, (ids, y), embedding_dim=3, min_df=0.9).vocabulary_ == {2: 1}


def test_all_embeddings_are_torchs():
    model = fit_text(RNNClassifier, char_encoder="lstm", casing_features=True)
    assert sum(isinstance(part, nn.Embedding) for part in model.module_.modules()) == 3


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("parameters", [{"min_df": 6}, {"min_df": 0.4}, {"max_features": 3}], ids=str)
def test_a_weight_is_a_repeat_to_the_vocabulary(estimator, parameters):
    X, y = text_problem(estimator)
    times = np.arange(len(X)) % 3 + 1
    rows = np.repeat(np.arange(len(X)), times)
    repeated = fit_text(estimator, ([X[i] for i in rows], [y[i] for i in rows]), **parameters)
    model = small(estimator, embedding_dim=5, **PLAIN, **parameters)
    assert model.fit(X, y, sample_weight=times).vocabulary_ == repeated.vocabulary_
    if estimator is RNNSequenceTagger:
        of_steps = [np.full(len(x), float(n)) for x, n in zip(X, times, strict=True)]
        assert model.fit(X, y, sample_weight=of_steps).vocabulary_ == repeated.vocabulary_
