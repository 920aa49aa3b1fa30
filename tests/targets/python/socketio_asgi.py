"""A Socket.IO server with python-socketio, as an application of ASGI.

PING_INTERVAL, PING_TIMEOUT: seconds; 25 and 20 by default, as everywhere.
"""

import os

import socketio

server = socketio.AsyncServer(
    async_mode="asgi",
    transports=["websocket"],
    ping_interval=float(os.environ.get("PING_INTERVAL", "25")),
    ping_timeout=float(os.environ.get("PING_TIMEOUT", "20")),
)
app = socketio.ASGIApp(server)
