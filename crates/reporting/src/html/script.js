"use strict";
(() => {
const table = document.getElementById("t"), block = document.getElementById("data");
if (!table || !block) return;
const data = JSON.parse(block.textContent);
const LEVELS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
const text = at => data.texts[at];
const count = n => String(n).replace(/\B(?=(\d{3})+$)/g, ",");
function el(tag, attributes, ...children) {
  const it = document.createElement(tag);
  for (const name in attributes) it.setAttribute(name, attributes[name]);
  it.append(...children.filter(child => child !== null && child !== ""));
  return it;
}
function svg(width, height, label, ...shapes) {
  const ns = "http://www.w3.org/2000/svg", it = document.createElementNS(ns, "svg");
  const set = (node, attributes) => {
    for (const name in attributes) node.setAttribute(name, attributes[name]);
    return node;
  };
  set(it, {viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label, class: "chart"});
  it.append(...shapes.map(([tag, attributes]) => set(document.createElementNS(ns, tag), attributes)));
  return it;
}
const figure = (title, drawing, note) =>
  el("div", {}, el("h3", {}, title), drawing, el("p", {class: "soft small"}, note));

function line(levels, title, note) {
  if (!levels) return null;
  const step = 240 / levels.length;
  let path = "", joined = false;
  [...levels].forEach((symbol, at) => {
    const level = LEVELS.indexOf(symbol);
    if (level < 0) { joined = false; return; }
    path += `${joined ? "L" : "M"}${(at * step).toFixed(1)} ${50 - level / 63 * 48}h${step.toFixed(1)}`;
    joined = true;
  });
  return figure(title, svg(240, 52, title, ["path", {class: "l", d: path}],
    ["path", {class: "x", d: "M0 51h240"}]), note);
}
const counts = (levels, n) => {
  const parts = [...levels].map(it => LEVELS.indexOf(it)), all = parts.reduce((a, b) => a + b, 0) || 1;
  return parts.map(it => it / all * n);
};
function distribution(it) {
  if (!it) return null;
  const [low, high, earlier, later, n, more, parted] = it;
  const before = counts(earlier, n), after = counts(later, more);
  const sum = part => part.reduce((a, b) => a + b, 0) || 1;
  const most = Math.max(...before.map(n => n / sum(before)), ...after.map(n => n / sum(after))) || 1;
  const width = 240 / before.length;
  const bars = (part, up) => part.map((n, at) => {
    const height = n / sum(part) / most * 30;
    return n ? `M${(at * width).toFixed(1)} 32${up ? "v-" : "v"}${height.toFixed(1)}h${(width - 1).toFixed(1)}V32z` : "";
  }).join("");
  return figure("Durations before and after",
    svg(240, 64, "Durations before (up) and after (down)", ["path", {class: "d", d: bars(before, true)}],
      ["path", {class: "e", d: bars(after, false)}], ["path", {class: "x", d: "M0 32h240"}]),
    `${low} to ${high}; up: ${count(n)} before ${text(parted)}, down: ${count(more)} since.`);
}
function waiting(it, outcomes) {
  if (!it) return null;
  const earlier = counts(it[2], it[4]), later = counts(it[3], it[5]);
  const bins = earlier.map((n, at) => n + later[at]);
  let faults = 0;
  for (let at = 0; at < outcomes.length; at += 2)
    if (/^(not found|low confidence|ambiguous|validation failed|invalid selector|timeout)$/.test(text(outcomes[at])))
      faults += outcomes[at + 1];
  const all = bins.reduce((a, b) => a + b, 0) + faults;
  if (!all) return null;
  const width = 240 / bins.length;
  let done = 0, path = "M0 50";
  for (const n of bins) { done += n; path += `V${(50 - done / all * 48).toFixed(1)}h${width.toFixed(1)}`; }
  return figure("Done within a time", svg(240, 52, "Share that had succeeded within a time",
    ["path", {class: "l", d: path}], ["path", {class: "x", d: "M0 51h240"}]),
    `${it[0]} to ${it[1]}; the height is the share of tested operations that had succeeded by then.`);
}
function list(title, pairs) {
  return el("div", {}, el("h3", {}, title), el("ul", {}, ...pairs.map(([a, b]) =>
    el("li", {}, el("span", {}, a), el("span", {}, b)))));
}
function strategies(rows) {
  if (!rows.length) return el("p", {class: "none"}, "No attempts are recorded.");
  const others = [...new Set(rows.flatMap(row => row.slice(7).filter((_, at) => at % 2 === 0)))];
  const head = ["Strategy", "Tried and used", "Tried", "Used", "Empty", ...others.map(text), "Shadow", "Median"];
  const most = Math.max(...rows.map(row => row[2])) || 1;
  const body = rows.map(row => {
    const [kind, words, tried, used, empty, shadow, median] = row;
    const other = at => { const found = row.indexOf(at, 7); return found < 0 ? 0 : row[found + 1]; };
    const width = n => (n / most * 150).toFixed(1);
    const bar = svg(152, 12, `${count(used)} of ${count(tried)} used`,
      ["rect", {class: "t", x: 1, y: 1, height: 10, width: width(tried)}],
      ["rect", {class: "g", x: 1, y: 1, height: 10, width: width(used)}]);
    const cells = [bar, ...[tried, used, empty, ...others.map(other), shadow].map(count), median || "no data"];
    return el("tr", {}, el("th", {scope: "row"}, kind < 0 ? "all others" : text(kind),
      words < 0 ? "" : el("small", {}, el("code", {}, text(words)))),
      ...cells.map((cell, at) => el("td", {"data-l": head[at + 1], ...(at ? {class: "n"} : {})}, el("span", {}, cell))));
  });
  return el("div", {}, el("h3", {}, "Strategies and how their tries ended"),
    el("div", {class: "wide", role: "group", tabindex: 0, "aria-label": "Strategies"}, el("table", {class: "plainest"},
      el("thead", {}, el("tr", {}, ...head.map((it, at) => el("th", {scope: "col", ...(at > 1 ? {class: "n"} : {})}, it)))),
      el("tbody", {}, ...body))));
}
function details(at) {
  const pairs = flat => flat.reduce((all, it, i) => i % 2 ? all : [...all, [text(it), count(flat[i + 1])]], []);
  const [success, event, faults, urls, flaky] = data.ev[at];
  const [p50, top, fallback, confidence] = data.ser[at];
  const time = data.time[at], sure = data.conf[at];
  const depth = data.depth[at].map((n, i) => [i ? `fallback ${i}${i === 8 ? " or deeper" : ""}` : "first strategy", count(n)]);
  const axis = `from ${data.from}, steps of ${data.step}`;
  const facts = [["distinct URLs", count(urls)]];
  if (time) facts.push(["99% within", time[0]], ["longest", time[1]], ["timed", count(time[2])]);
  if (sure) facts.push(["mean confidence", sure[0]], ["lowest confidence", sure[1]], ["with confidence", count(sure[2])]);
  if (flaky) facts.push(["flips back on one page", flaky]);
  if (success) facts.push(["last success", success]);
  const errors = data.err[at].map(([kind, words, n]) => el("li", {}, `${count(n)} × `, kind < 0 ? "all others" : text(kind),
    words < 0 ? "" : ": ", words < 0 ? "" : el("code", {}, text(words))));
  const events = [...faults.map(id => ["fault", id]), ...(event ? [["last success", event]] : [])];
  return el("div", {class: "more"}, strategies(data.strat[at]),
    el("div", {class: "pairs"}, ...[distribution(data.dist[at]), waiting(data.dist[at], data.out[at]),
      line(p50, "Median time", `highest ${top}, ${axis}`), line(fallback, "Share of fallbacks", `0 to 100%, ${axis}`),
      line(confidence, "Mean confidence", `0 to 1, ${axis}`), list("Outcomes", pairs(data.out[at])),
      depth.length ? list("Found by the", depth) : null, list("Facts", facts)].filter(Boolean)),
    errors.length ? el("div", {}, el("h3", {}, "Reported errors"), el("ul", {class: "plain"}, ...errors)) : "",
    events.length ? el("div", {}, el("h3", {}, "Example events"), el("ul", {class: "plain"}, ...events.map(([what, id]) =>
      el("li", {}, `${what} `, el("code", {}, id))))) : "");
}

const body = table.tBodies[0], rows = [...body.rows];
const columns = table.tHead.rows[0].cells.length;
rows.forEach((row, at) => {
  const code = row.cells[0].querySelector("code");
  const button = el("button", {type: "button", class: "name", "aria-expanded": "false"});
  code.replaceWith(button);
  button.append(code);
  let more = null;
  button.addEventListener("click", () => {
    const open = button.getAttribute("aria-expanded") !== "true";
    button.setAttribute("aria-expanded", String(open));
    if (open && !more) {
      more = el("tr", {class: "open"}, el("td", {colspan: columns}, details(at)));
      row.more = more;
    }
    if (open) row.after(more); else more.remove();
  });
});
function value(row, column) {
  const cell = row.cells[column], words = cell.textContent.trim();
  if (column === 1) return ["✕", "▲", "✓", "–"].indexOf(words[0]);
  const found = /^([\d.,]+)\s*(µs|ms|s|h|%)?/.exec(words);
  if (!found) return -1;
  return Number(found[1].replace(/,/g, "")) * ({"µs": 1e-3, s: 1e3, h: 3.6e6}[found[2]] || 1);
}
[...table.tHead.rows[0].cells].forEach((head, column) => {
  if (column === 2) return;
  const button = el("button", {type: "button", class: "sort"}, head.textContent);
  head.replaceChildren(button);
  button.addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") !== "descending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = new Map(rows.map(row => [row, column ? value(row, column) : row.cells[0].textContent]));
    const order = [...rows].sort((a, b) => {
      const [x, y] = [key.get(a), key.get(b)];
      return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1);
    });
    body.replaceChildren(...order.flatMap(row => row.more && row.more.isConnected ? [row, row.more] : [row]));
  });
});
const search = el("input", {type: "search", id: "search", autocomplete: "off"});
const told = el("span", {role: "status", class: "soft small"});
search.addEventListener("input", () => {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of rows) {
    const own = row.cells[0].textContent.toLowerCase() + " " + row.cells[1].textContent;
    row.hidden = !words.every(word => own.includes(word));
    if (row.more) row.more.hidden = row.hidden;
    shown += !row.hidden;
  }
  told.textContent = words.length ? `${count(shown)} of ${count(rows.length)}` : "";
});
document.getElementById("tools").append(el("label", {for: "search"}, "Search "), search, " ", told);
})();
