"""What a network looks at, and how it trains."""

from sklearn_rnn.inspection._gradient_flow import GradientFlowDisplay
from sklearn_rnn.inspection._partial_dependence import sequence_partial_dependence
from sklearn_rnn.inspection._permutation import sequence_permutation_importance
from sklearn_rnn.inspection._training_curve import TrainingCurveDisplay

__all__ = [
    "GradientFlowDisplay",
    "TrainingCurveDisplay",
    "sequence_partial_dependence",
    "sequence_permutation_importance",
]
