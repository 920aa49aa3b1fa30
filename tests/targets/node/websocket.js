// An echo server of the library `websocket`, with its keepalive. PORT: where to listen, 3000 by default, 0 for a free one.
// KEEPALIVE_INTERVAL, KEEPALIVE_GRACE: milliseconds of silence before a ping, and then before the end. Keeps no counts.

const { server: WebSocketServer } = require('websocket');

const server = new WebSocketServer({
  httpServer: require('./listen')({}),
  autoAcceptConnections: true,
  keepaliveInterval: Number(process.env.KEEPALIVE_INTERVAL ?? 20000),
  keepaliveGracePeriod: Number(process.env.KEEPALIVE_GRACE ?? 10000),
});
server.on('connect', (connection) => {
  connection.on('message', (message) => {
    if (message.type === 'utf8') connection.sendUTF(message.utf8Data);
    else connection.sendBytes(message.binaryData);
  });
});
