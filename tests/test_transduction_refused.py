"""What an encoder-decoder refuses or warns of, each with its own message."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from sklearn_rnn import RNNEncoderDecoder
from sklearn_rnn.exceptions import SequenceDataError, SequenceDataWarning

X = ["ab", "bad", "c", "dcb"] * 3
Y = ["ab", "", "c", "db"] * 3
VECTORS = np.random.default_rng(0).random((12, 3))
NUMBERS = [np.random.default_rng(n).random((n % 3 + 1, 2)) for n in range(12)]


def small(**parameters):
    defaults = {"hidden_size": 4, "embedding_dim": 3, "max_epochs": 1, "dropout": 0, "random_state": 0}
    return RNNEncoderDecoder(**{**defaults, **parameters})


@pytest.fixture(scope="module")
def model():
    return small(max_epochs=3).fit(X, Y)


@pytest.mark.parametrize(
    ("sources", "targets", "message"),
    [
        (X, Y[:-1], "X has 12 sequences, y has 11"),
        (X, None, "requires y to be passed"),
        (X, "text", "y must be array-like with one target for each sequence, got 'text'"),
        ([*X[:-1], ""], Y, r"X\[11\] is an empty sequence .* nothing to predict from"),
        (X, [""] * 12, "y is empty: all 12 sequences have length 0"),
        (X, [*Y[:-1], ["a"]], r"y\[11\] is list \['a'\] where a document \(str\) is due"),
        (X, [*Y[:-1], 3], r"y\[11\] is int 3 where a document \(str\) is due"),
        (X, [["a"]] * 11 + [[3.0]], r"y\[11\]\[0\] is float 3.0 where other steps are strings"),
        (X, [["a"]] * 11 + ["b"], r"y\[11\] is the raw document 'b' where a sequence of tokens is due"),
        (X, np.arange(12), "y is one row of 12"),
        (X, {"one": Y, "two": Y}, "y must be array-like with one target for each sequence"),
        (
            VECTORS,
            Y,
            r"attention='general' looks at the steps .* \(12, 3\) .* nothing to attend to: set attention=None",
        ),
        ([VECTORS[0], *NUMBERS[1:]], Y, r"differ in their dimensions: X\[0\] has shape \(3,\)"),
    ],
)
def test_what_cannot_be_fitted(sources, targets, message):
    with pytest.raises((ValueError, SequenceDataError), match=message):
        small().fit(sources, targets)


@pytest.mark.parametrize(
    ("parameters", "sources", "targets", "message"),
    [
        ({"num_beams": 0}, X, Y, "'num_beams' parameter .* Got 0"),
        ({"max_new_tokens": 0}, X, Y, "'max_new_tokens' parameter .* Got 0"),
        ({"attend": "between", "decoder_num_layers": 1}, X, Y, "attend='between' .* decoder_num_layers=1: give it 2"),
        ({"attention": "dot", "decoder_hidden_size": 3}, X, Y, "of 3 units, with those of the encoder, of 8"),
        ({"num_beams": 2}, X, NUMBERS, "num_beams=2 is about symbols, and y holds numbers: set it to 1"),
        ({"scheduled_sampling": 0.5}, X, NUMBERS, "scheduled_sampling=0.5 is about symbols"),
        ({"tie_weights": True}, X, NUMBERS, "tie_weights=True is about symbols"),
        ({"share_embeddings": True}, X, NUMBERS, "share_embeddings=True is about symbols"),
        ({"replace_unknown": True}, X, NUMBERS, "replace_unknown=True is about symbols"),
        ({"share_embeddings": True}, NUMBERS, Y, "share_embeddings=True needs tokens in X"),
        ({"replace_unknown": True}, NUMBERS, Y, "replace_unknown=True needs tokens in X"),
        ({"replace_unknown": True, "attention": None}, X, Y, "replace_unknown=True asks what is attended to"),
        ({"share_embeddings": True, "casing_features": True}, [["a"]] * 12, Y, "not go with casing_features=True"),
        ({"target_tokenizer": None}, X, Y, "y holds documents .* target_tokenizer=None splits none"),
        ({"tokenizer": None}, X, Y, "X holds documents .* and tokenizer=None"),
    ],
)
def test_parameters_that_do_not_fit_the_data(parameters, sources, targets, message):
    with pytest.raises(ValueError, match=message):
        small(**parameters).fit(sources, targets)


def test_predictions_that_are_cut_off_are_counted(model):
    short = small(max_new_tokens=1).fit(X, ["aaaaaaaa", "aaaaaaaaa"] * 6)
    with pytest.warns(SequenceDataWarning, match="3 of 3 predictions were cut off .* set max_new_tokens to more"):
        found = short.predict(X[:3])
    assert {len(target) for target in found} == {1}
    numbers = small(max_new_tokens=1).fit(X, [np.full((9, 1), 1.5), np.full((9, 1), 2.5)] * 6)
    with pytest.warns(SequenceDataWarning, match="2 of 2 predictions were cut off"):
        assert [len(steps) for steps in numbers.predict(X[:2])] == [1, 1]


def test_an_end_at_the_last_step_is_no_cut(rng):
    ended = small(max_new_tokens=2, max_epochs=30, learning_rate=0.05).fit(["a", "b"] * 20, ["x", "x"] * 20)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ended.predict(["a"]).tolist() == ["x"]


def test_symbols_that_training_did_not_have_are_impossible(model):
    with pytest.warns(SequenceDataWarning, match=r"2 symbols of y in 1 targets were not there in fit: .* is -inf"):
        found = model.predict_log_proba_of(X[:2], ["azz", "b"])
    assert found[0] == -np.inf
    assert np.isfinite(found[1])
    known = small(min_df=2).fit(X, [*Y[:-1], "q"])
    assert known.target_classes_[0] == "<unk>"
    assert np.isfinite(known.predict_log_proba_of(X[:1], ["zz"])).all()


def test_an_empty_target_is_one_like_others(model):
    assert np.isfinite(model.score_samples(["ab"], [""])).all()
    assert model.attention_weights(["ab"], [""])[0].shape == (1, 2)


def test_questions_that_make_no_sense(model):
    for call, message in (
        (lambda: model.predict_nbest(X, 0), "n=0 must be an int of at least 1"),
        (lambda: model.sample(X, 1.5), "n_samples=1.5 must be an int of at least 1"),
        (lambda: model.sample(X, temperature=-1), "temperature is -1"),
        (lambda: model.predict(["ab", ""]), r"X\[1\] is an empty sequence"),
        (lambda: model.score(X, Y[:-1]), "X has 12 sequences, y has 11"),
        (lambda: model.predict_log_proba_of(X, Y[:-1]), "X has 12 sequences, y has 11"),
        (lambda: model.attention_weights(X, Y[:-1]), "X has 12 sequences, y has 11"),
    ):
        with pytest.raises((ValueError, SequenceDataError), match=message):
            call()
    with pytest.raises(NotFittedError):
        small().predict(X)
    with pytest.raises(NotFittedError):
        small(attention=None).attention_weights(X)


def test_what_has_no_answer_for_numbers_and_vectors():
    numbers = small().fit(X, NUMBERS)
    with pytest.raises(ValueError, match="predict_nbest searches among symbols, and targets are numbers"):
        numbers.predict_nbest(X, 2)
    with pytest.raises(ValueError, match="top_k and top_p are about symbols"):
        numbers.sample(X, top_k=2)
    vectors = small(attention=None).fit(VECTORS, Y)
    with pytest.raises(ValueError, match="attention=None looks at nothing"):
        vectors.attention_weights(VECTORS, Y)
    with pytest.raises(SequenceDataError, match="X holds sequences, and the model was fitted to vectors"):
        vectors.predict(VECTORS[:, None])
    with pytest.raises(SequenceDataError, match="X holds vectors, and the model was fitted to sequences"):
        small(attention=None).fit(VECTORS[:, None], Y).predict(VECTORS)
