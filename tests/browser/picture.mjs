// Takes the picture of a page that the README shows, down to its first chart over time: node picture.mjs REPORT.html FILE.png
import puppeteer from 'puppeteer-core';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [page, file] = process.argv.slice(2).map(path => resolve(path));
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'],
});
const tab = await browser.newPage();
const width = 1000;
await tab.setViewport({ width, height: 1000 });
await tab.goto(pathToFileURL(page));
const height = await tab.$eval('#latency-0', chart => Math.ceil(chart.getBoundingClientRect().bottom) + 20);
await tab.setViewport({ width, height });
await tab.screenshot({ path: file });
await browser.close();
