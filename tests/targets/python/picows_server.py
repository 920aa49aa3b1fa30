"""The echo server of picows' documentation, with its automatic pings.

PORT: where to listen, 3000 by default, 0 for a free one.
PING_INTERVAL, PING_TIMEOUT: seconds of silence before a ping, and to wait for the pong; no pings by default.
"""

import asyncio
import os

from picows import WSListener, WSMsgType, ws_create_server


class Echo(WSListener):
    def on_ws_frame(self, transport, frame):
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        elif frame.msg_type in (WSMsgType.TEXT, WSMsgType.BINARY):
            transport.send(frame.msg_type, frame.get_payload_as_bytes())


def pings():
    if "PING_INTERVAL" not in os.environ:
        return {}
    return {
        "enable_auto_ping": True,
        "auto_ping_idle_timeout": float(os.environ["PING_INTERVAL"]),
        "auto_ping_reply_timeout": float(os.environ["PING_TIMEOUT"]),
    }


async def main():
    port = int(os.environ.get("PORT", "3000"))
    server = await ws_create_server(lambda _: Echo(), "127.0.0.1", port, backlog=4096, **pings())
    print(f"listening on ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
