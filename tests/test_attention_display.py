"""Attention weights over the words that they belong to."""

from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("Agg")

import matplotlib.pyplot as plt
from samples import ragged, small
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_rnn import RNNClassifier, RNNRegressor, SequenceTokenizer
from sklearn_rnn.inspection import AttentionDisplay

WORDS = [["so", "good"], ["not", "a", "good", "film"], ["bad"], ["a", "bad", "film"]] * 3
LABELS = ["up", "down", "down", "down"] * 3
ATTENTION = {"pooling": "attention"}


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def classifier():
    return small(RNNClassifier, **ATTENTION).fit(WORDS, LABELS)


def written(display):
    return [text.get_text() for text in display.texts_]


def weights_of(n, seed=0):
    weights = np.random.default_rng(seed).random(n)
    return weights / weights.sum()


@pytest.mark.parametrize("index", [0, 1, 2, -1])
def test_tokens_and_weights_of_one_sequence(classifier, index):
    display = AttentionDisplay.from_estimator(classifier, WORDS, index)
    assert written(display) == WORDS[index]
    np.testing.assert_allclose(display.weights, classifier.attention_weights(WORDS)[index])
    assert display.bars_ is None


def test_colors_are_those_of_the_scale():
    weights = [0.1, 0.2, 0.5, 0.0]
    display = AttentionDisplay(weights=weights, tokens=list("abcd")).plot(cmap="Greens")
    found = [text.get_bbox_patch().get_facecolor() for text in display.texts_]
    np.testing.assert_allclose(found, mpl.colormaps["Greens"](np.array(weights) / 0.5))
    assert [text.get_color() for text in display.texts_] == ["#000000", "#000000", "#ffffff", "#000000"]
    display.plot(cmap="Greens", vmax=1.0)
    found = [text.get_bbox_patch().get_facecolor() for text in display.texts_]
    np.testing.assert_allclose(found, mpl.colormaps["Greens"](weights))


def lines_of(display):
    """The boxes of the tokens, line by line in the order of the tokens."""
    display.figure_.canvas.draw()
    boxes = [text.get_bbox_patch().get_window_extent() for text in display.texts_]
    lines = [[boxes[0]]]
    for before, box in pairwise(boxes):
        if box.x0 > before.x0:
            lines[-1].append(box)
        else:
            lines.append([box])
    return lines


@pytest.mark.parametrize("n_tokens", [1, 12, 90, 400])
@pytest.mark.parametrize("given", [False, True])
def test_lines_are_read_from_left_to_right_and_from_top_to_bottom(n_tokens, given):
    rng = np.random.default_rng(n_tokens)
    tokens = ["".join(rng.choice(list("abgilmw$_"), size=size)) for size in rng.integers(1, 11, size=n_tokens)]
    ax = plt.subplots(figsize=(7, 6))[1] if given else None
    display = AttentionDisplay(weights=weights_of(n_tokens), tokens=tokens).plot(ax, title="A film")
    assert written(display) == tokens
    lines = lines_of(display)
    frame = display.ax_.get_window_extent()
    for line in lines:
        assert len({round(box.y0) for box in line}) <= 2
        assert all(after.x0 >= before.x1 - 1.5 for before, after in pairwise(line))
        assert frame.x0 - 1 <= line[0].x0
        assert line[-1].x1 <= frame.x1 + 1
    for above, below in pairwise(lines):
        assert max(box.y1 for box in below) <= min(box.y0 for box in above) + 1.5
        assert line_width(above) + line_width(below[:1]) > 0.93 * frame.width  # no line is left early
    assert lines[0][0].y1 <= frame.y1 + 1
    scale = display.ax_.child_axes[0].get_window_extent()
    assert scale.y1 <= lines[-1][0].y0
    assert display.ax_.title.get_window_extent().y0 >= lines[0][0].y1


def line_width(boxes):
    return boxes[-1].x1 - boxes[0].x0


def test_a_new_figure_is_as_high_as_its_lines():
    heights = []
    for n_tokens in (5, 60, 120):
        display = AttentionDisplay(weights=weights_of(n_tokens), tokens=["word"] * n_tokens).plot(colorbar=False)
        assert {text.get_fontsize() for text in display.texts_} == {10}
        assert not display.ax_.child_axes
        heights.append(display.figure_.get_size_inches()[1] / len(lines_of(display)))
    assert max(heights) < 1.3 * min(heights)


