"""New sequences from a language model."""

from __future__ import annotations


class GenerationMixin:
    """Sampling and search."""
