"""What newer releases of scikit-learn have and older ones lack: the one place that looks."""

from __future__ import annotations

from typing import Any

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # scikit-learn before 1.9

    class _SilentContext:
        """Stands for a callback context where there are no callbacks."""

        def subcontext(self, **kwargs: Any) -> _SilentContext:
            return self

        def call_on_fit_task_begin(self, **kwargs: Any) -> _SilentContext:
            return self

        def call_on_fit_task_end(self, **kwargs: Any) -> bool:
            return False

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """No callbacks: scikit-learn has them from 1.9 on."""

        def _init_callback_context(self, **kwargs: Any) -> _SilentContext:
            return _SilentContext()


__all__ = ["CallbackSupportMixin"]
