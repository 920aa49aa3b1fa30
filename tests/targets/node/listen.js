// What every server here does: it listens on PORT (3000 by default, 0 for a free one), says where, and tells its
// counts at GET /counts.

const { createServer } = require('http');

module.exports = (counts) => {
  const server = createServer((request, response) => {
    response.statusCode = request.url === '/counts' ? 200 : 404;
    response.end(JSON.stringify(counts));
  });
  // The backlog is for tests that open a thousand connections at once.
  server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', 4096, () => {
    console.log(`listening on ws://127.0.0.1:${server.address().port}`);
  });
  return server;
};
