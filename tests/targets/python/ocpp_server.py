"""A central system of charging stations by OCPP-J 1.6, with the library ocpp on `websockets`.

PORT: where to listen, 3000 by default, 0 for a free one. GET /counts: what it has seen.
It accepts who boots, and then asks each once to remember a setting: `ChangeConfiguration`.
"""

import asyncio
import json
import logging
import os
from collections import Counter
from datetime import datetime, timezone
from http import HTTPStatus

from ocpp.routing import after, on
from ocpp.v16 import ChargePoint, call, call_result
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

counts = Counter(opened=0, closed=0, joined=0, said=0, asked=0, answered=0)


def now():
    return datetime.now(timezone.utc).isoformat()


class Station(ChargePoint):
    @on("BootNotification")
    def boot(self, **_):
        counts["joined"] += 1
        return call_result.BootNotification(current_time=now(), interval=5, status="Accepted")

    @after("BootNotification")
    async def configure(self, **_):
        counts["asked"] += 1
        answer = await self.call(call.ChangeConfiguration(key="HeartbeatInterval", value="5"))
        counts["answered"] += answer.status == "Accepted"

    @on("Heartbeat")
    def heartbeat(self):
        counts["said"] += 1
        return call_result.Heartbeat(current_time=now())


# Says nothing of calls that it does not know.
logging.getLogger("ocpp").disabled = True


async def station(connection):
    counts["opened"] += 1
    try:
        await Station(connection.request.path.strip("/"), connection).start()
    except ConnectionClosed:
        pass
    finally:
        counts["closed"] += 1


def answer_counts(connection, request):
    if request.path == "/counts":
        return connection.respond(HTTPStatus.OK, json.dumps(counts))
    return None


async def main():
    port = int(os.environ.get("PORT", "3000"))
    async with serve(
        station, "127.0.0.1", port, subprotocols=["ocpp1.6"], process_request=answer_counts, backlog=4096
    ) as server:
        port = server.sockets[0].getsockname()[1]
        print(f"listening on ws://127.0.0.1:{port}", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
