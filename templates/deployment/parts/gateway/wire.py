"""HTTP to the engine on loopback: one connection a call, lines as they come; whoever lets go of a call closes it."""

from __future__ import annotations

import asyncio
import contextlib
import json

LINE = 1 << 22  # the longest line that an engine sends


class Refused(Exception):
    """An answer of the engine that is not a 200."""

    def __init__(self, status, told):
        error = told.get("error") if isinstance(told, dict) else None
        self.status, self.told = status, error if isinstance(error, dict) else {}
        super().__init__(self.told.get("message") or f"the engine answered {status}")


class Gone(Exception):
    """The engine is not there, or went away in the middle."""


async def call(engine, path, body=None):
    """JSON for JSON; an engine has a port and a key."""
    async with _asked(engine, path, body) as reply:
        return json.loads(await reply.whole())


async def text(engine, path):
    """A text, as it is."""
    async with _asked(engine, path, None) as reply:
        return (await reply.whole()).decode()


async def events(engine, path, body):
    """Each `data:` of a stream, read."""
    async with _asked(engine, path, body) as reply:
        async for line in reply.lines():
            if line.startswith(b"data: "):
                data = line[6:]
                if data == b"[DONE]":
                    return
                yield json.loads(data)
            elif line.startswith(b"error: "):
                raise Refused(500, {"error": json.loads(line[7:])})


class _Reply:
    def __init__(self, reader, headers):
        self.reader, self.length = reader, headers.get("content-length")
        self.chunked = headers.get("transfer-encoding") == "chunked"

    async def _parts(self):
        if not self.chunked:
            yield await (self.reader.readexactly(int(self.length)) if self.length else self.reader.read())
            return
        while size := int(await self.reader.readline() or b"x", 16):
            yield (await self.reader.readexactly(size + 2))[:-2]

    async def whole(self):
        return b"".join([part async for part in self._parts()])

    async def lines(self):
        rest = b""
        async for part in self._parts():
            *lines, rest = (rest + part).split(b"\n")
            for line in lines:
                yield line
        if rest:
            yield rest


@contextlib.asynccontextmanager
async def _asked(engine, path, body):
    writer = None
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", engine.port, limit=LINE)
        data = b"" if body is None else json.dumps(body).encode()
        head = f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        head += f"Authorization: Bearer {engine.key}\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        writer.write(head.encode() + data)
        await writer.drain()
        status = int((await reader.readline()).split(b" ")[1])
        headers = {}
        while (line := await reader.readline()).strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip().lower()
        reply = _Reply(reader, headers)
        if status != 200:
            said = await reply.whole()
            raise Refused(status, _read(said))
        yield reply
    except (OSError, EOFError, IndexError, ValueError) as error:
        raise Gone(f"the engine went away: {type(error).__name__}") from error
    finally:
        if writer is not None:
            writer.close()


def _read(said):
    try:
        return json.loads(said)
    except ValueError:
        return {}
