// Opens HTML reports in Chromium and checks what only a browser can tell.
// Usage: node check.mjs CHROMIUM REPORT HOSTILE; modules lie in $REPORT_MODULES.
// Prints one JSON object; whoever called judges it.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(`${process.env.REPORT_MODULES}/`));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const [executablePath, report, hostile] = process.argv.slice(2);
const told = { violations: [], requests: [], dialogs: [], errors: [], views: 0 };

async function open(context, file) {
  const page = await context.newPage();
  page.on("request", it => { if (!it.url().startsWith("file:")) told.requests.push(it.url()); });
  page.on("dialog", it => { told.dialogs.push(it.message()); it.dismiss(); });
  page.on("pageerror", it => told.errors.push(String(it)));
  page.on("console", it => { if (it.type() === "error") told.errors.push(it.text()); });
  await page.goto(pathToFileURL(file).href);
  return page;
}

const openEverything = page => page.evaluate(() => {
  for (const it of document.querySelectorAll("details")) it.open = true;
  for (const it of document.querySelectorAll("button.name")) it.click();
});

// The policy of the page forbids scripts but its own; axe comes in beside it.
async function violations(page, view) {
  const client = await page.context().newCDPSession(page);
  await client.send("Runtime.evaluate", { expression: axe });
  const { result } = await client.send("Runtime.evaluate", {
    expression: `axe.run().then(it => JSON.stringify(it.violations.map(v =>
      v.id + ": " + v.nodes.slice(0, 3).map(n => n.html.slice(0, 160) + " " + n.failureSummary).join(" | "))))`,
    awaitPromise: true, returnByValue: true,
  });
  for (const it of JSON.parse(result.value)) told.violations.push(`${view}: ${it}`);
  told.views += 1;
}

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
try {
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [320, 1280]) {
      const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 } });
      const page = await open(context, report);
      await violations(page, `${colorScheme} ${width} closed`);
      await openEverything(page);
      await violations(page, `${colorScheme} ${width} open`);
      const overflow = await page.evaluate(() =>
        document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (overflow > 0) told.errors.push(`${colorScheme} ${width}: ${overflow} px too wide`);
      await context.close();
    }
  }
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await open(context, report);
  const names = () => page.$$eval("#t > tbody > tr:not([hidden]) > th code", all => all.map(it => it.textContent));
  told.rows = (await names()).length;
  await page.fill("#search", "price");
  told.found = await names();
  await page.fill("#search", "");
  // By keyboard: to the first name, open it.
  await page.focus("button.name");
  await page.keyboard.press("Enter");
  told.opened = await page.textContent("tr.open");
  await page.click("button.sort >> nth=2");
  told.sorted = await page.$$eval("#t > tbody > tr:not(.open) > td:nth-child(4)", all => all.map(it => parseFloat(it.textContent)));
  await context.close();
  const bare = await browser.newContext({ javaScriptEnabled: false, viewport: { width: 1280, height: 900 } });
  const still = await open(bare, report);
  told.without = { rows: await still.locator("#t > tbody > tr").count(), buttons: await still.locator("button").count(),
    note: await still.locator("noscript").textContent() };
  await bare.close();
  const wild = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page2 = await open(wild, hostile);
  await openEverything(page2);
  told.injected = await page2.evaluate(() => ({
    scripts: document.querySelectorAll("script").length, images: document.images.length,
    frames: window.frames.length, handlers: document.querySelectorAll("[onerror],[onload],[onmouseover]").length,
    links: [...document.links].filter(it => !it.getAttribute("href").startsWith("#")).length,
    opened: document.querySelectorAll("tr.open").length }));
  await wild.close();
} finally {
  await browser.close();
}
console.log(JSON.stringify(told));
