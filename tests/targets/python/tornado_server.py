"""The echo server of Tornado's documentation.

PORT: where to listen, 3000 by default, 0 for a free one.
PING_INTERVAL, PING_TIMEOUT: seconds; no pings by default.
"""

import asyncio
import os

from tornado import netutil
from tornado.httpserver import HTTPServer
from tornado.web import Application
from tornado.websocket import WebSocketHandler


class Echo(WebSocketHandler):
    def on_message(self, message):
        self.write_message(message, binary=isinstance(message, bytes))


def setting(name):
    return float(os.environ[name]) if name in os.environ else None


async def main():
    app = Application(
        [("/", Echo)],
        websocket_ping_interval=setting("PING_INTERVAL"),
        websocket_ping_timeout=setting("PING_TIMEOUT"),
    )
    port = int(os.environ.get("PORT", "3000"))
    sockets = netutil.bind_sockets(port, "127.0.0.1", backlog=4096)
    HTTPServer(app).add_sockets(sockets)
    print(f"listening on ws://127.0.0.1:{sockets[0].getsockname()[1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
