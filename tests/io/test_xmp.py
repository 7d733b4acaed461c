"""Provenance in XMP: what is said, what of the source is kept, and that every format carries it."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import tifffile
from conftest import frame_of

from burstsr.core.provenance import Provenance
from burstsr.core.result import Result
from burstsr.io import tags as t
from burstsr.io.dng import write_dng
from burstsr.io.images import write_jpeg, write_png, write_tiff
from burstsr.io.metadata_segments import jpeg_with, png_with, read_blocks
from burstsr.io.tags import read_tags
from burstsr.io.xmp import packet

LEARNED = Provenance("compositeWithTrainedAlgorithmicMedia", "Enlarged <4 times> & more", "srgan-lite-x4", "ab" * 32)
MERGED = Provenance("computationalCapture", "Merged from 5 frames")
EXT, DC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}", "{http://purl.org/dc/elements/1.1/}"
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"


def properties(data):
    """Properties of a packet by name: elements and attributes of all descriptions."""
    root = ET.fromstring(re.sub(rb"<\?xpacket.*?\?>", b"", data))
    found = {}
    for block in root.iter(f"{RDF}Description"):
        found |= {name: value for name, value in block.attrib.items() if not name.startswith(RDF)}
        found |= {child.tag: "".join(child.itertext()) for child in block}
    return found


def test_a_packet_states_where_the_image_comes_from():
    found = properties(packet(LEARNED))
    assert found[f"{EXT}DigitalSourceType"] == "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
    assert found[f"{EXT}AISystemUsed"].startswith("srgan-lite-x4 (burstsr") and found[f"{EXT}AISystemVersionUsed"] == "sha256:" + "ab" * 32
    assert found[f"{DC}description"] == "Enlarged <4 times> & more"
    merged = properties(packet(MERGED))
    assert merged[f"{EXT}DigitalSourceType"].endswith("/computationalCapture") and f"{EXT}AISystemUsed" not in merged
    assert f"{DC}description" not in merged, "a caption is the photographer's"


OLD = """<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="uuid:1" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:ext="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmp:Rating="4" ext:DigitalSourceType="old">
 <ext:AISystemUsed>old</ext:AISystemUsed><ext:PersonInImage>Ada</ext:PersonInImage>
 <dc:description><rdf:Alt><rdf:li xml:lang="x-default">a harbour</rdf:li></rdf:Alt></dc:description></rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""


def test_properties_of_the_source_are_kept_unless_overwritten():
    found = properties(packet(LEARNED, OLD.encode()))
    assert found[f"{DC}description"].strip() == "a harbour"
    found = properties(packet(MERGED, OLD.encode()))
    assert found["{http://ns.adobe.com/xap/1.0/}Rating"] == "4" and found[f"{EXT}PersonInImage"] == "Ada"
    assert found[f"{DC}description"].strip() == "a harbour" and f"{EXT}AISystemUsed" not in found
    assert found[f"{EXT}DigitalSourceType"].endswith("/computationalCapture")
    assert packet(MERGED, OLD.encode()).count(b'about="uuid:1"') == 2, "all descriptions of a packet are about one thing"


def test_writing_it_twice_writes_it_once():
    once = packet(LEARNED, packet(MERGED))
    assert once.count(b"DigitalSourceType>http") == 1 and properties(packet(LEARNED, once)) == properties(once)


@pytest.mark.parametrize("broken", [b"", b"\xff\xfe", b"nonsense", b"<x:xmpmeta><rdf:RDF></x:xmpmeta>"])
def test_packets_that_make_no_sense_are_dropped(broken):
    assert packet(MERGED, broken) == packet(MERGED)


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, (24, 32, 3)).astype(np.uint8)


def test_every_display_format_carries_it(tmp_path, image):
    for name, write in (("a.png", write_png), ("a.jpg", write_jpeg), ("a.tif", write_tiff)):
        write(tmp_path / name, image, provenance=LEARNED)
        if name == "a.tif":
            with tifffile.TiffFile(tmp_path / name) as file:
                found = bytes(file.pages[0].tags[t.XMP].value)
        else:
            found = read_blocks((tmp_path / name).read_bytes(), name)["xmp"]
        assert properties(found)[f"{EXT}AISystemUsed"].startswith("srgan-lite-x4")


def test_the_dng_carries_it_next_to_the_frames_own(tmp_path, rng):
    from burstsr.io.dng import write_cfa_dng
    from burstsr.io.tiff import BYTE, Entry

    frame = frame_of(rng.uniform(0.1, 0.9, (32, 32, 3)))
    path = tmp_path / "frame.dng"
    write_cfa_dng(path, frame, extra={t.XMP: Entry(BYTE, OLD.encode())})
    info = type(frame.info)(**{**vars(frame.info), "path": path})
    for provenance, message in ((MERGED, "/computationalCapture"), (None, "old")):
        write_dng(tmp_path / "out.dng", Result(np.zeros((32, 32, 3), np.float32), info, 1.0, provenance=provenance))
        found = properties(read_tags(tmp_path / "out.dng").first[t.XMP].data)
        assert found["{http://ns.adobe.com/xap/1.0/}Rating"] == "4" and found[f"{EXT}DigitalSourceType"].endswith(message)


def test_blocks_come_back_as_they_went_in(tmp_path, image):
    import imagecodecs

    icc, exif, xmp = bytes(range(256)) * 600, b"II*\0" + bytes(40), packet(MERGED)
    png = png_with(bytes(imagecodecs.png_encode(image)), icc, exif, xmp)
    jpeg = jpeg_with(bytes(imagecodecs.jpeg8_encode(image)), icc, exif, xmp)
    for data in (png, jpeg):
        assert read_blocks(data, "x") == {"icc": icc, "exif": exif, "xmp": xmp}
    assert np.array_equal(imagecodecs.png_decode(png), image) and imagecodecs.jpeg8_decode(jpeg).shape == image.shape
    assert read_blocks(b"BM nothing", "x") == {}
    assert "xmp" not in read_blocks(jpeg_with(bytes(imagecodecs.jpeg8_encode(image)), None, None, b"x" * 70000), "x"), "too long for a block"
    for cut in (jpeg[:3], jpeg[:30], png[:20]):
        read_blocks(cut, "x")  # no crash: the decoder says what is wrong
