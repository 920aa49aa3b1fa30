"""An echo server with Autobahn and its automatic pings.

PORT: where to listen, 3000 by default, 0 for a free one.
PING_INTERVAL, PING_TIMEOUT: seconds between two pings, and to wait for the pong; no pings by default.
"""

import asyncio
import os

from autobahn.asyncio.websocket import WebSocketServerFactory, WebSocketServerProtocol


class Echo(WebSocketServerProtocol):
    def onMessage(self, payload, is_binary):
        self.sendMessage(payload, is_binary)


async def main():
    factory = WebSocketServerFactory()
    factory.protocol = Echo
    if "PING_INTERVAL" in os.environ:
        factory.setProtocolOptions(
            autoPingInterval=float(os.environ["PING_INTERVAL"]),
            autoPingTimeout=float(os.environ["PING_TIMEOUT"]),
        )
    port = int(os.environ.get("PORT", "3000"))
    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", port, backlog=4096)
    print(f"listening on ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
