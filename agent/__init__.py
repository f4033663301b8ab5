"""The controller and what the person sees: who decides.

`from automl_gpt.agent import Session` is the Python API; it is imported when it is first asked for, so that the command
line starts at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automl_gpt.agent.session import Session

__all__ = ["Session"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("automl_gpt.agent.session"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
