// Tries servers by hand on the page of `wsbench serve`, in a real Chromium: WSBENCH_BIN names the program, CHROMIUM the browser.
// With SHOTS, a folder, it keeps pictures to look at.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import puppeteer from 'puppeteer-core';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const root = resolve(fileURLToPath(import.meta.url), '../../..');
const program = resolve(root, process.env.WSBENCH_BIN ?? 'target/debug/wsbench');
const shots = process.env.SHOTS;
const folder = mkdtempSync(join(tmpdir(), 'wsbench-hand-'));
// The page's modules are modules by their place in it; to Node by this.
cpSync(join(root, 'src/server/page'), join(folder, 'page'), { recursive: true });
writeFileSync(join(folder, 'page/package.json'), '{ "type": "module" }');
const { scenario } = await import(join(folder, 'page/scenario.js'));
/** How long something may take on a busy machine, in ms. */
const PATIENCE = 30_000;

const started = [];
/** Starts a server that says `listening on ws://…` first. */
const start = async (command, args, env = {}) => {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] });
  started.push(child);
  let said = '';
  for await (const chunk of child.stdout) {
    said += chunk;
    const url = said.match(/listening on (ws:\/\/\S+)\n/)?.[1];
    if (url) return { child, url };
  }
  throw new Error(`${command} ended: ${said}`);
};
const serve = (...args) => start(program, ['serve', '--port', '0', ...args]);
const node = () => start('node', [join(root, 'tests/targets/node/server.js')], { PORT: '0' });

let own, browser;

before(async () => {
  [own, browser] = await Promise.all([serve(), puppeteer.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
    protocolTimeout: 120_000,
  })]);
});

after(async () => {
  await browser?.close();
  for (const child of started) {
    child.kill('SIGCONT');
    child.kill('SIGKILL');
  }
  rmSync(folder, { recursive: true });
});

/** Looks at the page. Whatever it complains of, or loads from elsewhere, is a failure. */
const look = async ({ mode = 'light', width = 1280 } = {}, call) => {
  const page = await browser.newPage();
  const address = own.url.replace('ws', 'http');
  const wrong = [];
  // A connection that fails on purpose is told there, too.
  page.on('console', message => message.type() === 'error' && !/WebSocket (connection|is closed)/.test(message.text()) && wrong.push(message.text()));
  page.on('pageerror', error => wrong.push(String(error)));
  page.on('request', request => !request.url().startsWith(address) && !/^(data|blob|wss?):/.test(request.url()) && wrong.push(`loads ${request.url()}`));
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: mode }]);
  await page.goto(`${address}/`);
  await call(page);
  assert.deepEqual(wrong, []);
  await page.close();
};

const shoot = async (page, name) => {
  if (!shots) return;
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `hand-${name}.png`), fullPage: true });
};

/** Sets fields by their ids, as a user does. */
const fill = (page, fields) => page.evaluate(fields => {
  for (const [id, value] of Object.entries(fields)) {
    const field = document.getElementById(id);
    if (typeof value === 'boolean') field.checked = value;
    else field.value = value;
    field.dispatchEvent(new Event('change', { bubbles: true }));
  }
}, fields);
const press = (page, selector) => page.$eval(selector, button => button.click());
const text = (page, id) => page.$eval(`#${id}`, element => element.textContent);
/** Waits until a text of the page is like this, and returns what it says then. */
const until = async (page, id, pattern) => {
  await page.waitForFunction((id, source) => new RegExp(source).test(document.getElementById(id).textContent), { timeout: PATIENCE }, id, pattern.source)
    .catch(async () => assert.fail(`${id} says ${JSON.stringify(await text(page, id))}, not ${pattern}; ${(await rows(page)).slice(0, 12).join(' | ')}`));
  return (await text(page, id)).match(pattern);
};
/** The rows of the log as texts, newest first. */
const rows = page => page.$$eval('#log tr', every => every.map(row => [...row.cells].slice(1).map(cell => cell.textContent).join(' ').trim()));
const connect = async (page, fields = {}) => {
  await fill(page, fields);
  await press(page, '#connect');
  await until(page, 'word', /^OPEN$/);
};

