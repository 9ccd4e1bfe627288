"""The HTML around the montage's strips: nothing is loaded from elsewhere, and nothing but pseudonyms is named."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

Link: TypeAlias = Callable[[int], str]  # where page number n lies, seen from the page that is being written

HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Slices of the cohort</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline';
 script-src 'unsafe-inline'">
<style>
body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 1080px; padding: 1.5rem; color: #1b1f24;
  background: #fff }
h1 { font-size: 1.4rem; margin: 0 0 .3rem } p { margin: .3rem 0; color: #4b5560 } a { color: #1d4ed8 }
label { margin-right: 1rem } select, input, button { font: inherit; padding: .15rem .4rem }
article { border-top: 1px solid #d9dee4; padding: .7rem 0 } h2 { font-size: 1rem; margin: 0; display: inline }
article:target { background: #fff7ed } nav { margin: .5rem 0 } nav > * { margin-right: 1rem }
.facts { color: #4b5560; margin-left: .7rem } .doubt { color: #9a3412; font-weight: 600; margin: .15rem 0 }
img { width: 100%; image-rendering: auto; background: #000; display: block; margin-top: .35rem; border-radius: 4px }
table { border-collapse: collapse; margin: .4rem 0 } td, th { text-align: left; padding: .15rem .9rem .15rem 0 }
td + td, th + th { font-variant-numeric: tabular-nums }
#overview { border: 1px solid #d9dee4; border-radius: 6px; padding: .7rem 1rem; margin: .8rem 0 }
.scroll { max-height: 15rem; overflow: auto }
</style></head><body>
"""
INTRODUCTION = """<p>Each strip runs from the lowest slice to the highest; the front of the head is above, the patient's
right is on the left. The line is the lesion mask, or what the localiser took for the lesion.</p>
"""
CARDS = """<p><label>Order on this page <select id="order"><option value="doubt">most doubtful first</option>
<option value="confidence">least confidence first</option><option value="patient">by patient</option></select>
</label></p>
<main id="patients">
"""
FOOT = """<script>
const by = (first, then) => (a, b) => first(a, b) || (then(a) < then(b) ? -1 : 1);
const main = document.getElementById("patients"), order = document.getElementById("order");
const rank = { doubt: (a, b) => b.dataset.doubt - a.dataset.doubt,
  confidence: (a, b) => a.dataset.confidence - b.dataset.confidence, patient: () => 0 };
const sort = () => [...main.children].sort(by(rank[order.value], card => card.dataset.patient))
  .forEach(card => main.append(card));
order.addEventListener("change", sort); sort();
</script></body></html>
"""
EVERYONE = """<p><label>Find <input id="find" placeholder="P-…" size="16"></label>
<label>Order of everyone <select id="all-order"><option value="doubt">most doubtful first</option>
<option value="confidence">least confidence first</option><option value="patient">by patient</option></select></label>
<span id="hits"></span></p>
<div class="scroll"><table><thead><tr><th>patient</th><th>doubt</th><th>confidence</th><th>page</th></tr></thead>
<tbody id="all"></tbody></table><button id="more">Show more</button></div>
"""
EVERYONE_SCRIPT = """<script>
{ const { patients, links } = JSON.parse(document.getElementById("index").textContent);
  const at = id => document.getElementById(id), STEP = 100;
  const ranks = { doubt: (a, b) => b[1] - a[1], confidence: (a, b) => a[2] - b[2], patient: () => 0 };
  let shown = STEP;
  const row = ([name, doubt, confidence, page]) => {
    const line = document.createElement("tr"), link = document.createElement("a");
    link.href = `${links[page - 1]}#${name}`; link.textContent = name; line.insertCell().append(link);
    [doubt.toFixed(2), confidence.toFixed(2), page].forEach(text => line.insertCell().append(text));
    return line; };
  const show = () => {
    const wanted = at("find").value.trim().toLowerCase(), rank = ranks[at("all-order").value];
    const hits = patients.filter(([name]) => name.toLowerCase().includes(wanted))
      .sort((a, b) => rank(a, b) || (a[0] < b[0] ? -1 : 1));
    at("all").replaceChildren(...hits.slice(0, shown).map(row));
    at("hits").textContent = `${hits.length} patients`; at("more").hidden = hits.length <= shown; };
  const anew = () => { shown = STEP; show(); };
  at("find").addEventListener("input", anew); at("all-order").addEventListener("change", anew);
  at("more").addEventListener("click", () => { shown += STEP; show(); }); show(); }
</script>
"""


def navigation(number: int, n_pages: int, link: Link) -> str:
    """The way to the neighbouring pages; empty where there is one page alone."""
    if n_pages == 1:
        return ""
    ways = (("overview", 1), ("previous", number - 1), ("next", number + 1))
    links = [_anchor(link(to), name) for name, to in ways if 1 <= to <= n_pages and to != number]
    return f"<nav><span>Page {number} of {n_pages}</span>{''.join(links)}</nav>\n"


def overview(pages: Sequence[Sequence[tuple[str, float, float]]], link: Link) -> str:
    """All pages, and everyone on them in any order; empty where there is one page alone.

    Args:
        pages: for each page its patients: pseudonym, doubt, confidence; most doubtful first.
        link: where a page lies.
    """
    if len(pages) == 1:
        return ""
    rows = "".join(_page_row(number, members, link) for number, members in enumerate(pages, start=1))
    table = f"<table><tr><th>page</th><th>patients</th><th>doubt</th><th>least confidence</th></tr>{rows}</table>"
    everyone = [[*who, number] for number, members in enumerate(pages, start=1) for who in members]
    index = _json({"patients": everyone, "links": [link(number) for number in range(1, len(pages) + 1)]})
    return (
        f'<section id="overview"><h2>{len(everyone)} patients on {len(pages)} pages, the most doubtful first</h2>'
        f'<div class="scroll">{table}</div>{EVERYONE}</section>\n'
        f'<script type="application/json" id="index">{index}</script>\n{EVERYONE_SCRIPT}'
    )


def excluded_table(rows: Sequence[tuple[str, str]], before: int, total: int) -> str:
    """Who has no slices, by pseudonym, and why: the rows that follow the first `before` of `total`."""
    if not rows:
        return ""
    cells = "".join(f"<tr><td>{html.escape(name)}</td><td>{html.escape(reason)}</td></tr>" for name, reason in rows)
    part = f"<p>Rows {before + 1} to {before + len(rows)} of {total}</p>" if len(rows) < total else ""
    return f"<h1>Without slices</h1>{part}<table><tr><th>patient</th><th>reason</th></tr>{cells}</table>\n"


def _page_row(number: int, members: Sequence[tuple[str, float, float]], link: Link) -> str:
    doubts = [doubt for _, doubt, _ in members]
    least = min(confidence for *_, confidence in members)
    page = _anchor(link(number) or "#patients", str(number))
    return (
        f"<tr><td>{page}</td><td>{len(members)}</td>"
        f"<td>{max(doubts):.2f} to {min(doubts):.2f}</td><td>{least:.2f}</td></tr>"
    )


def _anchor(target: str, text: str) -> str:
    return f'<a href="{html.escape(target, quote=True)}">{html.escape(text)}</a>'


def _json(value: Any) -> str:
    """JSON that cannot end the element that it stands in."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
