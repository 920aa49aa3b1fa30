// The runs and searches whose pages are looked at, made by the program itself.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WebSocketServer } from 'ws';

const root = resolve(fileURLToPath(import.meta.url), '../../..');
const program = resolve(root, process.env.WSBENCH_BIN ?? 'target/debug/wsbench');

/** What a server says that would like to be more than text. */
export const EVIL = '<script>alert(1)</script>"\'</title><img src=x onerror=alert(2)>&lt;';

const HEALTHY = `
name = "healthy"
description = "Some talk, some listen, and all is well."
target.url = "embedded"
load = { ramp_up = "1s", duration = "6s", ramp_down = "500ms" }
heartbeat = { interval = "500ms", timeout = "2s" }
[[message]]
name = "echo"
rate = "20/s"
[[cohort]]
name = "talking"
connections = 20
[[cohort]]
name = "idle"
connections = 10
message = []
[gates]
pass = ["count(messages.echoed) > 0", "p99(latency.echo) < 5s", "count(connections.lost) == 0"]
`;

const promises = await readFile(resolve(root, 'tests/common/eventful.toml'), 'utf8');

const hostile = url => `
name = "hostile"
description = ${JSON.stringify(EVIL)}
target.url = "${url}"
load = { connections = 10, duration = "3s" }
[[message]]
name = "echo"
rate = "20/s"
[gates]
pass = ["count(connections.lost) == 0"]
`;

/** Clients that only open, as a search tries more and more of them. */
const taken = url => `
name = "taken"
target.url = "${url}"
load = { connections = 1, duration = "1s" }
[gates]
pass = ["count(connections.failed) == 0", "p50(handshake.total) < 5s"]
`;

/** Calls the program with a scenario in a new folder, to its end. */
const call = async (name, scenario, args, code) => {
  const folder = await mkdtemp(join(tmpdir(), `wsbench-${name}-`));
  await writeFile(join(folder, `${name}.toml`), scenario);
  const child = spawn(program, [args[0], `${name}.toml`, ...args.slice(1)], { cwd: folder });
  let said = '';
  child.stdout.on('data', text => { said += text; });
  child.stderr.on('data', text => { said += text; });
  const [exit] = await once(child, 'close');
  if (!code.includes(exit)) throw new Error(`${program} ended with ${exit}: ${said}`);
  return { folder, file: file => readFile(join(folder, file), 'utf8') };
};

/** Runs a scenario, and gives the page and what `run.json` holds. */
const run = async (name, scenario, code) => {
  const args = ['run', '--out', '.', '--quiet', '--label', 'commit=abc123'];
  const { folder, file } = await call(name, scenario, args, code);
  return { name, folder, html: await file('report.html'), json: await file('run.json') };
};

/** Searches for how many clients a server takes in, and gives the page. */
const search = async most => {
  const server = spawn(program, ['serve', '--port', '0', '--tied', '--max-connections', `${most}`]);
  const [line] = await once(server.stdout, 'data');
  const url = `${line}`.match(/ws:\S+/)[0];
  const range = ['--from', '20', '--to', '200', '--precision', '20%', '--settle', '0s'];
  const args = ['search', '--vary', 'connections', ...range, '--pid', `${server.pid}`, '--out', 'found'];
  const { folder, file } = await call('search', taken(url), args, [0]);
  server.stdin.end();
  return { name: 'search', folder, html: await file('found/search.html') };
};

/** A server that echoes, but says what would like to be a script, and ends the first connections with such words. */
const hostileServer = async () => {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  let opened = 0;
  server.on('connection', socket => {
    const number = opened++;
    socket.on('message', (text, isBinary) => socket.send(text, { binary: isBinary }));
    setTimeout(() => socket.send(EVIL), 300);
    if (number < 2) setTimeout(() => socket.close(1011, EVIL), 900);
  });
  await once(server, 'listening');
  return { url: `ws://127.0.0.1:${server.address().port}/`, end: () => server.close() };
};

/**
 * The pages: those of a healthy run, one with promises, one against a hostile server, and a search. That of another search
 * is a fixture with hostile text.
 */
export const all = async () => {
  const server = await hostileServer();
  // Where the machine is busy, a run may be in doubt (4): its page is one as well.
  const pages = await Promise.all([
    run('healthy', HEALTHY, [0, 4]),
    run('promises', promises, [3, 4]),
    run('hostile', hostile(server.url), [3, 4]),
    search(70),
  ]);
  server.end();
  const fixture = await readFile(resolve(root, 'tests/golden/search.html'), 'utf8');
  pages.push({ name: 'hostile-search', html: fixture });
  return Object.fromEntries(pages.map(one => [one.name, one]));
};
