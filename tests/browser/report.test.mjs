// Looks at the pages of real runs and searches in a real Chromium: WSBENCH_BIN names the program, CHROMIUM the browser. With
// SHOTS, a folder, it keeps pictures to look at.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import puppeteer from 'puppeteer-core';
import { EVIL, all } from './runs.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const shots = process.env.SHOTS;

/** The strictest policy under which the whole page works: only the style and the scripts that it holds itself. */
const own = html => {
  const hashes = tag => [...html.matchAll(new RegExp(`<${tag}>(.*?)</${tag}>`, 'gs'))]
    .map(([, text]) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`).join(' ');
  return `default-src 'none'; style-src ${hashes('style')}; script-src ${hashes('script')}`;
};
/** The policy that Jenkins sets for the files of a build. */
const JENKINS = "sandbox; default-src 'none'; style-src 'self'";

/** What could stand in a page whose escapes have a hole. */
const ATTACK = '<p id="attack" style="color: rgb(255, 0, 0)" onclick="0">x</p><img src="/a/b.png"><script>document.title = "evil"</script>';
const attacks = [];

let pages, server, browser;

before(async () => {
  [pages, browser] = await Promise.all([all(), puppeteer.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
  })]);
  server = createServer((request, response) => {
    const [, policy, name] = request.url.split('/');
    const html = pages[name]?.html;
    if (request.url.endsWith('.png')) attacks.push(request.url);
    if (!html) return response.writeHead(404).end();
    response.setHeader('content-type', 'text/html; charset=utf-8');
    if (policy === 'attacked') return response.end(html.replace('<main', `${ATTACK}<main`));
    if (policy !== 'none') response.setHeader('content-security-policy', policy === 'jenkins' ? JENKINS : own(html));
    response.end(html);
  });
  await new Promise(ready => server.listen(0, '127.0.0.1', ready));
});

after(async () => {
  await browser?.close();
  server?.close();
  for (const { folder } of Object.values(pages ?? {})) if (folder) rmSync(folder, { recursive: true });
});

/** Looks at a page. Whatever it complains of, loads or pops up is a failure. */
const look = async (name, { policy = 'own', mode = 'light', width = 1280, script = true } = {}, call) => {
  const page = await browser.newPage();
  const address = `http://127.0.0.1:${server.address().port}/${policy}/${name}`;
  const wrong = [];
  page.on('console', message => message.type() === 'error' && wrong.push(message.text()));
  page.on('pageerror', error => wrong.push(String(error)));
  page.on('dialog', dialog => { wrong.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on('request', request => request.url() !== address && wrong.push(`loads ${request.url()}`));
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: mode }]);
  await page.setJavaScriptEnabled(script);
  await page.goto(address);
  await call(page);
  // Jenkins' policy refuses our style and scripts on purpose, and Chromium says so; nothing else may be wrong.
  const expected = text => policy === 'jenkins' && /Content Security Policy|sandboxed/.test(text);
  assert.deepEqual(wrong.filter(text => !expected(text)), [], `${name} under ${policy}`);
  await page.close();
};

const shoot = async (page, name) => {
  if (!shots) return;
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
};

const isSearch = name => name.endsWith('search');
const everyPage = async (options, call) => {
  for (const name of Object.keys(pages)) await look(name, options, page => call(page, name));
};
/** Those with charts over time, and a script. */
const everyReport = async (options, call) => {
  for (const name of Object.keys(pages)) if (!isSearch(name)) await look(name, options, page => call(page, name));
};

/** Where in a chart a second of its run is, as a point of the window. */
const place = async (page, selector) => {
  const chart = await page.$(selector);
  await chart.scrollIntoView();
  const [from, to, left, right] = (await chart.evaluate(svg => svg.dataset.x)).split(',').map(Number);
  const box = await chart.boundingBox();
  const x = second => box.x + box.width * (left + (right - left) * (second - from) / (to - from)) / 1120;
  return { from, to, at: second => [x(second), box.y + box.height / 2] };
};
const crosses = page => page.$$eval('svg[data-x] .cross', every => every.map(path => path.getAttribute('d')));

