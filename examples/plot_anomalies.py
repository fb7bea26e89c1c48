"""
Sessions that are not like the others
=====================================

What is improbable under a model of what comes next is an anomaly: no labels are needed, only sequences that are
mostly as they should be. :meth:`~sklearn_rnn.RNNLanguageModel.score_samples` says how probable each sequence is, and
:meth:`~sklearn_rnn.RNNLanguageModel.score_steps` where it goes wrong.
"""

# %%
# Sessions of a shop
# ------------------
# A session is a list of events. Somebody logs in, looks at things, puts some into the basket, and pays for as many as
# are in there, or leaves. In a few sessions something is wrong: somebody pays too often or without a checkout, or
# there is no login, or a second one.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import RocCurveDisplay, roc_auc_score

from sklearn_rnn import RNNLanguageModel


def make_session(rng):
    """The events of a session that is as it should be."""
    events, basket = ["login"], 0
    for _ in range(rng.integers(2, 9)):
        events += ["search", "view"] if rng.random() < 0.6 else ["view"]
        if rng.random() < 0.5:
            events.append("add")
            basket += 1
        elif basket and rng.random() < 0.3:
            events.append("remove")
            basket -= 1
    if basket and rng.random() < 0.8:
        events += ["checkout", *["pay"] * basket, "receipt"]
    return [*events, "logout"]


def spoil(events, rng):
    """The events with one mistake, and where it is."""
    kind = rng.choice(["no login", "second login", "no checkout", "one payment too many"])
    if kind == "no login":
        return events[1:], 0
    if kind == "no checkout" and "checkout" in events:
        place = events.index("checkout")
        return events[:place] + events[place + 1 :], place
    if kind == "one payment too many" and "receipt" in events:
        place = events.index("receipt")
        return [*events[:place], "pay", *events[place:]], place
    place = int(rng.integers(1, len(events) - 1))
    return [*events[:place], "login", *events[place:]], place


rng = np.random.default_rng(0)
train = [make_session(rng) for _ in range(1500)]
test = [make_session(rng) for _ in range(400)]
spoilt = [spoil(make_session(rng), rng) for _ in range(60)]
X = test + [events for events, _ in spoilt]
wrong = np.repeat([False, True], [len(test), len(spoilt)])
for events in X[:2] + X[-2:]:
    print(" ".join(events))

# %%
# How probable they are
# ---------------------
# The log-likelihood of a sequence is a sum over its steps, so that long ones have lower values. Here the least
# probable step tells more than the sum: a session with one mistake may be long and otherwise ordinary.
model = RNNLanguageModel(hidden_size=32, max_epochs=15, random_state=0).fit(train)
total = model.score_samples(X)
least = np.array([steps.min() for steps in model.score_steps(X)])
for name, score in {"log-likelihood": total, "least probable step": least}.items():
    print(f"{name:>20}: area under the curve {roc_auc_score(wrong, -score):.3f}")

figure, axes = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
for ax, score, title in zip(axes, (total, least), ("all steps", "the least probable step"), strict=False):
    bins = np.linspace(score.min(), 0, 40)
    ax.hist([score[~wrong], score[wrong]], bins=bins, stacked=True, label=["as it should be", "with a mistake"])
    ax.set(title=title, xlabel="log-likelihood (nats)", ylabel="sessions")
axes[0].legend()
for name, score in {"all steps": total, "the least probable step": least}.items():
    RocCurveDisplay.from_predictions(wrong, -score, name=name, ax=axes[2])
axes[2].set(xlabel="false alarms", ylabel="mistakes that are found")

# %%
# Where it goes wrong
# -------------------
# Each session with its events, and how much each of them surprises: minus its log-likelihood. Ends are events too.
shown = [next(i for i, (events, _) in enumerate(spoilt) if len(events) == length) for length in (9, 13)]
figure, axes = plt.subplots(2, figsize=(9, 5), layout="constrained")
for ax, i in zip(axes, shown, strict=True):
    events, place = spoilt[i]
    surprise = -model.score_steps([events])[0]
    colors = np.where(np.arange(len(surprise)) == place, "C1", "C0")
    ax.bar(range(len(surprise)), surprise, color=colors)
    ax.set_xticks(range(len(surprise)), [*events, "(end)"], rotation=40, ha="right")
    ax.set(ylabel="surprise (nats)")
_ = axes[0].set_title("In orange, the mistake")

# %%
# How good it is at that: in how many sessions the least probable step is the mistake, or the step after it, where a
# missing one is first noticed.
found = [abs(int(np.argmin(model.score_steps([events])[0])) - place) <= 1 for events, place in spoilt]
print(f"the least probable step is where the mistake is in {np.mean(found):.0%} of {len(spoilt)} sessions")

plt.show()
