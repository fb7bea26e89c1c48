"""The heat map of transition scores shows what the tagger learned, at any number of labels."""

import io
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
from sklearn.preprocessing import StandardScaler

from sklearn_rnn import PerStep, RNNClassifier, RNNSequenceTagger
from sklearn_rnn.data.formats import object_array
from sklearn_rnn.inspection import TransitionsDisplay

X = ragged(12)
TAGS = [["B-x", *["I-x"] * (len(x) - 2), "O"] for x in X]


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def tagger():
    return small(RNNSequenceTagger).fit(X, TAGS)


def table(n_labels, *, forbidden=0.3):
    """Scores at random for labels of long names."""
    rng = np.random.default_rng(n_labels)
    scores = rng.normal(size=(n_labels + 1, n_labels + 1))
    scores[rng.random(scores.shape) < forbidden] = -np.inf
    labels = [f"I-round_trip_{k}" for k in range(n_labels)]
    return pd.DataFrame(scores, index=[*labels, "<start>"], columns=[*labels, "<end>"])


def test_the_cells_are_the_scores(tagger):
    display = TransitionsDisplay.from_estimator(tagger)
    assert display.transitions.equals(tagger.transitions_)
    drawn, scores = display.im_.get_array(), tagger.transitions_.to_numpy()
    np.testing.assert_array_equal(drawn.mask, np.isinf(scores))
    np.testing.assert_array_equal(drawn.data[~drawn.mask], scores[np.isfinite(scores)])
    assert display.im_.norm.vmin == -display.im_.norm.vmax == -np.abs(scores[np.isfinite(scores)]).max()
    axes = display.ax_
    assert [label.get_text() for label in axes.get_xticklabels()] == ["B-x", "I-x", "O", "<end>"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["B-x", "I-x", "O", "<start>"]
    for (i, j), score in np.ndenumerate(scores):
        text = display.text_[i, j]
        if np.isinf(score):
            assert text is None
        else:
            assert (text.get_text(), text.get_position()) == (f"{score:.1f}", (j, i))


def test_what_is_forbidden_is_hatched(tagger):
    display = TransitionsDisplay.from_estimator(tagger)
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["forbidden"]
    display.figure_.savefig(image := io.BytesIO(), format="raw", dpi=100)
    width, height = display.figure_.canvas.get_width_height()
    pixels = np.frombuffer(image.getvalue(), np.uint8).reshape(height, width, 4)
    for row, column, hatched in [(2, 1, True), (3, 1, True), (0, 1, False), (2, 2, False)]:
        corner, opposite = display.ax_.transData.transform([(column - 0.4, row - 0.4), (column + 0.4, row - 0.2)])
        cell = pixels[height - int(corner[1]) : height - int(opposite[1]), int(corner[0]) : int(opposite[0])]
        colors = {tuple(color) for color in cell.reshape(-1, 4)[:, :3].tolist()}
        grey = all(max(color) == min(color) for color in colors)
        assert (grey and len(colors) > 1) is hatched


def test_without_a_chain_all_is_zero_and_allowed():
    plain = small(RNNSequenceTagger, decoder="softmax", tag_scheme=None).fit(X, TAGS)
    scores = plain.transitions_.to_numpy().copy()
    scores[-1, -1] = 0  # an empty sequence has no score
    display = TransitionsDisplay(transitions=pd.DataFrame(scores)).plot()
    assert display.ax_.get_legend() is None
    assert (display.im_.norm.vmin, display.im_.norm.vmax) == (-1, 1)
    assert not display.im_.get_array().any()


@pytest.mark.parametrize("n_labels", [1, 3, 15, 16, 60, 130, 300])
def test_labels_do_not_overlap(n_labels):
    display = TransitionsDisplay(transitions=table(n_labels)).plot()
    assert (display.text_ is not None) is (n_labels <= 15)
    figure = display.figure_
    figure.canvas.draw()
    assert max(figure.get_size_inches()) < 16
    for axis, low, high in ((display.ax_.xaxis, "x0", "x1"), (display.ax_.yaxis, "y0", "y1")):
        boxes = [label.get_window_extent() for label in axis.get_ticklabels()]
        starts = sorted((getattr(box, low), getattr(box, high)) for box in boxes)
        assert all(after[0] >= before[1] - 1 for before, after in pairwise(starts))
        assert all(box.x0 >= 0 and box.y0 >= 0 for box in boxes)
        assert len(boxes) >= min(n_labels + 1, 60)
        assert axis.get_ticklabels()[-1].get_text() in ("<start>", "<end>")
    for axis, names in (
        (display.ax_.xaxis, display.transitions.columns),
        (display.ax_.yaxis, display.transitions.index),
    ):
        at = axis.get_ticklocs().astype(int)
        assert [label.get_text() for label in axis.get_ticklabels()] == names[at].tolist()


def test_ink_on_dark_and_on_light_cells():
    scores = pd.DataFrame([[3.0, 0.1], [-3.0, 0.0]])
    display = TransitionsDisplay(transitions=scores).plot()
    colors = [text.get_color() for text in display.text_.ravel()]
    assert colors == ["#ffffff", "#000000", "#ffffff", "#000000"]


def test_axes_style_and_second_drawing(tagger):
    _, ax = plt.subplots()
    display = TransitionsDisplay.from_estimator(
        tagger, ax=ax, cmap="PuOr", values_format=".3f", colorbar=False, im_kw={"vmax": 9, "vmin": -9}
    )
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert display.figure_.axes == [ax]
    assert display.im_.get_cmap().name == "PuOr"
    assert display.im_.norm.vmax == 9
    assert display.text_[0, 0].get_text() == f"{tagger.transitions_.iloc[0, 0]:.3f}"
    again = display.plot(values=False)
    assert again is display
    assert display.ax_ is not ax
    assert display.text_ is None
    assert len(display.figure_.axes) == 2


def test_pipeline_and_search():
    pipeline = make_pipeline(PerStep(StandardScaler()), small(RNNSequenceTagger))
    search = GridSearchCV(pipeline, {"rnnsequencetagger__hidden_size": [4]}, cv=2).fit(X, object_array(TAGS))
    wanted = search.best_estimator_[-1].transitions_
    for estimator in (search, search.best_estimator_):
        assert TransitionsDisplay.from_estimator(estimator).transitions.equals(wanted)


def test_errors():
    with pytest.raises(NotFittedError):
        TransitionsDisplay.from_estimator(RNNSequenceTagger())
    classifier = small(RNNClassifier).fit(X, [0, 1] * 6)
    with pytest.raises(ValueError, match=r"estimator=RNNClassifier\(.* has no transitions_: wanted an RNN"):
        TransitionsDisplay.from_estimator(classifier)