def test_small_axes_get_small_letters():
    _, ax = plt.subplots(figsize=(3, 2))
    display = AttentionDisplay(weights=weights_of(60), tokens=["word"] * 60).plot(ax)
    assert {text.get_fontsize() for text in display.texts_} < set(np.arange(4, 10, 0.5).tolist())
    assert display.ax_ is ax


def test_white_space_and_dollars_are_written():
    display = AttentionDisplay(weights=[0.25] * 4, tokens=["$", "\n", " ", "$x$"]).plot()
    assert written(display) == ["$", "\\n", " ", "$x$"]
    assert not any(text.get_parse_math() for text in display.texts_)
    assert sum(len(line) for line in lines_of(display)) == 4


def test_documents_through_a_pipeline_and_a_search():
    documents = ["SO  good!", "Not a good film", "bad", "a BAD film"] * 3
    pipeline = make_pipeline(SequenceTokenizer(min_df=2), small(RNNClassifier, **ATTENTION))
    search = GridSearchCV(pipeline, {"rnnclassifier__hidden_size": [4]}, cv=2).fit(documents, LABELS)
    wanted = [["so", "good", "!"], ["Never", "a", "BAD", "film"]]
    X = pd.Series(["so good!", "Never a BAD film"])
    for estimator in (search, search.best_estimator_):
        for index in (0, 1):
            display = AttentionDisplay.from_estimator(estimator, X, index)
            assert written(display) == wanted[index]
            tokens = search.best_estimator_[:-1].transform(X)
            np.testing.assert_allclose(
                display.weights, search.best_estimator_[-1].attention_weights(tokens)[index], atol=1e-12
            )


def test_only_steps_that_are_pooled_are_drawn():
    for cut, wanted in (("tail", ["not", "a"]), ("head", ["good", "film"])):
        estimator = small(RNNClassifier, **ATTENTION, max_length=2, truncate=cut).fit(WORDS, LABELS)
        assert written(AttentionDisplay.from_estimator(estimator, WORDS, 1)) == wanted


def test_several_inputs_and_ids():
    X = {"length": [[float(len(word)) for word in words] for words in WORDS], "word": WORDS}
    estimator = small(RNNClassifier, **ATTENTION).fit(X, LABELS)
    assert written(AttentionDisplay.from_estimator(estimator, X, 3)) == ["a", "bad", "film"]
    ids = [[len(word) for word in words] for words in WORDS]
    estimator = small(RNNClassifier, **ATTENTION, embedding_dim=3).fit(ids, LABELS)
    assert written(AttentionDisplay.from_estimator(estimator, ids, 3)) == ["1", "3", "4"]


def test_numbers_are_drawn_as_bars():
    X = ragged(12)
    estimator = small(RNNRegressor, **ATTENTION).fit(X, np.arange(12.0))
    _, ax = plt.subplots()
    display = AttentionDisplay.from_estimator(estimator, X, 5, ax=ax, title="Loads", vmax=0.9)
    assert [bar.get_height() for bar in display.bars_] == pytest.approx(estimator.attention_weights(X)[5].tolist())
    assert [bar.get_x() + bar.get_width() / 2 for bar in display.bars_] == pytest.approx(range(1, len(X[5]) + 1))
    assert display.texts_ == []
    assert ax.get_title() == "Loads"
    assert ax.get_ylim() == (0, 0.9)
    block = np.random.default_rng(0).normal(size=(6, 4, 3))
    assert len(AttentionDisplay.from_estimator(estimator, block, 2).bars_) == 4


def test_errors(classifier):
    for index in (12, -13):
        with pytest.raises(IndexError, match=f"index={index} is none of the 12 sequences of X"):
            AttentionDisplay.from_estimator(classifier, WORDS, index)
    other = small(RNNClassifier).fit(WORDS, LABELS)
    with pytest.raises(ValueError, match=r"has no attention_weights: they need a fit with pooling='attention'"):
        AttentionDisplay.from_estimator(other, WORDS)
    with pytest.raises(NotFittedError):
        AttentionDisplay.from_estimator(RNNClassifier(pooling="attention"), WORDS)
