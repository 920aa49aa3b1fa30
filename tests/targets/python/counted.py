"""What the aiohttp servers of dialects do: they listen, and tell their counts at GET /counts.

PORT: where to listen, 3000 by default, 0 for a free one.
"""

import asyncio
import os

from aiohttp import web


def serve(app, counts):
    """Serves an application until the process is ended."""
    app.router.add_get("/counts", lambda request: web.json_response(counts))
    asyncio.run(_serve(app))


async def _serve(app):
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(os.environ.get("PORT", "3000")), backlog=4096).start()
    _, port = runner.addresses[0]
    print(f"listening on ws://127.0.0.1:{port}", flush=True)
    await asyncio.Event().wait()
