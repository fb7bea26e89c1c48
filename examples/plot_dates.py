"""
Dates in many notations, into one
=================================

"le mardi 3 mars 1987", "March 3, 1987", "3/3/1987", "Di., 3. Mär. 87": one day, and one notation that machines sort,
"1987-03-03". What comes out is not as long as what goes in, and what comes first may go last:
:class:`~sklearn_rnn.RNNEncoderDecoder` reads the letters of one and writes those of the other.

The pairs are made here, in the notations of three languages.
"""

# %%
# The dates
# ---------
# Any day of sixty years, in a notation that is drawn. The names of months and days tell the languages apart, and in
# numbers alone the separators do: English ones put the month first.

import datetime
import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import train_test_split

from sklearn_rnn import RNNEncoderDecoder
from sklearn_rnn.inspection import AlignmentDisplay
from sklearn_rnn.metrics import symbol_error_rate

months = {
    "en": "January February March April May June July August September October November December",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
}
weekdays = {
    "en": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "fr": "lundi mardi mercredi jeudi vendredi samedi dimanche",
    "de": "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag",
}
notations = [
    ("en", "{month} {day}, {year}"),
    ("en", "{weekday}, {month} {day}, {year}"),
    ("en", "{day} {month} {year}"),
    ("en", "{month:.3} {day} '{short}"),
    ("en", "{month_number}/{day}/{year}"),
    ("fr", "{day} {month} {year}"),
    ("fr", "le {weekday} {day} {month} {year}"),
    ("fr", "{day:02} - {month_number:02} - {year}"),
    ("de", "{day}. {month} {year}"),
    ("de", "{weekday}, der {day}. {month} {year}"),
    ("de", "{weekday:.2}., {day}. {month:.3}. {short}"),
    ("de", "{day}.{month_number}.{year}"),
]


def written(date, language, notation):
    """A date as people write it."""
    return notation.format(
        weekday=weekdays[language].split()[date.weekday()],
        month=months[language].split()[date.month - 1],
        day=date.day,
        month_number=date.month,
        year=date.year,
        short=f"{date.year % 100:02}",
    )


rng = np.random.default_rng(0)
first = datetime.date(1960, 1, 1)
days = rng.choice(60 * 365, size=4000, replace=False)  # no day twice
dates = [first + datetime.timedelta(days=int(day)) for day in days]
kinds = rng.integers(len(notations), size=len(dates))
X = [written(date, *notations[kind]) for date, kind in zip(dates, kinds, strict=True)]
y = [date.isoformat() for date in dates]
X_train, X_test, y_train, y_test, _, kinds = train_test_split(X, y, kinds, test_size=1000, random_state=0)
for source, target in list(zip(X_train, y_train, strict=True))[:6]:
    print(f"{source:>32}  {target}")

# %%
# Learning to rewrite them
# ------------------------
# Letters are the steps of both sides. Days that are held out were in no notation in training.
started = time.perf_counter()
model = RNNEncoderDecoder(hidden_size=64, embedding_dim=32, max_epochs=20, learning_rate=0.006, random_state=0)
model.fit(X_train, y_train)
print(f"{model.n_iter_} epochs in {time.perf_counter() - started:.0f} seconds")

# %%
# Days that it has not seen
# -------------------------
# The share of dates that are right to the last letter, and the edits for each letter. It has to know that "87" is 1987,
# and "15" is 2015: sixty years are short enough for this.
predicted = model.predict(X_test)
right = predicted == np.array(y_test, dtype=object)
print(f"right: {right.mean():.1%}, edits for each letter: {symbol_error_rate(y_test, predicted):.4f}")
for kind, (language, notation) in enumerate(notations):
    print(f"{language} {notation:>42}  {right[kinds == kind].mean():.1%}")
for i in [*range(5), *np.flatnonzero(~right)[:5]]:
    print(f"{X_test[i]:>32}  {predicted[i]}  {'' if right[i] else 'and not ' + y_test[i]}")

# %%
# How sure it is
# --------------
# Candidates with their probabilities, of a notation that it knows and of one that was not in training. It is less sure
# there, as it should be: nothing has told it which of the two is the month, nor what such numbers are at all.
for source in ("Sa., 15. Aug. 15", "3-4-2001"):
    print(source)
    for target, log_probability in model.predict_nbest([source], 3)[0]:
        print(f"    {target}  {np.exp(log_probability):.3f}")

# %%
# What it looks at
# ----------------
# Each letter of the target, from the top to the bottom, and what the decoder looked at when it wrote it. The year
# comes first and stands last in the source. For the month it looks at letters that tell its name from others.
AlignmentDisplay.from_estimator(model, "le mardi 3 mars 1987", title="What each letter of a date looks at")
plt.show()
