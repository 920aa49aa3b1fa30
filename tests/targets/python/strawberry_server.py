"""A GraphQL server by the protocol `graphql-transport-ws`, with strawberry; it does the same as ../node/graphql_ws.js.

PORT: where to listen, 3000 by default, 0 for a free one. GET /counts: what it has seen.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from datetime import timedelta

import strawberry
from aiohttp import web
from counted import serve
from strawberry.aiohttp.views import GraphQLView
from strawberry.exceptions import ConnectionRejectionError

counts = dict(opened=0, closed=0, refused=0, joined=0, completed=0, pushed=0)


@strawberry.type
class Price:
    symbol: str
    n: int
    at: float


@strawberry.type
class Query:
    @strawberry.field
    def now(self) -> float:
        return time.time() * 1e3


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def price(self, symbol: str) -> AsyncGenerator[Price, None]:
        counts["joined"] += 1
        n = 0
        try:
            while True:
                n += 1
                counts["pushed"] += 1
                yield Price(symbol=symbol, n=n, at=time.time() * 1e3)
                await asyncio.sleep(1)
        finally:
            counts["completed"] += 1


class View(GraphQLView):
    async def on_ws_connect(self, context):
        if (context.get("connection_params") or {}).get("token") == "wrong":
            counts["refused"] += 1
            raise ConnectionRejectionError
        return await super().on_ws_connect(context)


async def counted(request):
    counts["opened"] += 1
    try:
        return await view(request)
    finally:
        counts["closed"] += 1


view = View(
    schema=strawberry.Schema(query=Query, subscription=Subscription),
    connection_init_wait_timeout=timedelta(seconds=3),
)
app = web.Application()
app.router.add_get("/graphql", counted)
serve(app, counts)
