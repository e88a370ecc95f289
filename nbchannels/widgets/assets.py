"""The built front end of the views, and what to do when it is not there."""

from pathlib import Path

from nbchannels.exceptions import ChannelsError

__all__ = ["MissingAsset", "loader"]

STATIC = Path(__file__).parent / "static"


class MissingAsset(ChannelsError):
    """A file that the build makes is not there."""


def loader(folder: Path = STATIC) -> str:
    """The anywidget module: a few KB that fetch the view bundle from the server.

    Raises:
        MissingAsset: in a clone whose front end was not built.
    """
    path = folder / "loader.js"
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise MissingAsset(
            f"{path.name} is not built; in the clone run: make setup (an installed wheel has it)"
        ) from error
