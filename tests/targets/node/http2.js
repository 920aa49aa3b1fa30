// Echoes messages over HTTP/2 (RFC 8441): the http2 of Node, and `ws` on each of its streams. Run: node http2.js HOST PORT
// The path may ask for something else: see `REFUSALS`, `ENDS` and `goaway`.

const http2 = require('http2');
const WebSocket = require('ws');

const { NGHTTP2_INTERNAL_ERROR, NGHTTP2_REFUSED_STREAM } = http2.constants;

// In place of an answer.
const REFUSALS = {
  '/refuse': (stream) => stream.close(NGHTTP2_REFUSED_STREAM),
  '/fail': (stream) => stream.close(NGHTTP2_INTERNAL_ERROR),
  '/status': (stream) => stream.respond({ ':status': 405 }, { endStream: true }),
};

// After its first message.
const ENDS = {
  '/end': (stream) => stream.end(),
  '/cancel': (stream) => stream.destroy(),
  '/break': (stream) => stream.destroy(new Error('broken')),
};

// A connection wants no more streams when it has had so many to /goaway.
const STREAMS = 3;

const [host, port] = process.argv.slice(2);
const server = http2.createServer({ settings: { enableConnectProtocol: true } });

server.on('session', (session) => { session.asked = 0; });
server.on('stream', (stream, headers) => {
  stream.on('error', () => {});
  const path = headers[':path'];
  const refusal = headers[':protocol'] === 'websocket' ? REFUSALS[path] : REFUSALS['/status'];
  if (refusal) {
    refusal(stream);
    return;
  }
  stream.respond({ ':status': 200 });
  // What `ws` asks of a TCP socket, and a stream does not have.
  stream.setNoDelay = () => {};
  const socket = new WebSocket(null, undefined, { autoPong: true });
  socket.on('error', () => {});
  socket.on('message', (message, binary) => (ENDS[path] ? ENDS[path](stream) : socket.send(message, { binary })));
  socket.setSocket(stream, Buffer.alloc(0), { maxPayload: 16 << 20 });
  if (path === '/goaway') {
    stream.session.asked += 1;
    if (stream.session.asked === STREAMS) stream.session.goaway();
  }
});

server.listen(Number(port), host, 4096);