test('pictures are whole with scripts, without them, and where Jenkins forbids styles too', async () => {
  for (const options of [{}, { script: false }, { policy: 'jenkins' }, { policy: 'jenkins', script: false }]) {
    await everyPage(options, async (page, name) => {
      const seen = await page.$$eval('svg[role=img]', every => every.map(svg => {
        const { width, height } = svg.getBoundingClientRect();
        return { name: svg.getAttribute('aria-label'), width, height };
      }));
      assert(seen.length >= (isSearch(name) ? 2 : 4), `${name} has ${seen.length} pictures`);
      for (const one of seen) assert(one.name && one.width > 100 && one.height > 8, `${name}: ${JSON.stringify(one)}`);
      if (options.policy) {
        const stroke = await page.$eval('.s-p50', path => getComputedStyle(path).stroke);
        assert.equal(stroke, 'rgb(42, 157, 143)', 'colours without styles');
        await shoot(page, `${name}-jenkins`);
      }
      if (isSearch(name)) return;
      const shown = await page.$eval('.js', hint => getComputedStyle(hint).display !== 'none');
      assert.equal(shown, !options.policy && options.script !== false, 'hints are shown where the script runs');
    });
  }
});

test('one pointer puts a crosshair into every chart over time', () => everyReport({}, async (page, name) => {
  const { from, to, at } = await place(page, 'svg[data-x]');
  await page.mouse.move(...at(from + (to - from) * 0.45));
  const lines = await crosses(page);
  assert(lines.length >= 3, `${name} has ${lines.length} charts over time`);
  assert(lines.every(d => /^M\d+(\.\d+)? /.test(d)), lines.join());
  assert.equal(new Set(lines.map(d => d.split(' ')[0])).size, 1, 'at one time');
  const tip = await page.$eval('.tip', tip => tip.innerText);
  assert.match(tip, /^[\d.]+ s – [\d.]+ s\n/, tip);
  await shoot(page, `${name}-crosshair`);
  await page.mouse.move(2, 2);
  assert.deepEqual([...new Set(await crosses(page))], ['']);
}));

test('a drag zooms every chart over time, and a double click leads back', () => everyReport({}, async (page, name) => {
  const state = () => page.$$eval('svg[data-x]', every => every.map(svg => [
    ...[...svg.querySelectorAll('.marks')].map(marks => marks.getAttribute('viewBox')),
    [...svg.querySelectorAll('.ticks text')].map(text => text.textContent).join(),
  ].join('|')));
  const before = await state();
  const { from, to, at } = await place(page, 'svg[data-x]');
  const part = share => at(from + (to - from) * share);
  await page.mouse.move(...part(0.3));
  await page.mouse.down();
  await page.mouse.move(...part(0.5));
  assert.match((await crosses(page))[0], /z$/, 'the band of the drag');
  await page.mouse.move(...part(0.7));
  await page.mouse.up();
  const zoomed = await state();
  zoomed.forEach((text, i) => assert.notEqual(text, before[i], `chart ${i} of ${name}`));
  await shoot(page, `${name}-zoomed`);
  await page.mouse.click(...part(0.5), { clickCount: 2 });
  assert.deepEqual(await state(), before);
}));

test('the run that is saved from the page is run.json', () => everyReport({}, async (page, name) => {
  const [file, saved] = await page.evaluate(async () => {
    const blobs = [], links = [], create = URL.createObjectURL;
    URL.createObjectURL = blob => (blobs.push(blob), create.call(URL, blob));
    HTMLAnchorElement.prototype.click = function () { links.push(this.download); };
    document.querySelector('button[data-save]').click();
    while (!links.length) await new Promise(resolve => setTimeout(resolve, 5));
    return [links[0], await blobs[0].text()];
  });
  assert.equal(file, 'run.json');
  assert(saved === pages[name].json, `${saved.length} instead of ${pages[name].json.length} characters`);
}));

