"""Detection of raw files in a folder: by suffix, else by content."""

from __future__ import annotations

import struct
from pathlib import Path

from burstsr.io import libraw_process
from burstsr.io.grey_tiff import is_grey_tiff
from burstsr.io.tags import MAKE, read_tags

# what LibRaw opens, and FITS; matters for the content of folders only: files that are named are tried whatever their names
RAW_SUFFIXES = frozenset(
    ".3fr .ari .arw .bay .cap .cr2 .cr3 .crw .dcr .dcs .dng .drf .eip .erf .fff .gpr .iiq .k25 .kc2 .kdc .mdc .mef .mos .mrw .nef .nrw .orf .ori "
    ".pef .ptx .pxn .qtk .raf .raw .rw2 .rwl .rwz .sr2 .srf .srw .sti .x3f .fits .fit .fts .fz".split()
)
# images to look at, sidecars, films and data: left alone without a look inside, where some begin as raw files do
OTHER_SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .thm .heic .heif .hif .avif .webp .png .gif .bmp .tif .tiff .jxl .jp2 .psd .exr .hdr .xmp .pp3 .dop .cos .xml .json .toml .txt "
    ".csv .md .log .html .pdf .mp4 .mov .avi .mts .m4v .mkv .ser .wav .mp3 .zip .gz .tar .db .ini .npy .npz .py .pth .pt .safetensors .lrcat".split()
)
_BACKUPS = ("_original", ".bak", ".old", ".orig", ".tmp", ".part", ".partial", ".crdownload", "~")  # exiftool, editors, downloads
# The beginnings by which LibRaw tells formats apart. The others it guesses from the size of the file alone, which any file may have.
_STARTS = (
    *(b"II*\0", b"MM\0*", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"II\x1a\0\0\0HEAPCCDR", b"FUJIFILM", b"\0MRM", b"FOVb", b"PXN\0", b"qktk\0", b"qktn\0"),
    *(b"NOKIARAW", b"\0\1\0\1\0@", b"DSC-Image", b"PWAD", b"CI\x2c\0", b"ARRI", b"XPDS"),
)
_WITHIN = ((4, b"ftypcrx "), (25, b"ARECOYK"))
_TIFF = (b"II*\0", b"MM\0*")
_HEAD = 64


def is_raw_name(path: Path) -> bool:
    """Whether a file's suffix, ignoring case, is that of a raw format."""
    return path.suffix.lower() in RAW_SUFFIXES


def is_backup_name(path: Path) -> bool:
    """Whether a name is that of a backup or an unfinished download (`a.dng_original`, `a.dng.bak`)."""
    return path.name.lower().endswith(_BACKUPS)


def holds_raw(path: Path) -> bool:
    """Whether a regular file with an unknown suffix is a frame: one that LibRaw opens, or a grey TIFF of 16 bits.

    No pixels are decoded; of other formats 64 bytes are read. Never raises.
    """
    if is_grey_tiff(path):
        return True
    if path.suffix.lower() in OTHER_SUFFIXES:
        return False
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD)
        if not _begins_as_raw(head) or (head.startswith(_TIFF) and not _names_a_camera(path)):
            return False
        return libraw_process.opens(path)
    except (OSError, ValueError, IndexError, OverflowError, struct.error):
        return False


def _names_a_camera(path: Path) -> bool:
    """Whether the tags name a camera: LibRaw takes any grey TIFF of 16 bits for a mosaic."""
    tags = read_tags(path)
    return tags.is_dng or bool(tags.shot_text(MAKE))


def _begins_as_raw(head: bytes) -> bool:
    phase_one = b"IIII" in head[:32] or b"MMMM" in head[:32]
    return len(head) == _HEAD and (phase_one or head.startswith(_STARTS) or any(head[at : at + len(magic)] == magic for at, magic in _WITHIN))
