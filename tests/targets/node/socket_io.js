// A Socket.IO server that takes WebSockets only. Its heartbeat is text: it sends `2` and wants `3`.
// PORT: where to listen, 3000 by default, 0 for a free one. GET /counts: what it has seen.
// PING_INTERVAL, PING_TIMEOUT: seconds; 25 and 20 by default, as everywhere.
//
// Rooms: `join` with a room is acknowledged with {"ok":true}; `say` with a room and a text sends `said` with both to each
// of the room, the speaker too, and is acknowledged where it asks for that. The namespace /admin wants a token.

const { Server } = require('socket.io');

const counts = { opened: 0, closed: 0, refused: 0, joined: 0, said: 0, answered: 0, pushed: 0 };
const seconds = (name, otherwise) => Number(process.env[name] ?? otherwise) * 1000;

const io = new Server(require('./listen')(counts), {
  transports: ['websocket'],
  pingInterval: seconds('PING_INTERVAL', 25),
  pingTimeout: seconds('PING_TIMEOUT', 20),
  connectTimeout: seconds('CONNECT_TIMEOUT', 600), // clients that join no namespace may stay
});

io.engine.on('connection', (socket) => {
  counts.opened += 1;
  socket.on('close', () => { counts.closed += 1; });
});

const rooms = (namespace) => (socket) => {
  const answer = (acknowledge) => {
    if (!acknowledge) return;
    counts.answered += 1;
    acknowledge({ ok: true });
  };
  socket.on('join', ({ room }, acknowledge) => {
    counts.joined += 1;
    socket.join(room);
    answer(acknowledge);
  });
  socket.on('say', ({ room, text }, acknowledge) => {
    counts.said += 1;
    counts.pushed += namespace.adapter.rooms.get(room)?.size ?? 0;
    namespace.to(room).emit('said', { room, text });
    answer(acknowledge);
  });
};

io.on('connection', rooms(io.sockets));

const admin = io.of('/admin');
admin.use((socket, next) => {
  if (socket.handshake.auth.token === 'secret') return next();
  counts.refused += 1;
  next(new Error('the token is wrong'));
});
admin.on('connection', rooms(admin));
