"""An echo server with socketify, which is uWebSockets.

PORT: where to listen, 3000 by default, 0 for a free one.
IDLE_TIMEOUT: whole seconds without a byte of the client until it is ended; it is pinged before. 120 by default.
"""

import os

from socketify import App, AppListenOptions

app = App()
app.ws(
    "/*",
    {
        "idle_timeout": int(os.environ.get("IDLE_TIMEOUT", "120")),
        "message": lambda socket, message, opcode: socket.send(message, opcode),
    },
)
app.listen(
    AppListenOptions(port=int(os.environ.get("PORT", "3000")), host="127.0.0.1"),
    lambda at: print(f"listening on ws://127.0.0.1:{at.port}", flush=True),
)
app.run()
