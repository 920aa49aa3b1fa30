// Takes the picture of a page that the README shows: node picture.mjs REPORT.html FILE.png
import puppeteer from 'puppeteer-core';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [page, file] = process.argv.slice(2).map(path => resolve(path));
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'],
});
const tab = await browser.newPage();
await tab.setViewport({ width: 1000, height: 1180 });
await tab.goto(pathToFileURL(page));
await tab.screenshot({ path: file });
await browser.close();
