"""The echo server of aiohttp's documentation.

PORT: where to listen, 3000 by default, 0 for a free one.
HEARTBEAT: seconds between two pings; none by default. It waits half of it for the pong.
"""

import asyncio
import os

from aiohttp import WSMsgType, web

heartbeat = float(os.environ["HEARTBEAT"]) if "HEARTBEAT" in os.environ else None


async def echo(request):
    socket = web.WebSocketResponse(heartbeat=heartbeat)
    await socket.prepare(request)
    async for message in socket:
        if message.type == WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type == WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket


async def main():
    app = web.Application()
    app.router.add_get("/", echo)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(os.environ.get("PORT", "3000")), backlog=4096).start()
    _, port = runner.addresses[0]
    print(f"listening on ws://127.0.0.1:{port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