test('the built-in server is tried: states, texts, bytes, its time, a code and a reason', () => look({}, async page => {
  assert.match(await page.$eval('#url', field => field.value), /^ws:\/\/127\.0\.0\.1:\d+\/time$/);
  const named = await page.$$eval('#states li', items => items.map(item => item.textContent));
  assert.deepEqual(named, ['connecting', 'open', 'closing', 'closed'], 'no number that reads as a count');
  await connect(page, { protocols: 'chat.v2, chat.v1' });
  assert.equal(await page.$eval('#states .now', item => item.textContent), 'open');
  assert(await page.evaluate(() => crossOriginIsolated), 'the clock is as fine as it can be');
  await until(page, 'time', /^\d\d:\d\d:\d\d$/);
  await until(page, 'apart', /^came [\d.]+ m?s (later|before: clocks differ)$/);
  await fill(page, { message: 'höllo "1"' });
  await press(page, '#once');
  await until(page, 'echo', /^[\d.]+ m?s$/);
  await press(page, '[value=binary]');
  await fill(page, { message: '00 f' });
  await press(page, '#once');
  await until(page, 'problem', /pairs of hex digits/);
  await fill(page, { message: '00FF 7a' });
  await press(page, '#once');
  await until(page, 'log', /← ?3 bytes: 00 ff 7a/);
  await shoot(page, 'open');
  await fill(page, { code: '1005' });
  await press(page, '#close');
  await until(page, 'problem', /close code must be/i);
  await fill(page, { code: '4001', reason: 'done' });
  await press(page, '#close');
  await until(page, 'word', /^CLOSED$/);
  const seen = (await rows(page)).reverse();
  const states = seen.filter(row => row.includes('readyState')).map(row => row.match(/readyState (\d)/)[1]);
  assert.deepEqual(states, ['0', '1', '2', '3']);
  for (const part of ['speaks chat.v2', '→ höllo "1"', '← höllo "1"', 'closes with 4001: done', 'closed with 4001: done']) {
    assert(seen.some(row => row.includes(part)), `no ${part} in ${seen.join(' | ')}`);
  }
  await shoot(page, 'closed');
}));

test('repeating keeps a rate, and the log is bounded and says so', () => look({}, async page => {
  await connect(page, { url: own.url, rate: '1000' });
  await press(page, '#repeat');
  await until(page, 'log-size', /1,000 events, [\d,]+ older ones dropped/);
  await press(page, '#repeat');
  assert((await rows(page)).length <= 300);
  const before = await text(page, 'sent');
  await page.evaluate(() => new Promise(done => setTimeout(done, 300)));
  assert.equal(await text(page, 'sent'), before, 'it has stopped');
  await press(page, '#clear');
  await until(page, 'log-size', /^newest first$/);
}));

/** Gives the scenario to the program. */
const give = (command, scenario) => {
  const file = join(folder, 'by-hand.toml');
  writeFileSync(file, scenario);
  const { status, stdout, stderr } = spawnSync(program, [command, file], { encoding: 'utf8' });
  assert.equal(status, 0, `${stdout}${stderr}\n${scenario.slice(0, 3000)}`);
  return stdout;
};

test('what was done by hand is a scenario that plays', () => look({}, async page => {
  await connect(page, { url: `${own.url}/time`, message: 'hello', beating: true, interval: '0.2', rate: '20' });
  await press(page, '#once');
  await until(page, 'log', /← ?hello/);
  await until(page, 'log', /♥/);
  await fill(page, { message: 'again' });
  await press(page, '#repeat');
  await page.waitForFunction(() => [...document.querySelectorAll('#log tr.received')].filter(row => row.textContent.includes('again')).length >= 3, { timeout: PATIENCE });
  await press(page, '#repeat');
  await press(page, '#close');
  await until(page, 'word', /^CLOSED$/);
  await press(page, '#as-scenario');
  const written = await text(page, 'scenario');
  await shoot(page, 'scenario');
  assert.match(written, /send = \{ text = "hello" \}\nexpect = \{ text = "hello" \}/);
  assert.match(written, /repeat = \{ count = \d+, rate = "[\d.]+\/s" \}/);
  assert.match(written, /kind = "text"/);
  give('check', written);
  assert.match(give('try', written), /hello/);
}));

test('whatever was sent, the scenario is one', () => {
  const texts = ['', 'a', '{{stamp}}', '}}{{{{', '${HOME}', '"""\'\'\'\\', '\u0000\u001f\u007f\u2028', 'ä🦀', 'x'.repeat(5000), '{"a":[1,2]}', '# [step]\n\r\t'];
  const bytes = [new Uint8Array(0), new Uint8Array([0, 255]), new Uint8Array(9000).fill(7)];
  // A small generator of numbers, always the same.
  let seed = 7;
  const random = below => (seed = (seed * 48271) % 2147483647) % below;
  const all = [...texts, ...bytes];
  for (let turn = 0; turn < 12; turn += 1) {
    let at = Date.now();
    const url = 'ws://127.0.0.1:9/a?b=c d"e';
    const open = { at, kind: 'open', url: new URL(url).href, protocols: turn % 3 ? [] : ['a.b', 'c'] };
    const events = [];
    for (let number = 0; number < turn * 5; number += 1) {
      at += random(3) * 40;
      const data = all[turn === 1 ? number % all.length : random(all.length)];
      const echo = random(2) ? random(50) : undefined;
      events.push({ at, kind: random(4) ? 'sent' : 'received', data, echo, beat: random(9) === 0 });
    }
    if (turn % 2) events.push({ at, kind: 'closing', by: 'hand', code: [undefined, 1000, 3999, 4999][random(4)], reason: '"bye"' });
    const beats = turn % 4 ? null : { text: texts[1 + random(texts.length - 1)], interval: 500 + random(1000), timeout: 100 + random(900), answers: false };
    assert.match(give('check', scenario(open, events, beats, random(2))), /by-hand/);
  }
});

