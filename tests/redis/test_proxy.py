"""Each fault of the proxy is seen to happen, between a client and a server that echoes."""

import asyncio
import contextlib
import random
import socket
import struct
import threading

import pytest
import pytest_asyncio

from tests.redis.ports import LOOPBACK
from tests.redis.proxy import FaultProxy

PATIENCE = 30.0
#: Seconds in which something must not happen. It never does: this only bounds how long we look.
A_WHILE = 0.1


class Echo:
    """What it got, and how each connection ended: ``"end"`` or ``"reset"``."""

    def __init__(self):
        self.got = b""
        self.ends = []
        self.news = asyncio.Condition()
        self.tasks = []

    async def serve(self, reader, writer):
        self.tasks.append(asyncio.current_task())
        try:
            while data := await reader.read(65536):
                self.got += data
                await self.tell()
                writer.write(data)
                await writer.drain()
            self.ends.append("end")
        except ConnectionError:
            self.ends.append("reset")
        await self.tell()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def tell(self):
        async with self.news:
            self.news.notify_all()

    async def until(self, true):
        async with asyncio.timeout(PATIENCE), self.news:
            await self.news.wait_for(true)


@pytest_asyncio.fixture
async def echo():
    server = Echo()
    listening = await asyncio.start_server(server.serve, LOOPBACK, 0)
    server.port = listening.sockets[0].getsockname()[1]
    yield server
    listening.close()
    await listening.wait_closed()
    if server.tasks:
        await asyncio.wait(server.tasks, timeout=PATIENCE)


@pytest.fixture
def proxy(echo):
    with FaultProxy(echo.port, seed=7) as found:
        yield found


@pytest_asyncio.fixture
async def connect(proxy):
    writers = []

    async def connect():
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
        writers.append(writer)
        return reader, writer

    yield connect
    for writer in writers:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def ask(connection, data):
    reader, writer = connection
    writer.write(data)
    async with asyncio.timeout(PATIENCE):
        return await reader.readexactly(len(data))


async def write_for_ever(writer):
    while True:
        writer.write(bytes(1 << 20))
        await writer.drain()


