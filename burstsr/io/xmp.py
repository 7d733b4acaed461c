"""XMP packets with the provenance of an image (XMP Specification, part 1; IPTC Photo Metadata 2025.1: DigitalSourceType, AISystemUsed)."""

from __future__ import annotations

import re
from xml.parsers.expat import ExpatError, ParserCreate
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
    """Return an XMP packet, UTF-8, with the image's provenance.

    The sentence becomes the caption (dc:description) only where detail is learned and there is no other. inherited: the source's own packet, whose
    properties are kept unless they are replaced. An invalid one is dropped.
    """
    old = _understood(inherited)
    body = _without_ours(old) if old else _EMPTY
    if not is_well_formed(body.encode()):
        body = _EMPTY
    about = re.search(r"\b\w+:about\s*=\s*([\"'])(.*?)\1", body)
    block = _description(provenance, about[2] if about else "", with_words=bool(provenance.model) and "dc:description" not in body)
    place = body.rindex("</rdf:RDF>")
    return f"{_HEAD}\n{body[:place]}{block}{body[place:]}\n{_TAIL}".encode()


def _description(provenance: Provenance, about: str, with_words: bool) -> str:
    properties = [f"<Iptc4xmpExt:DigitalSourceType>{_TYPES}{provenance.source_type}</Iptc4xmpExt:DigitalSourceType>"]
    if provenance.model:
        properties.append(f"<Iptc4xmpExt:AISystemUsed>{escape(provenance.model)} (burstsr {__version__})</Iptc4xmpExt:AISystemUsed>")
    if provenance.model_sha256:
        properties.append(f"<Iptc4xmpExt:AISystemVersionUsed>sha256:{escape(provenance.model_sha256)}</Iptc4xmpExt:AISystemVersionUsed>")
    if with_words:
        properties.append(f'<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{escape(provenance.how)}</rdf:li></rdf:Alt></dc:description>')
    spaces = f'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:Iptc4xmpExt="{_EXT}"'
    return f"<rdf:Description rdf:about={quoteattr(about)} {spaces}>{''.join(properties)}</rdf:Description>"


def is_well_formed(packet: bytes) -> bool:
    """Whether a packet is XML that any reader parses: well-formed, every prefix declared, without entities of its own."""
    if b"<!" in packet.replace(b"<!--", b"").replace(b"<![CDATA[", b""):
        return False
    try:
        ParserCreate("utf-8", " ").Parse(packet.strip(b"\0 \t\r\n"), True)
    except (ExpatError, ValueError):
        return False
    return True


def _understood(inherited: bytes | None) -> str:
    """Return the <x:xmpmeta> or <rdf:RDF> element of a packet; '' where there is none that can be extended."""
    if not inherited:
        return ""
    try:
        text = inherited.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    found = re.search(r"<x:xmpmeta\b.*</x:xmpmeta\s*>|<rdf:RDF\b.*</rdf:RDF\s*>", text, re.S)
    return found[0] if found and found[0].count("</rdf:RDF>") == 1 else ""


def _without_ours(body: str) -> str:
    """Remove the properties that are replaced, elements or attributes, whatever the prefix of their namespace."""
    for prefix in re.findall(rf"xmlns:([\w.-]+)\s*=\s*[\"']{re.escape(_EXT)}[\"']", body):
        for name in _OURS:
            tag = rf"{re.escape(prefix)}:{name}"
            body = re.sub(rf"<{tag}\b[^>]*?/>|<{tag}\b.*?</{tag}\s*>", "", body, flags=re.S)
            body = re.sub(rf"\s{tag}\s*=\s*(\"[^\"]*\"|'[^']*')", "", body)
    return body