test('a server of Express and `ws` is tried, and a classic page talks to the built-in one', () => look({}, async page => {
  const { url } = await node();
  await connect(page, { url, message: 'over there' });
  await press(page, '#once');
  await until(page, 'log', /← ?over there/);
  await press(page, '#connect');
  await until(page, 'word', /^CLOSED$/);

  const classic = `<!doctype html><title>classic</title><ul id="log"></ul><script>
    const say = text => { document.getElementById('log').insertAdjacentHTML('beforeend', '<li>' + text); };
    const socket = new WebSocket('${own.url}/time');
    socket.onopen = () => { say('opened'); socket.send('hello'); };
    socket.onmessage = event => { say('heard ' + event.data); if (event.data === 'hello') socket.close(1000, 'thanks'); };
    socket.onclose = event => say('closed ' + event.code + ' ' + event.reason + ' ' + event.wasClean);
  </script>`;
  const server = createServer((request, response) => response.setHeader('content-type', 'text/html').end(classic));
  await new Promise(ready => server.listen(0, '127.0.0.1', ready));
  const other = await browser.newPage();
  await other.goto(`http://127.0.0.1:${server.address().port}/`);
  await until(other, 'log', /opened.*heard hello.*closed 1000 thanks true/);
  assert.match(await text(other, 'log'), /heard \d{4}-\d\d-\d\dT[\d:.]+Z/);
  await other.close();
  server.close();
}));

for (const [name, begin] of [['the built-in server', serve], ['a server of Node', node]]) {
  test(`${name} stands still: the heartbeat notices, and finds it again when it goes on`, () => look({}, async page => {
    const { child, url } = await begin();
    await connect(page, { url, beating: true, interval: '0.3', timeout: '1.5', back: true });
    await until(page, 'beat', /^[\d.]+ m?s$/);
    child.kill('SIGSTOP');
    await until(page, 'log', /nothing came for [\d.]+ m?s: given up/);
    await until(page, 'beats', /^silent \d+ times?$/);
    // What it dials meanwhile is taken by the kernel, and answered by nobody.
    await until(page, 'beats', /^silent ([2-9]|\d\d+) times$/);
    assert.match(await page.$eval('#head', head => head.className), /bad|doubt/);
    await shoot(page, `silent-${name.split(' ').at(-1)}`);
    child.kill('SIGCONT');
    await fill(page, { message: 'back again' });
    // On a busy machine it may be given up once more.
    await page.waitForFunction(() => {
      document.getElementById('once').click();
      return [...document.querySelectorAll('#log tr.received')].some(row => row.textContent.includes('back again'));
    }, { polling: 500, timeout: PATIENCE });
  }));
}

test('a server that is not there is told, and dialled until it is stopped', () => look({}, async page => {
  await fill(page, { url: 'ws://127.0.0.1:9', back: true });
  await press(page, '#connect');
  await until(page, 'log', /did not open/);
  await until(page, 'log', /dials again in/);
  await until(page, 'connect', /^Stop$/);
  await page.waitForFunction(() => document.getElementById('word').textContent === 'CLOSED', { timeout: PATIENCE });
  await press(page, '#connect');
  await until(page, 'connect', /^Connect$/);
  await fill(page, { url: 'ws://[' });
  await press(page, '#connect');
  await until(page, 'problem', /invalid/i);
}));

test('it fits a phone, dark and light, and axe has no objection', async () => {
  for (const mode of ['light', 'dark']) {
    for (const width of [1280, 390]) {
      await look({ mode, width }, async page => {
        await connect(page, { beating: true, interval: '0.3' });
        await press(page, '#once');
        await until(page, 'log', /← ?hello/);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        assert(wide <= width, `${wide} px wide`);
        await shoot(page, `${mode}-${width}`);
        await page.evaluate(axe);
        for (const state of ['open', 'scenario']) {
          if (state === 'scenario') await press(page, '#as-scenario');
          const { violations, passes } = await page.evaluate(() => globalThis.axe.run());
          const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map(one => one.html).slice(0, 3).join(' ').slice(0, 300)}`);
          assert.deepEqual(told, [], `${mode}, ${width} px, ${state}`);
          assert(passes.length >= 15, `axe looked at ${passes.length} rules`);
        }
      });
    }
  }
});
