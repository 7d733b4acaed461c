"""The index: numbers, failures by reason, and a card for every burst."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from burstsr.batch.failures import kind_of
from burstsr.batch.journal import REJECTED, Entry
from burstsr.html_report.collect import BurstResult, Collection
from burstsr.html_report.markup import count, duration, facts_list, link, number, page, percent, text

_SHOWN_FAILURES = 200  # of one reason
_FIRST = 6  # cards whose thumbnails load at once


@dataclass(frozen=True)
class Card:
    """A burst in the index. thumbnail: path of an image, with its size, or None. problem: why it has no page, or ''."""

    burst: BurstResult
    thumbnail: tuple[str, int, int] | None
    problem: str = ""


def index_page(title: str, cards: Sequence[Card], found: Collection) -> str:
    """Return the HTML of the index."""
    broken = [Entry(card.burst.name, "failed", card.problem) for card in cards if card.problem]
    failures = [*found.failures, *(card.burst.entry for card in cards if card.burst.entry), *broken]
    body = (
        f'<header class="top"><h1>{text(title)}</h1></header>\n<main id="main">\n'
        f"{_summary(cards, failures, found.waiting)}{_failures(failures)}{_waiting(found.waiting)}{_controls(len(cards)) if len(cards) > 1 else ''}"
        f'<ul class="cards" id="cards">\n{"".join(_card(card, n) for n, card in enumerate(cards))}</ul>\n'
        f'<p id="none" class="empty"{" hidden" if cards else ""}>{"No burst matches." if cards else "No results yet."}</p>\n</main>'
    )
    return page(title, body, scripts=("index.js", "live.js"), description=f"{count(len(cards), 'burst')} processed by burstsr")


def _summary(cards: Sequence[Card], failures: Sequence[Entry], waiting: Sequence[Entry]) -> str:
    facts = [card.burst.shown.facts for card in cards if card.burst.shown and card.burst.shown.facts]
    frames, used = sum(len(f.frames) for f in facts), sum(f.used for f in facts)
    seconds = sum(sum(f.seconds.values()) for f in facts)
    rejected = sum(entry.status == REJECTED for entry in failures)
    items = [("Results", f"{len(facts):,}"), ("Failed", f"{len(failures) - rejected:,}")]
    items += [("Inputs rejected", f"{rejected:,}")] if rejected else []
    items += [("Waiting", f"{len(waiting):,}")] if waiting else []
    items += [("Frames used", f"{used:,} of {frames:,}"), ("Processing time", duration(seconds))]
    done = len(facts) + len(failures)
    bar = (
        f'<progress max="{done + len(waiting)}" value="{done}" aria-label="{done} of {done + len(waiting)} bursts are finished"></progress>' if waiting else ""
    )
    return f'<section aria-label="Summary">{facts_list(items)}{bar}</section>\n'


def _failures(failures: Sequence[Entry]) -> str:
    if not failures:
        return ""
    parts = []
    groups: dict[str, list[Entry]] = {}
    for entry in failures:
        groups.setdefault(kind_of(entry.burst, entry.reason), []).append(entry)
    for kind, entries in sorted(groups.items(), key=lambda group: -len(group[1])):
        rows = "".join(f"<li><b>{text(entry.burst)}</b> {text(entry.reason)}</li>" for entry in entries[:_SHOWN_FAILURES])
        more = f"<li>and {len(entries) - _SHOWN_FAILURES} more</li>" if len(entries) > _SHOWN_FAILURES else ""
        opened = " open" if len(groups) == 1 and len(entries) <= 3 else ""
        parts.append(f'<details{opened}><summary><span class="tally">{len(entries)}</span> {text(kind[:160])}</summary><ul>{rows}{more}</ul></details>')
    return f'<section class="failures"><h2>Failures by reason</h2>{"".join(parts)}</section>\n'


def _waiting(waiting: Sequence[Entry]) -> str:
    if not waiting:
        return ""
    names = ", ".join(text(entry.burst) for entry in waiting[:_SHOWN_FAILURES]) + (" …" if len(waiting) > _SHOWN_FAILURES else "")
    return f"<section><details><summary>{count(len(waiting), 'burst')} waiting to be processed</summary><p>{names}</p></details></section>\n"


def _controls(cards: int) -> str:
    orders = (("name", "name"), ("frames", "share of frames used, least first"), ("gain", "expected gain, least first"), ("notes", "notes first"))
    options = "".join(f'<option value="{value}">{label}</option>' for value, label in orders)
    return (
        '<form class="controls" id="controls" role="search" hidden><label>Find <input type="search" id="find" autocomplete="off"></label>'
        f'<label>Sort by <select id="sort">{options}</select></label>'
        f'<label class="check"><input type="checkbox" id="notes"> with notes only</label>'
        f'<output id="matches" aria-live="polite">{count(cards, "burst")}</output></form>\n'
    )


def _card(card: Card, n: int) -> str:
    burst, shown = card.burst, card.burst.shown
    name = text(burst.name)
    if shown is None or shown.facts is None or card.problem:
        why = f'<h2>{name}</h2><p class="note">{text(card.problem)}</p>'
        return f'<li class="card broken" data-name="{name}" data-notes="1"><div class="thumb none">no page</div>{why}</li>\n'
    facts = shown.facts
    gain = facts.numbers.get("expected_gain_db", 0.0)
    lazy = "" if n < _FIRST else ' loading="lazy"'
    image = '<div class="thumb none">no preview</div>'
    if card.thumbnail:
        path, width, height = card.thumbnail
        image = f'<div class="thumb"><img src="{link(path)}" width="{width}" height="{height}" alt=""{lazy} decoding="async"></div>'
    notes = [*([facts.advice] if facts.advice else []), *facts.damaged]
    labels = " + ".join(variant.label for variant in burst.variants if variant.facts)
    lines = f"{text(labels)} · ×{facts.scale:g} · {facts.used} of {count(len(facts.frames), 'frame')}"
    more = f"coverage {percent(facts.numbers.get('coverage', 0.0))} · expected gain {number(gain, 1, 'dB')}"
    note = f'<p class="note">{text("; ".join(notes)[:180])}</p>' if notes else ""
    data = f'data-name="{name}" data-frames="{facts.used / len(facts.frames):.4f}" data-gain="{gain:.3f}" data-notes="{len(notes)}"'
    return f'<li class="card" {data}>{image}<h2><a href="{link(f"bursts/{burst.slug}/index.html")}">{name}</a></h2><p>{lines}</p><p>{more}</p>{note}</li>\n'
