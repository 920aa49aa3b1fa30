// Looks at a run while it goes on, in a real Chromium: WSBENCH_BIN names the program, CHROMIUM the browser. With SHOTS, a folder,
// it keeps pictures to look at.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync, mkdtempSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import puppeteer from 'puppeteer-core';

const root = resolve(fileURLToPath(import.meta.url), '../../..');
const program = resolve(root, process.env.WSBENCH_BIN ?? 'target/debug/wsbench');
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const shots = process.env.SHOTS;

const scenario = duration => `
name = "looked-at"
description = "<b>Somebody</b> looks on."
target.url = "embedded"
load = { ramp_up = "1s", duration = "${duration}" }
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
pass = ["count(messages.echoed) > 0", "p99(latency.echo) < 5s", "count(connections.lost) == 0", "p50(close.duration) < 9s"]
`;

let browser;

before(async () => {
  browser = await puppeteer.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    // A name of somebody else that leads to this machine.
    args: ['--no-sandbox', '--disable-gpu', '--host-resolver-rules=MAP evil.example 127.0.0.1'],
  });
});

after(() => browser?.close());

/** Starts a command with a dashboard in a new folder, which may have a file; gives its address and its end. */
const begin = async (args, file) => {
  const folder = mkdtempSync(join(tmpdir(), 'wsbench-dashboard-'));
  if (file) writeFileSync(join(folder, 'run.toml'), file);
  const child = spawn(program, [...args, '--out', 'report', '--dashboard', '127.0.0.1:0'], { cwd: folder });
  let said = '';
  child.stdout.on('data', text => { said += text; });
  const ended = once(child, 'close').then(([code]) => ({ code, said }));
  const url = await new Promise((found, lost) => {
    child.stderr.on('data', text => {
      said += text;
      const url = said.match(/dashboard: (\S+)/)?.[1];
      if (url) found(url);
    });
    ended.then(({ code }) => lost(new Error(`it ended with ${code}: ${said}`)));
  });
  return { url, folder, ended, child };
};

/** Starts a run with a dashboard. */
const start = (duration, ...more) => begin(['run', 'run.toml', '--quiet', ...more], scenario(duration));

/** Opens a page. Whatever it complains of, or loads from elsewhere, is a failure. */
const open = async (url, { mode = 'light', width = 1280 } = {}) => {
  const page = await browser.newPage();
  const wrong = [], { origin } = new URL(url);
  page.on('console', message => message.type() === 'error' && wrong.push(message.text()));
  page.on('pageerror', error => wrong.push(String(error)));
  page.on('request', request => request.url().startsWith(origin) || wrong.push(`loads ${request.url()}`));
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: mode }]);
  await page.goto(url);
  return { page, wrong };
};

const shoot = async (page, name) => {
  if (!shots) return;
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
};

/** Brings the first chart into view, and says where it is then. */
const place = page => page.evaluate(() => {
  document.querySelector('#latency-0').scrollIntoView({ behavior: 'instant' });
  const { x, y, width, height } = document.querySelector('#latency-0 svg').getBoundingClientRect();
  return { x, y, width, height };
});

const word = page => page.$eval('.word', element => element.textContent.trim());
const within = { timeout: 30_000 };

