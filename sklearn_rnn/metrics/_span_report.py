"""The scores of spans as a table to read."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from sklearn_rnn.metrics._span_counts import count_spans
from sklearn_rnn.metrics._span_scores import averaged, check_choices

_COLUMNS = ("precision", "recall", "f1-score", "support")


def span_classification_report(
    y_true: Any,
    y_pred: Any,
    *,
    scheme: str = "auto",
    mode: str = "strict",
    labels: ArrayLike | None = None,
    ignore_label: Any = None,
    sample_weight: ArrayLike | None = None,
    digits: int = 2,
    output_dict: bool = False,
    zero_division: float = 0.0,
) -> str | dict[str, dict[str, float]]:
    """Precision, recall and F1 of the spans of each label, and their averages.

    Parameters
    ----------
    y_true, y_pred : sequences of tags
    scheme, mode, labels, ignore_label, sample_weight, zero_division
        As in :func:`span_precision_recall_fscore`.
    digits : int, default=2
        Decimals in the text.
    output_dict : bool, default=False
        Whether to return the figures in a dict.

    Returns
    -------
    report : str or dict
        The text is laid out as that of :func:`sklearn.metrics.classification_report`, and spans without a label, whose
        tags are a prefix alone, are called ``_``. The dict holds for each label and average the keys "precision",
        "recall", "f1-score" and "support".

    Raises
    ------
    SequenceDataError
        If `y_true` and `y_pred` differ in their lengths, or if a tag does not belong to the scheme; the message says
        where.

    Examples
    --------
    >>> from sklearn_rnn.metrics import span_classification_report
    >>> y_true = [["B-city", "I-city", "O", "B-day"], ["O", "B-day"]]
    >>> y_pred = [["B-city", "I-city", "O", "O"], ["B-day", "B-day"]]
    >>> print(span_classification_report(y_true, y_pred))
                  precision    recall  f1-score   support
    <BLANKLINE>
            city       1.00      1.00      1.00         1
             day       0.50      0.50      0.50         2
    <BLANKLINE>
       micro avg       0.67      0.67      0.67         3
       macro avg       0.75      0.75      0.75         3
    weighted avg       0.67      0.67      0.67         3
    <BLANKLINE>
    """
    check_choices("micro", 1.0, zero_division)
    counts = count_spans(
        y_true,
        y_pred,
        scheme=scheme,
        mode=mode,
        labels=labels,
        ignore_label=ignore_label,
        sample_weight=sample_weight,
    )
    scores = averaged(counts, None, 1.0, zero_division)
    by_label = dict(zip(counts.labels, zip(*(part.tolist() for part in scores), strict=True), strict=True))
    averages = {
        f"{average} avg": averaged(counts, average, 1.0, zero_division) for average in ("micro", "macro", "weighted")
    }
    if output_dict:
        return {name: dict(zip(_COLUMNS, row, strict=True)) for name, row in (by_label | averages).items()}
    width = max([len("weighted avg"), digits, *map(len, counts.labels)])
    lines = [
        f"{'':>{width}s} " + "".join(f" {column:>9}" for column in _COLUMNS),
        "",
        *(_line(name or "_", row, width, digits) for name, row in by_label.items()),
        "",
        *(_line(name, row, width, digits) for name, row in averages.items()),
    ]
    return "\n".join(lines) + "\n"


def _line(name: str, row: tuple[Any, Any, Any, Any], width: int, digits: int) -> str:
    *scores, support = row
    return f"{name:>{width}s} " + "".join(f" {score:>9.{digits}f}" for score in scores) + f" {support:>9}"
