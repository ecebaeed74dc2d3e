"use strict";
(() => {
const table = document.getElementById("t"), block = document.getElementById("data");
if (!table || !block) return;
const data = JSON.parse(block.textContent), body = table.tBodies[0], rows = [...body.rows];
const LEVELS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
const text = at => data.texts[at];
const count = n => String(n).replace(/\B(?=(\d{3})+$)/g, ",");
const sum = numbers => numbers.reduce((a, b) => a + b, 0);
const ms = n => typeof n === "string" ? n : n < .9995 ? `${(n * 1e3).toFixed(0)} µs` : n < 9.995 ? `${n.toFixed(2)} ms`
  : n < 99.95 ? `${n.toFixed(1)} ms` : n < 9999.5 ? `${n.toFixed(0)} ms` : n < 7.2e6 ? `${(n / 1e3).toFixed(1)} s` : `${(n / 3.6e6).toFixed(1)} h`;
const percent = n => n === 0 || n === 100 ? `${n}%` : `${n.toFixed(1)}%`;
const time = second => new Date((data.begin + second) * 1e3).toISOString().slice(0, 19).replace("T", " ") + " UTC";
function id(it) {
  if (it[0] === "=") return it.slice(1);
  const number = [...it].reduce((n, symbol) => n * 64n + BigInt(LEVELS.indexOf(symbol)), 0n);
  return number.toString(16).padStart(32, "0").replace(/(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
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
  const parts = [...levels].map(it => LEVELS.indexOf(it)), all = sum(parts) || 1;
  return parts.map(it => it / all * n);
};
function distribution(it) {
  if (!it) return null;
  const [low, high, earlier, later, n, more, parted] = it;
  const before = counts(earlier, n), after = counts(later, more);
  const whole = part => sum(part) || 1;
  const most = Math.max(...before.map(n => n / whole(before)), ...after.map(n => n / whole(after))) || 1;
  const width = 240 / before.length;
  const bars = (part, up) => part.map((n, at) => {
    const height = n / whole(part) / most * 30;
    return n ? `M${(at * width).toFixed(1)} 32${up ? "v-" : "v"}${height.toFixed(1)}h${(width - 1).toFixed(1)}V32z` : "";
  }).join("");
  return figure("Durations before and after",
    svg(240, 64, "Durations before (up) and after (down)", ["path", {class: "d", d: bars(before, true)}],
      ["path", {class: "e", d: bars(after, false)}], ["path", {class: "x", d: "M0 32h240"}]),
    `${ms(low)} to ${ms(high)}; up: ${count(n)} before ${text(parted)}, down: ${count(more)} since.`);
}
function waiting(it, outcomes) {
  if (!it) return null;
  const earlier = counts(it[2], it[4]), later = counts(it[3], it[5]);
  const bins = earlier.map((n, at) => n + later[at]);
  let faults = 0;
  for (let at = 0; at < outcomes.length; at += 2)
    if (/^(not found|low confidence|ambiguous|validation failed|invalid selector|timeout)$/.test(text(outcomes[at])))
      faults += outcomes[at + 1];
  const all = sum(bins) + faults;
  if (!all) return null;
  const width = 240 / bins.length;
  let done = 0, path = "M0 50";
  for (const n of bins) { done += n; path += `V${(50 - done / all * 48).toFixed(1)}h${width.toFixed(1)}`; }
  return figure("Done within a time", svg(240, 52, "Share that had succeeded within a time",
    ["path", {class: "l", d: path}], ["path", {class: "x", d: "M0 51h240"}]),
    `${ms(it[0])} to ${ms(it[1])}; the height is the share of tested operations that had succeeded by then.`);
}
// As the file draws its first rows: successes above the line, faults below it.
function spark(cell, steps, up, down) {
  const outline = (line, levels, sign) => {
    let path = `M0 ${line}`, at = line, width = 0;
    for (let step = 0; step < steps; step += 1) {
      const height = line + sign * LEVELS.indexOf(levels[levels.length === 1 ? 0 : step]);
      if (height !== at) { path += `${width ? `h${width}` : ""}V${height}`; at = height; width = 0; }
      width += 4;
    }
    return ["path", {d: at === line ? path : `${path}h${width}V${line}`, class: sign < 0 ? "" : "b"}];
  };
  const it = svg(128, 25, "", outline(16, up, -1), outline(17, down, 1));
  for (const name of ["viewBox", "role", "aria-label"]) it.removeAttribute(name);
  it.setAttribute("class", "k");
  it.setAttribute("aria-hidden", "true");
  cell.replaceChildren(it);
}
function list(title, pairs) {
  return el("div", {}, el("h3", {}, title), el("ul", {}, ...pairs.map(([a, b]) =>
    el("li", {}, el("span", {}, a), el("span", {}, b)))));
}
// Tried and empty are told as differences from what follows from the others.
function strategies(rows, operations) {
  if (!rows.length) return el("p", {class: "none"}, "No attempts are recorded.");
  let left = operations;
  rows = rows.map(([kind, words, more, used, median, shadow = 0, extra = 0, ...failed]) => {
    const tried = left + more;
    left = tried - used;
    return [kind, words, tried, used, left - sum(failed.filter((_, at) => at % 2)) + extra, shadow, median, ...failed];
  });
  const others = [...new Set(rows.flatMap(row => row.slice(7).filter((_, at) => at % 2 === 0)))];
  const head = ["Strategy", "Tried and used", "Tried", "Used", "Empty", ...others.map(text), "Shadow", "Median"];
  const most = Math.max(...rows.map(row => row[2])) || 1;
  const body = rows.map(row => {
    const [kind, words, tried, used, empty, shadow, median] = row;
    const other = at => { for (let i = 7; i < row.length; i += 2) if (row[i] === at) return row[i + 1]; return 0; };
    const width = n => (n / most * 150).toFixed(1);
    const bar = svg(152, 12, `${count(used)} of ${count(tried)} used`,
      ["rect", {class: "t", x: 1, y: 1, height: 10, width: width(tried)}],
      ["rect", {class: "g", x: 1, y: 1, height: 10, width: width(used)}]);
    const cells = [bar, ...[tried, used, empty, ...others.map(other), shadow].map(count), median === "" ? "no data" : ms(median)];
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
  const [urls, flips, success, event, ...faults] = data.ev[at];
  const [p50, top, fallback, confidence] = data.ser[at];
  const used = data.strat[at].map(row => row[3]), succeeded = data.ok[at] + sum(used), out = data.out[at];
  const operations = succeeded + sum(out.filter((_, i) => i % 2));
  const depth = (data.depth[at] === 1 ? used : data.depth[at]).map((n, i) =>
    [i ? `fallback ${i}${i === 8 ? " or deeper" : ""}` : "first strategy", count(n)]);
  const axis = `from ${data.from}, steps of ${data.step}`;
  const facts = [["distinct URLs", count(urls)]];
  if (data.time[at]) {
    const [most, longest, timed = succeeded] = data.time[at];
    facts.push(["99% within", ms(most)], ["longest", ms(longest)], ["timed", count(timed)]);
  }
  if (data.conf[at].length) {
    const [lowest, known = succeeded] = data.conf[at];
    facts.push(["mean confidence", rows[at].cells[7].textContent.trim()], ["lowest confidence", lowest.toFixed(2)],
      ["with confidence", count(known)]);
  }
  if (flips) facts.push(["flips back on one page", `${percent(flips[0])} of ${count(flips[1])}`]);
  if (success !== null) facts.push(["last success", time(success)]);
  const errors = data.err[at].map(([kind, words, n]) => el("li", {}, `${count(n)} × `, kind < 0 ? "all others" : text(kind),
    words < 0 ? "" : ": ", words < 0 ? "" : el("code", {}, text(words))));
  const events = [...faults.map(it => ["fault", id(it)]), ...(event ? [["last success", id(event)]] : [])];
  return el("div", {class: "more"}, strategies(data.strat[at], operations),
    el("div", {class: "pairs"}, ...[distribution(data.dist[at]), waiting(data.dist[at], out),
      line(p50, "Median time", `highest ${ms(top)}, ${axis}`), line(fallback, "Share of fallbacks", `0 to 100%, ${axis}`),
      line(confidence, "Mean confidence", `0 to 1, ${axis}`), list("Outcomes", [...(succeeded ? [["success", count(succeeded)]] : []), ...pairs(out)]),
      depth.length ? list("Found by the", depth) : null, list("Facts", facts)].filter(Boolean)),
    errors.length ? el("div", {}, el("h3", {}, "Reported errors"), el("ul", {class: "plain"}, ...errors)) : "",
    events.length ? el("div", {}, el("h3", {}, "Example events"), el("ul", {class: "plain"}, ...events.map(([what, id]) =>
      el("li", {}, `${what} `, el("code", {}, id))))) : "");
}

const columns = table.tHead.rows[0].cells.length;
rows.forEach((row, at) => {
  if (data.spark[at]) spark(row.cells[2], ...data.spark[at]);
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