test('the page changes while the run goes on, and becomes the report', async () => {
  const run = await start('9s');
  const { page, wrong } = await open(run.url);
  assert.match(await word(page), /RUNNING/);
  assert.equal(await page.$eval('header p:not(.meta):not(.word)', element => element.textContent), '<b>Somebody</b> looks on.');
  await page.waitForSelector('#latency-0 svg', within);
  const ends = () => page.evaluate(() => JSON.parse(document.getElementById('readings').textContent).to);
  const first = await ends();
  // What the reader has opened stays open, and what is zoomed stands still.
  await page.$eval('#run details', details => { details.open = true; });
  await page.waitForFunction(to => JSON.parse(document.getElementById('readings').textContent).to > to, within, first);
  assert.equal(await page.$eval('#run details', details => details.open), true);
  assert.equal(await page.$eval('#gates h2', element => element.textContent), 'Gates so far');
  const open_ = await page.$$eval('#gates tbody tr', rows => rows.map(row => row.querySelector('.sr').textContent.trim()));
  assert.equal(open_.length, 4);
  assert.doesNotMatch(open_[3], /held|broken|failed/, 'nothing has closed yet, so that gate says nothing');
  await page.waitForFunction(() => document.querySelector('.word').textContent.trim().match(/PASS|NO VERDICT/), within);
  // The report works where it is: its charts answer the pointer.
  const box = await place(page);
  await page.mouse.move(box.x + box.width / 2, box.y + 60);
  assert.notEqual(await page.$eval('.tip', element => element.textContent), '');
  assert.equal(await page.$('[data-stop]'), null);
  const { code } = await run.ended;
  assert.ok([0, 4].includes(code), `${code}`);
  assert.equal(await page.$eval('html', html => html.classList.contains('gone')), false);
  assert.equal(await page.title(), readFileSync(join(run.folder, 'report/report.html'), 'utf8').match(/<title>(.*?)<\/title>/)[1]);
  await shoot(page, 'dashboard-ended');
  assert.deepEqual(wrong, []);
  await page.close();
  rmSync(run.folder, { recursive: true });
});