test('a page by itself uses nothing but its own style and scripts', async () => {
  await everyPage({ policy: 'none' }, async (page, name) => {
    const on = await page.$eval('html', html => html.classList.contains('on'));
    assert.equal(on, !isSearch(name), 'its own script runs');
    assert.equal(await page.$eval('body', body => getComputedStyle(body).margin), '0px', 'its own style holds');
  });
  for (const name of Object.keys(pages)) {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${server.address().port}/attacked/${name}`, { waitUntil: 'networkidle0' });
    const colour = await page.$eval('#attack', attack => getComputedStyle(attack).color);
    assert.notEqual(colour, 'rgb(255, 0, 0)', name);
    assert.match(await page.title(), / · wsbench$/, name);
    await page.close();
  }
  assert.deepEqual(attacks, []);
});

test('what a server and a scenario say is only text', () => look('hostile', {}, async page => {
  const { scripts, images } = await page.evaluate(() => ({
    scripts: [...document.scripts].map(script => script.id || script.type),
    images: document.querySelectorAll('img, iframe, object, foreignObject, [onerror], [onload], [style]').length,
  }));
  assert.deepEqual([scripts.length, images], [4, 0], scripts.join());
  const text = await page.$eval('body', body => body.textContent);
  assert(text.split(EVIL).length > 2, 'the description and a close reason');
  assert.match(await page.title(), /^[A-Z ]+ · hostile · wsbench$/);
}));

test('what a server says to a search is only text', () => look('hostile-search', {}, async page => {
  assert.equal(await page.evaluate(() => document.scripts.length), 0);
  const bold = await page.$$eval('b', every => every.map(b => b.textContent));
  assert(!bold.includes('bold'), bold.join());
  const text = await page.$eval('body', body => body.textContent);
  for (const said of ['<script>alert(1)</script>', 'a <b>bold</b> scenario']) assert(text.includes(said), said);
}));

test('a search leads to the report of each of its probes', () => look('search', {}, async page => {
  const rows = await page.$$eval('#probes tbody tr', rows => rows.map(row => row.querySelector('a')?.getAttribute('href')));
  assert(rows.length >= 4, `${rows.length} probes`);
  for (const report of rows) assert(existsSync(join(pages.search.folder, 'found', report)), report);
}));

test('no page scrolls sideways on a phone', async () => {
  for (const mode of ['light', 'dark']) {
    await everyPage({ width: 390, mode }, async (page, name) => {
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert(width <= 390, `${name} is ${width} px wide`);
      const cut = await page.$$eval('.gates', tables => tables.map(table => table.scrollWidth - table.parentElement.clientWidth));
      assert(cut.every(px => px <= 0), `${name}: its gates are ${cut} px too wide`);
      await shoot(page, `${name}-390-${mode}`);
    });
  }
});

test('dark reaches the pictures', () => everyPage({ mode: 'dark' }, async (page, name) => {
  const colours = await page.evaluate(() => [
    getComputedStyle(document.body).backgroundColor,
    getComputedStyle(document.querySelector('.s-p50')).stroke,
  ]);
  assert.deepEqual(colours, ['rgb(20, 24, 29)', 'rgb(67, 198, 181)'], name);
}));

test('it prints on a few light pages', () => everyPage({ mode: 'dark' }, async (page, name) => {
  const path = shots && join(shots, `${name}.pdf`);
  const pdf = await page.pdf({ format: 'A4', printBackground: true, path });
  const count = Buffer.from(pdf).toString('latin1').match(/\/Type\s*\/Page\b/g).length;
  const [least, most] = isSearch(name) ? [1, 3] : [2, 6];
  assert(count >= least && count <= most, `${name}: ${count} pages`);
  await page.emulateMediaType('print');
  const paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const navs = await page.$$eval('nav', every => every.map(nav => getComputedStyle(nav).display));
  assert.deepEqual([paper, ...navs], ['rgb(255, 255, 255)', ...isSearch(name) ? [] : ['none']]);
}));

test('axe has no objection', async () => {
  const check = async (page, name) => {
    await page.evaluate(axe);
    const { violations, passes } = await page.evaluate(() => globalThis.axe.run());
    const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map(node => node.html).slice(0, 3).join(' ').slice(0, 300)}`);
    assert.deepEqual(told, [], name);
    assert(passes.length >= 20, `axe looked at ${passes.length} rules`);
  };
  for (const mode of ['light', 'dark']) {
    await everyPage({ mode }, async (page, name) => {
      await shoot(page, `${name}-${mode}`);
      await check(page, `${name}, ${mode}`);
    });
  }
  for (const name of ['promises', 'search']) await look(name, { width: 390 }, page => check(page, `${name} on a phone`));
});
