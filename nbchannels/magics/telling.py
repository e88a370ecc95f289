"""Errors of ours as a sentence instead of a traceback."""

from collections.abc import Callable
from typing import Any, TypeVar

from IPython.core.error import UsageError
from traitlets import TraitError

from nbchannels.exceptions import ChannelsError

__all__ = ["told"]

T = TypeVar("T")


def told(call: Callable[..., T], *arguments: Any) -> T:
    """Call; an error of ours becomes a ``UsageError`` with its sentence."""
    try:
        return call(*arguments)
    except (ChannelsError, TimeoutError, TraitError) as error:
        raise UsageError(f"{type(error).__name__}: {error}") from error
