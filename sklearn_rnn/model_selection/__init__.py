"""Model selection for predictions that do not fit into a rectangular array."""

from sklearn_rnn.model_selection._prediction import cross_val_predict_sequences

__all__ = ["cross_val_predict_sequences"]
