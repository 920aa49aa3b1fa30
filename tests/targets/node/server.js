// The classic echo server: Express, with `ws` attached to the server that `app.listen` returns.
// PORT: where to listen, 3000 by default, 0 for a free one. GET /counts: what it has seen.
// HEARTBEAT: seconds between two pings, as the README of `ws` sends them; none by default.
// DEFLATE: the value of `perMessageDeflate` as JSON; off by default, as in `ws`.

const express = require('express');
const { Server } = require('ws');

const counts = {
  opened: 0, closed: 0, text: 0, binary: 0, bytes: 0, pings: 0, pongs: 0,
  closes: {}, // ended connections by the close code received; 1005 for an empty Close, 1006 for none
};

const app = express();
app.get('/counts', (request, response) => response.json(counts));

const port = Number(process.env.PORT ?? 3000);
// The backlog is for tests that open a thousand connections at once; `app.listen(3000)` serves as well.
const server = app.listen(port, '127.0.0.1', 4096, (error) => {
  if (error) throw error;
  console.log(`listening on ws://127.0.0.1:${server.address().port}`);
});

const sockets = new Server({ server, perMessageDeflate: JSON.parse(process.env.DEFLATE ?? 'false') });
sockets.on('connection', (socket) => {
  counts.opened += 1;
  socket.on('message', (data, isBinary) => {
    counts[isBinary ? 'binary' : 'text'] += 1;
    counts.bytes += data.length;
    socket.send(data, { binary: isBinary });
  });
  socket.on('ping', () => { counts.pings += 1; });
  socket.isAlive = true;
  socket.on('pong', () => {
    counts.pongs += 1;
    socket.isAlive = true;
  });
  socket.on('error', () => {}); // a broken connection is counted where it closes
  socket.on('close', (code) => {
    counts.closed += 1;
    counts.closes[code] = (counts.closes[code] ?? 0) + 1;
  });
});

// One timer for all: who has not answered the ping of one tick is ended at the next.
if (process.env.HEARTBEAT) {
  setInterval(() => {
    sockets.clients.forEach((socket) => {
      if (!socket.isAlive) return socket.terminate();
      socket.isAlive = false;
      socket.ping();
    });
  }, Number(process.env.HEARTBEAT) * 1000);
}
