// A JSON-RPC server with the library jayson: the method `sum`.
// PORT: where to listen, 3000 by default, 0 for a free one. GET /counts: what it has seen.

const { Server } = require('jayson');

const counts = { opened: 0, closed: 0, said: 0, answered: 0 };
const sum = require('./sum')(counts);

const methods = { sum: (numbers, done) => sum(numbers).then((result) => done(null, result), done) };
const sockets = new Server(methods).websocket({ server: require('./listen')(counts) });
sockets.on('connection', (socket) => {
  counts.opened += 1;
  socket.on('close', () => { counts.closed += 1; });
});
