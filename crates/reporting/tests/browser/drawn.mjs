// Opens every row of a report in Chromium and reads what the script has drawn.
// Usage: node drawn.mjs CHROMIUM REPORT; modules lie in $REPORT_MODULES.
// Prints one JSON object for each row; whoever called judges them.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(`${process.env.REPORT_MODULES}/`));
const { chromium } = require("playwright-core");
const [executablePath, report] = process.argv.slice(2);

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
try {
  const page = await browser.newPage();
  const errors = [];
  page.on("pageerror", it => errors.push(String(it)));
  await page.goto(pathToFileURL(report).href);
  const rows = await page.evaluate(() => {
    const words = it => it.textContent.trim();
    return [...document.querySelectorAll("#t > tbody > tr")].map(row => {
      row.querySelector("button.name").click();
      const more = row.nextElementSibling;
      const lists = {}, charts = {};
      for (const title of more.querySelectorAll("h3")) {
        const own = title.parentElement;
        lists[words(title)] = [...own.querySelectorAll("li")].map(it =>
          it.children.length === 2 && it.firstChild === it.children[0] ? [...it.children].map(words) : words(it));
        charts[words(title)] = own.querySelector("p") ? words(own.querySelector("p")) : "";
      }
      const table = more.querySelector("table");
      return {
        name: words(row.querySelector("code")), under: words(row.querySelector("th small")),
        cells: [...row.cells].slice(1).map(it => [...it.childNodes].map(words).filter(Boolean)),
        course: [...row.cells[2].querySelectorAll("path")].map(it => it.getAttribute("d")),
        head: table ? [...table.tHead.rows[0].cells].map(words) : [],
        strategies: table ? [...table.tBodies[0].rows].map(it => [...it.cells].map(cell => [...cell.childNodes].map(words))) : [],
        lists, charts,
      };
    });
  });
  console.log(JSON.stringify({ rows, errors }));
} finally {
  await browser.close();
}
