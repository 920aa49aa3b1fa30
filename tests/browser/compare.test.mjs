// Looks at the page of a comparison in a real Chromium: WSBENCH_BIN names the program, CHROMIUM the browser. With SHOTS, a
// folder, it keeps pictures to look at.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
const folder = mkdtempSync(join(tmpdir(), 'wsbench-compare-'));

const SCENARIO = `
name = "compared"
target.url = "embedded"
load = { connections = 20, duration = "3s" }
message = [{ name = "echo", rate = "20/s" }]
`;
const GATES = [
  'p50(latency.echo) < 110% of baseline',
  'p99(latency.echo) < 110% of baseline',
  'rate(messages.echoed) > 95% of baseline',
  'count(connections.lost) <= 100% of baseline + 2',
];

/** Six sessions of the past, made of one that was run: twice as fast at p50, and a p99 that wanders. */
const past = session => [0, 1, 2, 3, 4, 5].map(number => {
  const values = structuredClone(session.values);
  const off = 1 + [0, 0.3, -0.3, 0.6, -0.4, 0.1][number];
  values['p50(latency.echo)'] = values['p50(latency.echo)'].map(us => us * (0.5 + off / 100));
  values['p99(latency.echo)'] = values['p99(latency.echo)'].map(us => us * off);
  return { ...session, started_at: `2026-11-0${number + 1}T20:15:00Z`, values };
});

let html, server, browser;

before(async () => {
  writeFileSync(join(folder, 'compared.toml'), SCENARIO);
  const call = args => spawnSync(program, args, { cwd: folder, encoding: 'utf8' });
  let run;
  // Where the machine is busy, a run may be in doubt (4), and is in no baseline.
  for (let turn = 0; turn < 5 && run?.status !== 0; turn++) run = call(['run', 'compared.toml', '--quiet', '--out', 'new']);
  assert.equal(run.status, 0, run.stdout + run.stderr);
  execFileSync(program, ['baseline', 'add', 'base.json', 'new'], { cwd: folder });
  const baseline = JSON.parse(readFileSync(join(folder, 'base.json'), 'utf8'));
  baseline.sessions = past(baseline.sessions[0]);
  writeFileSync(join(folder, 'base.json'), JSON.stringify(baseline));
  const gates = GATES.flatMap(gate => ['--gate', gate]);
  const compared = call(['compare', '--baseline', 'base.json', 'new', '--html', 'compare.html', ...gates]);
  assert.equal(compared.status, 3, compared.stdout + compared.stderr);
  html = readFileSync(join(folder, 'compare.html'), 'utf8');
  browser = await puppeteer.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
  });
  // As Jenkins serves the files of a build, or with nothing allowed but the style that the page holds.
  server = createServer((request, response) => {
    const policy = request.url === '/jenkins' ? "sandbox; default-src 'none'; style-src 'self'" : "default-src 'none'; style-src 'unsafe-inline'";
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy }).end(html);
  });
  await new Promise(ready => server.listen(0, '127.0.0.1', ready));
});

after(async () => {
  await browser?.close();
  server?.close();
  rmSync(folder, { recursive: true });
});

/** Looks at the page. Whatever it loads or complains of is a failure. */
const look = async ({ policy = '', mode = 'light', width = 1280 }, call) => {
  const page = await browser.newPage();
  const address = `http://127.0.0.1:${server.address().port}/${policy}`;
  const wrong = [];
  page.on('console', message => message.type() === 'error' && wrong.push(message.text()));
  page.on('request', request => request.url() !== address && wrong.push(`loads ${request.url()}`));
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: mode }]);
  await page.goto(address);
  if (shots) {
    mkdirSync(shots, { recursive: true });
    await page.screenshot({ path: join(shots, `compare-${width}-${policy || mode}.png`), fullPage: true });
  }
  await call(page);
  const expected = text => policy === 'jenkins' && /Content Security Policy/.test(text);
  assert.deepEqual(wrong.filter(text => !expected(text)), []);
  await page.close();
};

test('each number has a bar, and each gate a verdict, whatever a policy forbids', async () => {
  assert(!html.includes('<script'), 'it needs none');
  for (const policy of ['', 'jenkins']) {
    await look({ policy }, async page => {
      const rows = await page.$$eval('.differences tbody tr', every => every.map(row => ({
        bar: row.querySelector('svg').getBoundingClientRect().width, verdict: row.querySelector('b')?.textContent,
      })));
      assert.deepEqual(rows.slice(0, 4).map(row => row.verdict), ['worse', 'undecided', 'held', 'held']);
      assert(rows.length > 6 && rows.every(row => row.bar === 300), JSON.stringify(rows));
      assert.match(await page.$eval('header', header => header.textContent), /WORSE.*1 of 4 gates on the baseline is worse/s);
    });
  }
});

test('it fits a phone, dark and light, and axe has no objection', async () => {
  for (const mode of ['light', 'dark']) {
    for (const width of [1280, 390]) {
      await look({ mode, width }, async page => {
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        assert(wide <= width, `${wide} px wide`);
        const bar = await page.$eval('.f-bad', bar => getComputedStyle(bar).fill);
        assert.equal(bar, mode === 'dark' ? 'rgb(255, 123, 134)' : 'rgb(196, 41, 59)');
        await page.evaluate(axe);
        const { violations, passes } = await page.evaluate(() => globalThis.axe.run());
        const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map(node => node.html).slice(0, 3).join(' ').slice(0, 300)}`);
        assert.deepEqual(told, [], `${mode}, ${width} px`);
        assert(passes.length >= 15, `axe looked at ${passes.length} rules`);
      });
    }
  }
});
