// Echoes messages over HTTP/2 (RFC 8441): the http2 of Node, and `ws` on each of its streams. Run: node http2.js HOST PORT

const http2 = require('http2');
const WebSocket = require('ws');

const [host, port] = process.argv.slice(2);
const server = http2.createServer({ settings: { enableConnectProtocol: true } });

server.on('stream', (stream, headers) => {
  if (headers[':protocol'] !== 'websocket') {
    stream.respond({ ':status': 405 }, { endStream: true });
    return;
  }
  stream.respond({ ':status': 200 });
  // What `ws` asks of a TCP socket, and a stream does not have.
  stream.setNoDelay = () => {};
  const socket = new WebSocket(null, undefined, { autoPong: true });
  socket.on('error', () => {});
  socket.on('message', (message, binary) => socket.send(message, { binary }));
  socket.setSocket(stream, Buffer.alloc(0), { maxPayload: 16 << 20 });
});

server.listen(Number(port), host, 4096);
