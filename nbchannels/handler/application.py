"""``AsgiHandler``: HTTP requests that came as messages, answered by a tornado ``Application``.

::

    from nbchannels import handler

    handler.configure([("/hello", HelloHandler)])

    @nb.consume("http.request")
    def answer(message):
        for reply in handler.AsgiHandler(message):
            message.reply_channel.send(reply)

The handlers are tornado's own: ``get``, ``post``, ``async def``, ``write``, ``flush``,
``StaticFileHandler``. What they write becomes messages instead of bytes on a socket.

Source: the Channels 1.x Reference and ``channels.handler``, with tornado in Django's place.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, ClassVar, cast

from tornado import web
from tornado.httputil import HTTPInputError, RequestStartLine

from nbchannels.bridge import user_bridge
from nbchannels.channel import Channel
from nbchannels.exceptions import (
    ChannelFull,
    ChannelsError,
    RequestAborted,
    RequestTimeout,
    ResponseLater,
)
from nbchannels.handler.connection import MessageConnection
from nbchannels.handler.request import AsgiRequest
from nbchannels.handler.response import Response
from nbchannels.message import Message
from nbchannels.pending import SEND_TIMEOUT, wait_for
from nbchannels.receipt import Receipt
from nbchannels.typing import MessageDict

__all__ = ["AsgiHandler", "ViewConsumer", "configure"]

log = logging.getLogger("nbchannels")


class AsgiHandler:
    """The response to a request, message by message.

    Iterate over it, in synchronous code (on any thread, also one whose loop runs: the handler runs
    on the thread for user code) or with ``async for`` (the handler runs on this loop). Each message
    is a reply: ``{"status", "headers", "content", "more_content"}`` first, then
    ``{"content", "more_content"}``. A handler that awaits ``flush()`` goes on when its messages
    have been taken.

    A redirect to a path is one within the mount. A request that cannot be read is answered with
    400, one whose body does not come with 408; to one that was aborted, and where a handler raises
    `ResponseLater`, there is no answer.

    Args:
        message: of the channel ``http.request``.
        application: instead of the one that was configured.

    Raises:
        ChannelsError: no application has been configured.
        InvalidMessage: the message is none of ``http.request``.

    Source: Channels 1.x, ``channels.handler.AsgiHandler``.
    """

    #: Bytes of content in one message.
    chunk_size: ClassVar[int] = 512 * 1024
    #: Set by `configure`.
    application: web.Application | None = None

    def __init__(self, message: Message, application: web.Application | None = None) -> None:
        self.message = message
        if application is not None:
            self.application = application
        if self.application is None:
            raise ChannelsError(
                "AsgiHandler has no application; first: "
                "nbchannels.handler.configure([('/', YourTornadoHandler)])"
            )

    def __iter__(self) -> Iterator[MessageDict]:
        messages = self._messages()
        try:
            while (message := user_bridge.run(_next(messages))) is not None:
                yield message
        finally:  # not waited for: this may be the garbage collector, on any thread
            user_bridge.start(_close(messages))

    def __aiter__(self) -> AsyncIterator[MessageDict]:
        return self._messages()

    async def _messages(self) -> AsyncIterator[MessageDict]:
        connection = MessageConnection(self.chunk_bytes)
        refusal: Response | None = None
        try:
            request = await AsgiRequest.aread(self.message, connection)
        except RequestTimeout:
            refusal = _plain(408, "408 Request Timeout (upload too slow)")
        except RequestAborted:
            return
        except (HTTPInputError, UnicodeError) as error:
            refusal = _plain(400, f"400 Bad Request ({error})")
        if refusal is not None:
            for message in self.encode_response(refusal):
                yield message
            return
        # Beside the taking: a handler may write, and wait until that is taken, before it has read.
        running = asyncio.get_running_loop().create_task(self._run(request, connection))
        running.add_done_callback(lambda task: _tell(task, connection))
        try:
            while (taken := await connection.take()) is not None:
                yield taken
        finally:
            connection.close()
            running.cancel()

    async def _run(self, request: AsgiRequest, connection: MessageConnection) -> None:
        """Hand the request to tornado, as its server does."""
        connection.root_path = request.root_path
        application = cast("web.Application", self.application)
        delegate = application.find_handler(request)
        start = RequestStartLine(request.method or "", request.path, request.version)
        ready = delegate.headers_received(start, request.headers)
        _watch(delegate, connection)
        if ready is not None:
            await ready
        for part, _ in self.chunk_bytes(request.body):
            taken = delegate.data_received(part) if part else None
            if taken is not None:
                await taken
        delegate.finish()
        _watch(delegate, connection)

    @classmethod
    def encode_response(cls, response: Response) -> Iterator[MessageDict]:
        """The messages of a response that is known."""
        head: MessageDict = {"status": response.status, "headers": response.pairs()}
        body = response.parts()
        if isinstance(body, bytes):
            for chunk, last in cls.chunk_bytes(body):
                yield {**head, "content": chunk, "more_content": not last}
                head = {}
            return
        for part in body:
            for chunk, _ in cls.chunk_bytes(part):
                yield {**head, "content": chunk, "more_content": True}
                head = {}
        yield {**head, "content": b"", "more_content": False}

    @classmethod
    def chunk_bytes(cls, data: bytes) -> Iterator[tuple[bytes, bool]]:
        """``data`` in pieces of `chunk_size`, each with whether it is the last; at least one."""
        for start in range(0, max(len(data), 1), cls.chunk_size):
            end = start + cls.chunk_size
            yield data[start:end], end >= len(data)


def configure(application: web.Application | list[Any] | None) -> None:
    """Set the application that answers requests.

    Args:
        application: tornado's, or the list of routes that one is made of; ``None`` forgets it.
    """
    if isinstance(application, list):
        application = web.Application(application)
    AsgiHandler.application = application


class ViewConsumer:
    """A consumer of ``http.request``: the configured application answers.

    ::

        nb.consume("http.request")(handler.ViewConsumer())

    A reply whose channel is full is sent again until there is room: the client takes it slower than
    it is made. If the client has gone, the rest is not made.

    Args:
        application: instead of the one that was configured.

    Source: Channels 1.x, ``channels.handler.ViewConsumer``.
    """

    #: Seconds between two tries, and until the client is given up.
    retry, patience = 0.05, 60.0

    def __init__(self, application: web.Application | None = None) -> None:
        self.application = application

    def __call__(self, message: Message) -> None:
        """Answer a request.

        Raises:
            ChannelFull: the client took nothing for `patience` seconds.
        """
        channel = Channel(message["reply_channel"], channel_layer=message.channel_layer)
        for number, reply in enumerate(AsgiHandler(message, self.application), 1):
            if _is_closed(self._send(channel, reply), number):
                log.debug("the client of %s has gone", channel)
                return

    def _send(self, channel: Channel, reply: MessageDict) -> Receipt:
        layer = channel.channel_layer
        encoded = layer.encode(reply)
        deadline = time.monotonic() + self.patience
        while True:
            try:
                # Not `Channel.send`: that a client has gone is no warning to whoever runs this.
                sent = layer.submit("channel", channel.name, encoded)
                if isinstance(sent, Receipt):
                    return sent
                return wait_for(layer, sent, SEND_TIMEOUT, f"channel {channel.name!r}")
            except ChannelFull:
                if time.monotonic() > deadline:
                    raise
                time.sleep(self.retry)


def _is_closed(receipt: Receipt, number: int) -> bool:
    """Whether the reply channel was closed before this reply, the ``number``-th of ours on it.

    Who waits for a first reply receives from the channel. A channel that a later one made anew
    begins to count at 1.
    """
    if number == 1:
        return receipt.hint is not None
    return receipt.offset is not None and receipt.offset < number


async def _next(messages: AsyncIterator[MessageDict]) -> MessageDict | None:
    return await anext(messages, None)


async def _close(messages: AsyncIterator[MessageDict]) -> None:
    await cast("Any", messages).aclose()


def _tell(task: "asyncio.Task[None]", connection: MessageConnection) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        connection.fail(error)


def _watch(delegate: Any, connection: MessageConnection) -> None:
    """`ResponseLater` in a handler is no error and no answer, whatever tornado thinks of it."""
    handler = getattr(delegate, "handler", None)
    if handler is None or "log_exception" in vars(handler):
        return
    log_exception = handler.log_exception

    def watched(kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, ResponseLater):
            connection.mute()
            handler._finished = True  # or it would write and log an error page
        else:
            log_exception(kind, error, trace)

    handler.log_exception = watched


def _plain(status: int, sentence: str) -> Response:
    return Response(status, {"Content-Type": "text/plain; charset=UTF-8"}, sentence)
