"""A TCP proxy that can misbehave: it stands between our processes and a server."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
CHUNK = 65_536
HOST = "127.0.0.1"
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of no time: closing then sends a reset."""


class Proxy:
    """Forwards to a port of this machine, from a thread of its own, until it is told to do worse.

    `refuse`: connections are reset as they come. `hole`: bytes go in and none come out, in either direction, and no
    connection is closed. `deaf`: what the server answers is swallowed. `delay`: seconds that each chunk is late.
    `cut_after`: bytes from the clients after which the next connection is reset in the middle, once.
    """

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.port = 0
        self.refuse = self.hole = self.deaf = False
        self.delay = 0.0
        self.cut_after: int | None = None
        self.cut_when: Callable[[bytes], bool] | None = None
        """Looks at each chunk from a client; where it is true the chunk is passed on, and the connection then reset."""
        self.accepted = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"proxy to {target_port}", daemon=True)

    def start(self) -> "Proxy":
        """Listen on a free port of the loopback."""
        self._thread.start()
        self._started.wait(10)
        return self

    def stop(self) -> None:
        """End it with all its connections."""
        self.reset()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def reset(self) -> int:
        """Reset every connection; how many there were."""
        return self._ask(self._reset_all())

    @property
    def connections(self) -> int:
        """How many connections of clients are open."""
        return len(self._writers) // 2

    def _ask(self, what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, HOST, 0))
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(self._end())
        self._loop.close()

    async def _end(self) -> None:
        """Let every connection come to its end."""
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _reset_all(self) -> int:
        count = self.connections
        for writer in list(self._writers):
            _reset(writer)
        return count

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        try:
            if not self.refuse:
                await self._connect(reader, writer)
        except OSError:
            pass  # the server is not there: the client gets a reset
        finally:
            await _close(writer)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection(HOST, self.target_port)
        pair = {writer, upstream_writer}
        self._writers |= pair
        try:
            await asyncio.gather(
                self._forward(reader, upstream_writer, pair, from_client=True),
                self._forward(upstream_reader, writer, pair, from_client=False),
            )
        finally:
            self._writers -= pair
            await _close(upstream_writer)

    async def _forward(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        pair: set[asyncio.StreamWriter],
        *,
        from_client: bool,
    ) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, OSError):
            while chunk := await reader.read(CHUNK):
                while self.hole:
                    await asyncio.sleep(0.01)
                if self.delay:
                    await asyncio.sleep(self.delay)
                if self.deaf and not from_client:
                    continue
                writer.write(chunk)
                await writer.drain()
                if from_client and self._to_be_cut(chunk):
                    break
            else:
                writer.write_eof()
                return
        for one in pair:
            _reset(one)

    def _to_be_cut(self, chunk: bytes) -> bool:
        """Whether the connection ends after this chunk, which has been passed on; at most once."""
        if self.cut_when is not None and self.cut_when(chunk):
            self.cut_when = None
            return True
        if self.cut_after is None:
            return False
        self.cut_after -= len(chunk)
        if self.cut_after > 0:
            return False
        self.cut_after = None
        return True


def _reset(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    if raw is not None:
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    with contextlib.suppress(RuntimeError):
        writer.transport.abort()


async def _close(writer: asyncio.StreamWriter) -> None:
    """End a connection for good, by a reset if it has not ended."""
    if not writer.transport.is_closing():
        _reset(writer)
    writer.close()
    with contextlib.suppress(ConnectionError, OSError):
        await writer.wait_closed()
