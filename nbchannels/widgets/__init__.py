"""Live views of groups: what one displays in a notebook."""

from nbchannels.widgets.log import LiveLog
from nbchannels.widgets.plot import LivePlot
from nbchannels.widgets.table import LiveTable
from nbchannels.widgets.value import LiveValue
from nbchannels.widgets.view import LiveView

__all__ = ["LiveLog", "LivePlot", "LiveTable", "LiveValue", "LiveView"]
