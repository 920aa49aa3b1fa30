// A JSON-RPC server with the library rpc-websockets: the method `sum`, and the notification `tick` every 100 ms to those
// who asked for it with `rpc.on`.
// PORT: where to listen, 3000 by default, 0 for a free one. GET /counts: what it has seen.

const { Server } = require('rpc-websockets');

const counts = { opened: 0, closed: 0, said: 0, answered: 0 };

const server = new Server({ server: require('./listen')(counts) });
server.register('sum', require('./sum')(counts));
server.event('tick');
server.on('connection', (socket) => {
  counts.opened += 1;
  socket.on('close', () => { counts.closed += 1; });
});

let n = 0;
setInterval(() => server.emit('tick', n += 1), 100);
