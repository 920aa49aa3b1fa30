"""A Socket.IO server with python-socketio; it does the same as ../node/socket_io.js.

PORT: where to listen, 3000 by default, 0 for a free one. GET /counts: what it has seen.
PING_INTERVAL, PING_TIMEOUT: seconds; 25 and 20 by default, as everywhere.
"""

import os

import socketio
from aiohttp import web
from counted import serve

counts = dict(opened=0, closed=0, refused=0, joined=0, said=0, answered=0, pushed=0)

server = socketio.AsyncServer(
    async_mode="aiohttp",
    transports=["websocket"],
    namespaces=["/", "/admin"],
    ping_interval=float(os.environ.get("PING_INTERVAL", "25")),
    ping_timeout=float(os.environ.get("PING_TIMEOUT", "20")),
)


async def connect(sid, environment, auth):
    counts["opened"] += 1


async def connect_admin(sid, environment, auth):
    if not auth or auth.get("token") != "secret":
        counts["refused"] += 1
        raise socketio.exceptions.ConnectionRefusedError("the token is wrong")
    counts["opened"] += 1


async def disconnect(sid, reason):
    counts["closed"] += 1


def rooms(namespace):
    async def join(sid, data):
        counts["joined"] += 1
        await server.enter_room(sid, data["room"], namespace=namespace)
        counts["answered"] += 1
        return {"ok": True}

    async def say(sid, data):
        counts["said"] += 1
        counts["pushed"] += len(list(server.manager.get_participants(namespace, data["room"])))
        await server.emit("said", data, room=data["room"], namespace=namespace)
        return {"ok": True}

    server.on("join", join, namespace=namespace)
    server.on("say", say, namespace=namespace)
    server.on("disconnect", disconnect, namespace=namespace)


rooms("/")
rooms("/admin")
server.on("connect", connect)
server.on("connect", connect_admin, namespace="/admin")

app = web.Application()
server.attach(app)
serve(app, counts)
