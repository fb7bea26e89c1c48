"""What a network looks at, and how it trains."""

from sklearn_rnn.data.entities import Entity
from sklearn_rnn.inspection._alignment import AlignmentDisplay
from sklearn_rnn.inspection._attention import AttentionDisplay
from sklearn_rnn.inspection._entities import RenderedEntities, render_entities
from sklearn_rnn.inspection._gradient_flow import GradientFlowDisplay
from sklearn_rnn.inspection._partial_dependence import sequence_partial_dependence
from sklearn_rnn.inspection._permutation import sequence_permutation_importance
from sklearn_rnn.inspection._training_curve import TrainingCurveDisplay
from sklearn_rnn.inspection._transitions import TransitionsDisplay

__all__ = [
    "AlignmentDisplay",
    "AttentionDisplay",
    "Entity",
    "GradientFlowDisplay",
    "RenderedEntities",
    "TrainingCurveDisplay",
    "TransitionsDisplay",
    "render_entities",
    "sequence_partial_dependence",
    "sequence_permutation_importance",
]
