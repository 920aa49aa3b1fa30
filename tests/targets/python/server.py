"""The classic asyncio echo server on `websockets`.

PORT: where to listen, 3000 by default, 0 for a free one. GET /counts: what it has seen.
PING_INTERVAL, PING_TIMEOUT: seconds; 20 each by default, as everywhere.
"""

import asyncio
import json
import os
import resource
from collections import Counter
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Opcode

counts = Counter(opened=0, closed=0, text=0, binary=0, bytes=0, pings=0, pongs=0)
closes = Counter()  # ended connections by the close code received; 1005 for an empty Close, 1006 for none


class CountingConnection(ServerConnection):
    """A connection that also counts the control frames, which `websockets` answers by itself."""

    def process_event(self, event):
        opcode = getattr(event, "opcode", None)
        if opcode is Opcode.PING:
            counts["pings"] += 1
        elif opcode is Opcode.PONG:
            counts["pongs"] += 1
        super().process_event(event)


async def echo(connection):
    counts["opened"] += 1
    try:
        async for message in connection:
            if isinstance(message, str):
                counts["text"] += 1
                counts["bytes"] += len(message.encode())
            else:
                counts["binary"] += 1
                counts["bytes"] += len(message)
            await connection.send(message)
    except ConnectionClosed:
        pass  # counted below, like every other end
    finally:
        await connection.wait_closed()
        counts["closed"] += 1
        closes[connection.close_code] += 1


def answer_counts(connection, request):
    if request.path == "/counts":
        return connection.respond(HTTPStatus.OK, json.dumps({**counts, "closes": closes}))
    return None


def raise_descriptor_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def main():
    raise_descriptor_limit()
    port = int(os.environ.get("PORT", "3000"))
    async with serve(
        echo,
        "127.0.0.1",
        port,
        process_request=answer_counts,
        create_connection=CountingConnection,
        ping_interval=float(os.environ.get("PING_INTERVAL", "20")),
        ping_timeout=float(os.environ.get("PING_TIMEOUT", "20")),
        backlog=4096,  # for tests that open a thousand connections at once
    ) as server:
        port = server.sockets[0].getsockname()[1]
        print(f"listening on ws://127.0.0.1:{port}", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
