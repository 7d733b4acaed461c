"""XMP packets that say where a picture comes from (XMP Specification, part 1; IPTC Photo Metadata 2025.1: DigitalSourceType, AISystemUsed)."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape, quoteattr

from burstsr import __version__
from burstsr.core.provenance import Provenance

_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_OURS = ("DigitalSourceType", "AISystemUsed", "AISystemVersionUsed")
_HEAD = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
_TAIL = '<?xpacket end="w"?>'
_EMPTY = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"></rdf:RDF></x:xmpmeta>'


def packet(provenance: Provenance, inherited: bytes | None = None) -> bytes:
    """An XMP packet, UTF-8, with the picture's provenance.

    The sentence becomes the caption (dc:description) only where detail is learned and there is no other. inherited: the source's own packet; all it
    says is kept, but for what is said anew. One that cannot be understood is dropped.
    """
    old = _understood(inherited)
    body = _without_ours(old) if old else _EMPTY
    about = re.search(r"\b\w+:about\s*=\s*([\"'])(.*?)\1", body)
    block = _description(provenance, about[2] if about else "", with_words=bool(provenance.model) and "dc:description" not in body)
    place = body.rindex("</rdf:RDF>")
    return f"{_HEAD}\n{body[:place]}{block}{body[place:]}\n{_TAIL}".encode()


def _description(provenance: Provenance, about: str, with_words: bool) -> str:
    said = [f"<Iptc4xmpExt:DigitalSourceType>{_TYPES}{provenance.source_type}</Iptc4xmpExt:DigitalSourceType>"]
    if provenance.model:
        said.append(f"<Iptc4xmpExt:AISystemUsed>{escape(provenance.model)} (burstsr {__version__})</Iptc4xmpExt:AISystemUsed>")
    if provenance.model_sha256:
        said.append(f"<Iptc4xmpExt:AISystemVersionUsed>sha256:{escape(provenance.model_sha256)}</Iptc4xmpExt:AISystemVersionUsed>")
    if with_words:
        said.append(f'<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{escape(provenance.how)}</rdf:li></rdf:Alt></dc:description>')
    spaces = f'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:Iptc4xmpExt="{_EXT}"'
    return f"<rdf:Description rdf:about={quoteattr(about)} {spaces}>{''.join(said)}</rdf:Description>"


def _understood(inherited: bytes | None) -> str:
    """The <x:xmpmeta> or <rdf:RDF> element of a packet; '' where there is none that may be added to."""
    if not inherited:
        return ""
    try:
        text = inherited.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    found = re.search(r"<x:xmpmeta\b.*</x:xmpmeta\s*>|<rdf:RDF\b.*</rdf:RDF\s*>", text, re.S)
    return found[0] if found and found[0].count("</rdf:RDF>") == 1 else ""


def _without_ours(body: str) -> str:
    """Without the properties that are said anew, be they elements or attributes, under whatever prefix their namespace has."""
    for prefix in re.findall(rf"xmlns:([\w.-]+)\s*=\s*[\"']{re.escape(_EXT)}[\"']", body):
        for name in _OURS:
            tag = rf"{re.escape(prefix)}:{name}"
            body = re.sub(rf"<{tag}\b[^>]*?/>|<{tag}\b.*?</{tag}\s*>", "", body, flags=re.S)
            body = re.sub(rf"\s{tag}\s*=\s*(\"[^\"]*\"|'[^']*')", "", body)
    return body
