// An echo server of faye-websocket. PORT: where to listen, 3000 by default, 0 for a free one. Keeps no counts.

const WebSocket = require('faye-websocket');

require('./listen')({}).on('upgrade', (request, socket, head) => {
  const client = new WebSocket(request, socket, head);
  client.on('message', (event) => client.send(event.data));
});
