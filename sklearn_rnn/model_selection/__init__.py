"""Model selection: searches whose training goes on, and predictions that do not fit into a rectangular array."""

from sklearn_rnn.model_selection._prediction import cross_val_predict_sequences
from sklearn_rnn.model_selection._warm_halving import WarmHalvingGridSearchCV, WarmHalvingRandomSearchCV

__all__ = ["WarmHalvingGridSearchCV", "WarmHalvingRandomSearchCV", "cross_val_predict_sequences"]
