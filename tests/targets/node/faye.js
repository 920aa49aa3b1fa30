// An echo server of faye-websocket. PORT: where to listen, 3000 by default, 0 for a free one. Keeps no counts.
// LIBRARY: the module, which is there in two versions. CLOSE_AFTER: milliseconds after which it closes each client; by
// default it closes none.

const WebSocket = require(process.env.LIBRARY ?? 'faye-websocket');

require('./listen')({}).on('upgrade', (request, socket, head) => {
  const client = new WebSocket(request, socket, head);
  client.on('message', (event) => client.send(event.data));
  if (process.env.CLOSE_AFTER) setTimeout(() => client.close(1000), Number(process.env.CLOSE_AFTER));
});
