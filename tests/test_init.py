"""The root door: everything an analyst types, loaded when it is used."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

import nbchannels
from nbchannels import exceptions


@pytest.mark.parametrize("name", nbchannels.__all__)
def test_every_export_can_be_had(name: str):
    assert getattr(nbchannels, name) is not None
    assert name in dir(nbchannels)


@pytest.mark.parametrize(
    "name",
    [
        "Channel",
        "ChannelFull",
        "ChannelsError",
        "DEFAULT_CHANNEL_LAYER",
        "Group",
        "LiveLog",
        "LivePlot",
        "LiveTable",
        "LiveValue",
        "Message",
        "Receipt",
        "async_to_sync",
        "channel_layers",
        "get_channel_layer",
    ],
)
def test_these_are_there(name: str):
    assert name in nbchannels.__all__


def test_every_error_is_at_the_root_that_a_user_may_catch():
    inner = {exceptions.ProtocolError, *exceptions.ProtocolError.__subclasses__()}
    # What is raised or caught inside of consumer classes is imported as in Channels.
    inner |= {
        exceptions.AcceptConnection, exceptions.DenyConnection, exceptions.StopConsumer,
        exceptions.ResponseLater, exceptions.RequestAborted, exceptions.RequestTimeout,
        exceptions.NoRoute,
        exceptions.OutOfOrder,
    }  # fmt: skip
    errors = {
        name
        for name in exceptions.__all__
        if isinstance(error := getattr(exceptions, name), type) and error not in inner
    }
    assert errors <= set(nbchannels.__all__)
    assert nbchannels.ChannelFull is exceptions.ChannelFull


def test_an_export_is_looked_up_once():
    first = nbchannels.Receipt
    assert vars(nbchannels)["Receipt"] is first


def test_what_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'nbchannels' has no attribute 'nothing'"):
        nbchannels.nothing  # noqa: B018


def test_the_version_is_the_packages():
    try:
        expected = importlib.metadata.version("nbchannels")
    except importlib.metadata.PackageNotFoundError:
        expected = "0+unknown"
    assert nbchannels.__version__ == expected


def test_the_front_end_is_where_the_build_puts_it():
    (path,) = nbchannels._jupyter_labextension_paths()
    assert path == {"src": "labextension", "dest": "nbchannels"}
    assert (Path(nbchannels.__file__).parent.parent / "labextension" / "install.json").is_file()


def test_import_is_light():
    code = (
        "import sys, nbchannels; "
        "print(sorted({m.split('.')[0] for m in sys.modules} & "
        "{'tornado', 'jupyter_server', 'IPython', 'msgspec', 'asyncio', 'numpy'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
