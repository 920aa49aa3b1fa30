"""An echo server with Sanic, and its pings.

PORT: where to listen, 3000 by default, 0 for a free one.
PING_INTERVAL, PING_TIMEOUT: seconds between two pings, and to wait for the pong; 20 each by default.
"""

import asyncio
import os
import socket

from sanic import Sanic

app = Sanic("echo")
app.config.WEBSOCKET_PING_INTERVAL = float(os.environ.get("PING_INTERVAL", "20"))
app.config.WEBSOCKET_PING_TIMEOUT = float(os.environ.get("PING_TIMEOUT", "20"))


@app.websocket("/")
async def echo(request, ws):
    async for message in ws:
        await ws.send(message)


async def main():
    listener = socket.create_server(("127.0.0.1", int(os.environ.get("PORT", "3000"))), backlog=4096)
    server = await app.create_server(sock=listener, return_asyncio_server=True, access_log=False)
    await server.startup()
    print(f"listening on ws://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
