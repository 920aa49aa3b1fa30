// An echo server of Deno. Arguments: the port, and the seconds of silence before the end of a client.
const [port, idleTimeout] = Deno.args.map(Number);

Deno.serve({ hostname: "127.0.0.1", port }, (request) => {
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
    return new Response(null, { status: 404 });
  }
  const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout });
  socket.binaryType = "arraybuffer";
  socket.onmessage = (event) => socket.send(event.data);
  return response;
});
