"""What all views share: the specification, its ways to a page, and settings that reach every page.

A view's output carries its specification: in JupyterLab and Notebook 7 our MIME renderer draws it,
also without a kernel; elsewhere, and inside boxes, the ipywidget does. The data never comes this
way: the page reads the group from the server. A setting changed here travels as a message of the
reserved group ``nbchannels.view.<id>``, so that it reaches every page that shows the view.
"""

import reprlib
import secrets
from collections.abc import Callable
from typing import Any, ClassVar

import anywidget
import traitlets

from nbchannels.channel import Group, expect
from nbchannels.names import require_group_name
from nbchannels.widgets.assets import loader
from nbchannels.widgets.columns import LONGEST_TEXT

__all__ = ["MIME_TYPE", "LiveView", "checked", "short_text"]

MIME_TYPE = "application/vnd.nbchannels.view.v1+json"
# Starting values may be many: their beginning is shown.
_BRIEF = reprlib.Repr()
_BRIEF.maxother = _BRIEF.maxstring = 60


class LiveView(anywidget.AnyWidget):
    """A live picture of a group.

    Args:
        group: whose messages it shows; it need not exist yet.
        history: messages of the group's history to begin with. Default: all; 0: none.
        title: above the view. Default: the group's name.
        height: in pixels, without header.
        paused: whether it stands still.
        options: see the subclass.

    Raises:
        InvalidName: the group's name is of bad form.
        TraitError, TypeError: an option that there is not, or with a value it cannot have.
    """

    _esm = loader()

    #: What it is drawn as, in the specification.
    kind_of_view: ClassVar[str] = ""
    #: The traits that are options of the specification.
    options: ClassVar[tuple[str, ...]] = ()
    #: Options that have another name in the specification.
    wire_names: ClassVar[dict[str, str]] = {}

    history = traitlets.Int(None, min=0, max=10_000_000, allow_none=True)
    title = traitlets.Unicode(None, allow_none=True)
    height = traitlets.Int(300, min=80, max=4000)
    paused = traitlets.Bool(False)

    #: Everything a page needs to draw it.
    specification = traitlets.Dict().tag(sync=True)

    def __init__(self, group: str | Group, /, **options: Any) -> None:
        name = group.name if isinstance(group, Group) else require_group_name(group)
        unknown = sorted(set(options) - set(self.options) - {"layout"})
        if unknown:
            raise TypeError(
                f"{type(self).__name__} has no option {unknown[0]!r}; "
                f"its options are {', '.join(self.options)}"
            )
        self._group = name
        self._view_id = secrets.token_hex(8)
        self._changes: dict[str, Any] = {}
        expect("group", name)
        expect("group", f"nbchannels.view.{self._view_id}")
        super().__init__(**options)
        self.specification = self._specify()
        self.observe(self._changed, names=list(self.options))

    @traitlets.validate("title")
    def _check_title(self, proposal: Any) -> Any:
        return short_text(proposal)

    @property
    def group(self) -> Group:
        """The group that it shows."""
        return Group(self._group)

    def _specify(self) -> dict[str, Any]:
        """The specification, plain JSON."""
        return {
            "version": 1,
            "id": self._view_id,
            "group": self._group,
            "kind": self.kind_of_view,
            "options": {
                self.wire_names.get(name, name): self._option(name) for name in self.options
            },
        }

    def _option(self, name: str) -> Any:
        """An option as the specification has it."""
        return getattr(self, name)

    def _changed(self, change: Any) -> None:
        """A setting was changed: tell every page, and the output that is displayed next."""
        self.specification = self._specify()
        settings = Group(f"nbchannels.view.{self._view_id}")
        name = change["name"]
        # All changes so far: a page that comes later reads only the newest message.
        self._changes[self.wire_names.get(name, name)] = self._option(name)
        settings.send({"options": self._changes}, wait=False)

    def _repr_mimebundle_(
        self, include: Any = None, exclude: Any = None, **kwargs: Any
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """What Jupyter stores and displays: the specification first, the ipywidget beside it."""
        # anywidget gives data and metadata, ipywidgets only data, and None where there is no view.
        found: Any = super()._repr_mimebundle_(include=include, exclude=exclude, **kwargs)
        data, metadata = found if isinstance(found, tuple) else (found or {}, {})
        data = dict(data) | {MIME_TYPE: self.specification, "text/plain": repr(self)}
        return data, dict(metadata)

    def __repr__(self) -> str:
        changed = [
            f"{name}={' '.join(_BRIEF.repr(getattr(self, name)).split())}"
            for name in self.options
            if _differs(getattr(self, name), self.traits()[name].default_value)
        ]
        return f"{type(self).__name__}({', '.join([repr(self._group), *changed])})"


def short_text(proposal: Any) -> Any:
    """The text that is proposed for a trait, or None.

    Raises:
        TraitError: it is longer than a page takes.
    """
    text = proposal["value"]
    if text is not None and len(text) > LONGEST_TEXT:
        raise traitlets.TraitError(
            f"{proposal['trait'].name} is a text of {len(text):,} characters, "
            f"the limit is {LONGEST_TEXT}; write less"
        )
    return text


def checked(read: Callable[..., Any], *arguments: Any) -> Any:
    """What ``read`` returns; its error is the trait's.

    Raises:
        TraitError: ``read`` raised a `ValueError`.
    """
    try:
        return read(*arguments)
    except ValueError as error:
        raise traitlets.TraitError(str(error)) from error


def _differs(value: Any, default: Any) -> bool:
    """Whether an option was given; arrays and tables do not compare as one."""
    return type(value) is not type(default) or bool(value != default)