test('a service that is watched is shown, and its end becomes the report', async () => {
  const server = spawn(program, ['serve', '--port', '0'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const [line] = await once(server.stdout, 'data');
  const address = String(line).match(/ws:\S+/)[0];
  const watch = await begin(['watch', address, '--connections', '3', '--interval', '500ms', '--timeout', '5s']);
  const { page, wrong } = await open(watch.url);
  assert.match(await word(page), /RUNNING/);
  await page.waitForSelector('[id^="rtt"] svg', within);
  assert.match(await page.$eval('h1', element => element.textContent), /watch/);
  const states = await page.$$eval('#gates tbody tr', rows => rows.map(row => row.querySelector('.sr').textContent.trim()));
  assert.equal(states.length, 3);
  page.on('dialog', dialog => dialog.accept());
  await page.evaluate(() => document.querySelector('[data-stop]').click());
  await page.waitForFunction(() => document.querySelector('.word').textContent.trim().match(/PASS|NO VERDICT/), within);
  // On a busy machine it may be in doubt.
  const { code } = await watch.ended;
  assert.equal(code, (await word(page)).match(/PASS/) ? 0 : 4);
  assert.deepEqual(wrong, []);
  await page.close();
  server.kill();
  rmSync(watch.folder, { recursive: true });
});

test('a zoomed chart stands still until it is zoomed out', async () => {
  const run = await start('60s');
  const { page, wrong } = await open(run.url);
  await page.waitForFunction(() => {
    const readings = document.getElementById('readings');
    return readings && JSON.parse(readings.textContent).to >= 3 && document.querySelector('#latency-0 svg');
  }, within);
  const to = () => page.evaluate(() => JSON.parse(document.getElementById('readings').textContent).to);
  const head = () => page.$eval('#head .why', element => element.textContent);
  const box = await place(page);
  await page.mouse.move(box.x + 300, box.y + 80);
  await page.mouse.down();
  await page.mouse.move(box.x + 600, box.y + 80);
  await page.mouse.up();
  await page.waitForSelector('svg.zoomed', within);
  const [still, before] = [await to(), await head()];
  await page.waitForFunction(text => document.querySelector('#head .why').textContent !== text, within, before);
  assert.equal(await to(), still);
  await page.mouse.click(box.x + 500, box.y + 80, { count: 2 });
  await page.waitForFunction(to => JSON.parse(document.getElementById('readings').textContent).to > to, within, still);
  run.child.kill('SIGINT');
  const { code } = await run.ended;
  assert.equal(code, 130);
  assert.deepEqual(wrong, []);
  await page.close();
  rmSync(run.folder, { recursive: true });
});

test('the button ends the run, for who has the token', async () => {
  const run = await start('60s');
  const without = await open(run.url.split('?')[0]);
  const visible = page => page.$eval('[data-stop]', button => button.checkVisibility());
  assert.equal(await visible(without.page), false);
  const { page, wrong } = await open(run.url);
  assert.equal(await visible(page), true);
  page.on('dialog', dialog => dialog.accept());
  // The header may be replaced between the two.
  await page.evaluate(() => document.querySelector('[data-stop]').click());
  const { code } = await run.ended;
  assert.equal(code, 130);
  for (const one of [page, without.page]) {
    await one.waitForFunction(() => /INTERRUPTED/.test(document.querySelector('.word').textContent), within);
  }
  assert.deepEqual([...wrong, ...without.wrong], []);
  await page.close();
  await without.page.close();
  rmSync(run.folder, { recursive: true });
});

test('a name that was made to lead here shows nothing', async () => {
  const run = await start('60s');
  const page = await browser.newPage();
  const { port } = new URL(run.url);
  const answer = await page.goto(`http://evil.example:${port}/`);
  assert.equal(answer.status(), 421);
  assert.doesNotMatch(await page.content(), /RUNNING/);
  await page.close();
  // A page of another server cannot end it either, even if it knew the token.
  const other = await browser.newPage();
  await other.goto('data:text/html,<p>elsewhere');
  const ended = await other.evaluate(async url => {
    const answer = await fetch(url, { method: 'POST', mode: 'no-cors' }).catch(String);
    return String(answer.type ?? answer);
  }, run.url.replace('/?', '/stop?'));
  assert.ok(ended, 'it was tried');
  await other.close();
  const { page: own } = await open(run.url);
  assert.match(await word(own), /RUNNING/);
  await own.close();
  run.child.kill('SIGINT');
  assert.equal((await run.ended).code, 130);
  rmSync(run.folder, { recursive: true });
});

test('a program that is gone is told', async () => {
  const run = await start('60s');
  const { page } = await open(run.url);
  await page.waitForSelector('#latency-0 svg', within);
  const lost = () => page.$eval('.lost', words => words.checkVisibility());
  assert.equal(await lost(), false);
  run.child.kill('SIGKILL');
  await page.waitForFunction(() => document.querySelector('.lost').checkVisibility(), within);
  await page.close();
  rmSync(run.folder, { recursive: true });
});

for (const [mode, width] of [['light', 1280], ['dark', 1280], ['light', 390], ['dark', 390]]) {
  test(`it is readable: ${mode}, ${width} px`, async () => {
    const run = await start('60s');
    const { page, wrong } = await open(run.url, { mode, width });
    await page.waitForFunction(() => {
      const readings = document.getElementById('readings');
      return readings && JSON.parse(readings.textContent).to >= 4;
    }, within);
    // As the parts are replaced, axe looks at a copy that stands still.
    const html = await page.evaluate(() => `<!doctype html>${document.documentElement.outerHTML}`.replace(/<script>.*?<\/script>/gs, ''));
    const copy = await browser.newPage();
    await copy.setViewport({ width, height: 900 });
    await copy.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: mode }]);
    await copy.setBypassCSP(true);
    await copy.setContent(html.replace(/<meta http-equiv="Content-Security-Policy"[^>]*>/, ''));
    await copy.evaluate(axe);
    const { violations } = await copy.evaluate(() => window.axe.run());
    assert.deepEqual(violations.map(one => `${one.id}: ${one.nodes[0]?.html}`), []);
    assert.ok(await copy.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing is wider than the window');
    await copy.close();
    await shoot(page, `dashboard-${mode}-${width}`);
    run.child.kill('SIGINT');
    await run.ended;
    assert.deepEqual(wrong, []);
    await page.close();
    rmSync(run.folder, { recursive: true });
  });
}
