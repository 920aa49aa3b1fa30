// A GraphQL server by the protocol `graphql-transport-ws`, with the library graphql-ws.
// PORT: where to listen, 3000 by default, 0 for a free one. GET /counts: what it has seen.
// KEEP_ALIVE: seconds between two pings, and to wait for the pong; 12 by default.
//
// `{ now }` is answered once; `subscription { price(symbol: "ABC") { symbol n at } }` every second. A payload
// {"token":"wrong"} of `connection_init` is refused with 4403; who sends none within three seconds is closed with 4408.

const { WebSocketServer } = require('ws');
const { useServer } = require('graphql-ws/use/ws');
const { buildSchema } = require('graphql');
const { setTimeout: pause } = require('timers/promises');

const counts = { opened: 0, closed: 0, refused: 0, joined: 0, completed: 0, pushed: 0, closes: {} };

const schema = buildSchema(`
  type Query { now: Float! }
  type Price { symbol: String!, n: Int!, at: Float! }
  type Subscription { price(symbol: String!): Price! }
`);

async function* price({ symbol }) {
  for (let n = 1; ; n += 1) {
    yield { price: { symbol, n, at: Date.now() } };
    await pause(1000);
  }
}

const sockets = new WebSocketServer({ server: require('./listen')(counts), path: '/graphql' });
sockets.on('connection', (socket) => {
  counts.opened += 1;
  socket.on('close', () => { counts.closed += 1; });
  // What it ends by itself: the code that it sends first.
  const close = socket.close.bind(socket);
  socket.close = (code, reason) => {
    if (socket.readyState === socket.OPEN) counts.closes[code] = (counts.closes[code] ?? 0) + 1;
    close(code, reason);
  };
});

useServer({
  schema,
  roots: { query: { now: () => Date.now() }, subscription: { price } },
  connectionInitWaitTimeout: 3000,
  onConnect: ({ connectionParams }) => {
    const allowed = connectionParams?.token !== 'wrong';
    counts.refused += !allowed;
    return allowed;
  },
  onSubscribe: () => { counts.joined += 1; },
  onNext: () => { counts.pushed += 1; },
  onComplete: () => { counts.completed += 1; },
}, sockets, Number(process.env.KEEP_ALIVE ?? 12) * 1000);