async def silent(reader):
    """Nothing comes, no end and no error."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(A_WHILE):
            await reader.read(1)


@pytest.mark.asyncio
async def test_without_a_fault_all_comes_through_and_is_counted(proxy, connect):
    data = random.Random(1).randbytes(1_000_000)
    assert await ask(await connect(), data) == data
    assert (proxy.up.passed, proxy.down.passed) == (len(data), len(data))
    assert (proxy.accepted, proxy.connections) == (1, 1)


@pytest.mark.asyncio
async def test_the_end_of_a_stream_comes_through_in_order(proxy, echo, connect):
    reader, writer = await connect()
    writer.write(b"last words")
    writer.write_eof()
    async with asyncio.timeout(PATIENCE):
        assert await reader.read() == b"last words"
    await echo.until(lambda: echo.ends == ["end"])


@pytest.mark.asyncio
async def test_a_reset_comes_through_as_a_reset(proxy, echo):
    with socket.create_connection((LOOPBACK, proxy.port)) as client:
        client.sendall(b"hello")
        await echo.until(lambda: echo.got == b"hello")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await echo.until(lambda: echo.ends == ["reset"])


@pytest.mark.asyncio
async def test_delay(proxy, connect):
    connection = await connect()
    proxy.delay(0.05, 0.01)
    loop = asyncio.get_running_loop()
    begin = loop.time()
    await ask(connection, b"x")
    assert loop.time() - begin >= 0.099  # there and back
    proxy.heal()
    assert await ask(connection, b"y") == b"y"


@pytest.mark.asyncio
async def test_jitter_keeps_the_order(proxy, connect):
    proxy.delay(0.0, 0.01)
    reader, writer = await connect()
    sent = b"".join(f"{n:06}".encode() for n in range(200))
    for n in range(0, len(sent), 6):
        writer.write(sent[n : n + 6])
        await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE):
        assert await reader.readexactly(len(sent)) == sent


@pytest.mark.asyncio
async def test_bandwidth(proxy, connect):
    connection = await connect()
    proxy.limit(20_000, "down")
    loop = asyncio.get_running_loop()
    begin = loop.time()
    await ask(connection, bytes(4_000))
    assert loop.time() - begin >= 0.18
    assert proxy.down.pieces >= 10


@pytest.mark.asyncio
async def test_slices_of_one_byte(proxy, connect):
    connection = await connect()
    proxy.slice(1, "down")
    data = bytes(range(200))
    assert await ask(connection, data) == data
    assert proxy.down.pieces == 200
    assert proxy.up.pieces < 200


@pytest.mark.asyncio
async def test_slices_by_chance_are_the_same_with_the_same_seed(echo):
    async def pieces(seed):
        with FaultProxy(echo.port, seed=seed) as proxy:
            proxy.slice(50, "up", by_chance=True)
            reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
            await ask((reader, writer), bytes(5_000))
            writer.close()
            await writer.wait_closed()
            return proxy.up.pieces

    first = await pieces(1)
    assert 100 < first < 5_000
    assert await pieces(1) == first
    assert len({await pieces(seed) for seed in range(2, 6)}) > 1


@pytest.mark.asyncio
async def test_stall_of_one_way_holds_and_loses_nothing(proxy, echo, connect):
    reader, writer = await connect()
    await ask((reader, writer), b"before")
    proxy.stall("down")
    writer.write(b"meanwhile")
    await echo.until(lambda: echo.got == b"beforemeanwhile")  # the way up is open
    await silent(reader)
    proxy.resume("down")
    async with asyncio.timeout(PATIENCE):
        assert await reader.readexactly(9) == b"meanwhile"


@pytest.mark.asyncio
async def test_a_stalled_way_fills_up(proxy, connect):
    _, writer = await connect()
    proxy.stall("up")
    writer.transport.set_write_buffer_limits(high=1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(write_for_ever(writer), A_WHILE)
    writer.transport.abort()


@pytest.mark.asyncio
@pytest.mark.parametrize("count", [1, 7, 199])
async def test_a_reset_in_mid_frame(proxy, echo, connect, count):
    reader, writer = await connect()
    proxy.reset_after(count, "up")
    writer.write(bytes(200))
    await echo.until(lambda: echo.ends == ["reset"])
    assert proxy.up.passed == count
    assert len(echo.got) <= count
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(), PATIENCE)
    assert await ask(await connect(), b"again") == b"again"  # once only


@pytest.mark.asyncio
async def test_an_answer_is_lost_after_the_work_is_done(proxy, echo, connect):
    reader, writer = await connect()
    proxy.reset_after(0, "down")
    writer.write(b"do it")
    with pytest.raises(ConnectionResetError):
        async with asyncio.timeout(PATIENCE):
            await reader.read(1)
    assert echo.got == b"do it"
    assert proxy.down.passed == 0


@pytest.mark.asyncio
async def test_half_close(proxy, connect):
    reader, writer = await connect()
    await ask((reader, writer), b"before")
    proxy.half_close("down")
    async with asyncio.timeout(PATIENCE):
        assert await reader.read() == b""
    before = proxy.up.read
    writer.write(b"still going up")
    async with asyncio.timeout(PATIENCE):
        while proxy.up.read == before:  # noqa: ASYNC110  another thread counts
            await asyncio.sleep(0.005)


@pytest.mark.asyncio
async def test_blackhole(proxy, echo, connect):
    old = await connect()
    await ask(old, b"before")
    proxy.blackhole()
    new = await connect()
    for reader, writer in (old, new):
        writer.write(b"lost")
        await silent(reader)
    proxy.heal()
    old[1].write(b"lost too")
    await silent(old[0])
    assert await ask(await connect(), b"after") == b"after"
    assert echo.got == b"beforeafter"
    assert echo.ends == []  # nobody was told


@pytest.mark.asyncio
async def test_refuse_and_accept_on_the_same_port(proxy, connect):
    open_one = await connect()
    port = proxy.port
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        await connect()
    assert await ask(open_one, b"goes on") == b"goes on"
    proxy.accept()
    assert proxy.port == port
    assert await ask(await connect(), b"back") == b"back"


@pytest.mark.asyncio
async def test_delayed_accept(proxy, connect):
    proxy.accept(after=0.05)
    loop = asyncio.get_running_loop()
    begin = loop.time()
    await ask(await connect(), b"x")
    assert loop.time() - begin >= 0.049


@pytest.mark.asyncio
async def test_drop_resets_all(proxy, echo, connect):
    connections = [await connect() for _ in range(3)]
    for connection in connections:
        await ask(connection, b"x")
    assert proxy.drop() == 3
    for reader, _ in connections:
        with pytest.raises(ConnectionResetError):
            async with asyncio.timeout(PATIENCE):
                await reader.read(1)
    await echo.until(lambda: echo.ends == ["reset"] * 3)
    assert proxy.connections == 0
    assert await ask(await connect(), b"back") == b"back"


@pytest.mark.asyncio
async def test_retarget(proxy, connect):
    async def shout(reader, writer):
        writer.write((await reader.read(100)).upper())
        writer.close()

    other = await asyncio.start_server(shout, LOOPBACK, 0)
    async with other:
        proxy.retarget(other.sockets[0].getsockname()[1])
        assert await ask(await connect(), b"hello") == b"HELLO"


@pytest.mark.asyncio
async def test_close_ends_its_thread_and_gives_the_port_back(echo):
    before = set(threading.enumerate())
    proxy = FaultProxy(echo.port)
    _, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
    proxy.close()
    proxy.close()
    assert set(threading.enumerate()) == before
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((LOOPBACK, proxy.port))
    writer.transport.abort()
