// A Socket.IO server that takes WebSockets only. Its heartbeat is text: it sends `2` and wants `3`.
// PORT: where to listen, 3000 by default, 0 for a free one.
// PING_INTERVAL, PING_TIMEOUT: seconds; 25 and 20 by default, as everywhere.

const { createServer } = require('http');
const { Server } = require('socket.io');

const seconds = (name, otherwise) => Number(process.env[name] ?? otherwise) * 1000;

const server = createServer();
new Server(server, {
  transports: ['websocket'],
  pingInterval: seconds('PING_INTERVAL', 25),
  pingTimeout: seconds('PING_TIMEOUT', 20),
  connectTimeout: seconds('CONNECT_TIMEOUT', 600), // clients that join no namespace may stay
});
server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', 4096, () => {
  console.log(`listening on ws://127.0.0.1:${server.address().port}`);
});
