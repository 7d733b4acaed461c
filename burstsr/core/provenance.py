"""Provenance of an image, in the terms of IPTC's Digital Source Type (cv.iptc.org/newscodes/digitalsourcetype)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SourceType = Literal["digitalCapture", "computationalCapture", "compositeWithTrainedAlgorithmicMedia"]


@dataclass(frozen=True)
class Provenance:
    """Origin of an image.

    source_type: "digitalCapture" (one frame), "computationalCapture" (several frames merged), or, where detail was learned from other images,
    "compositeWithTrainedAlgorithmicMedia". how: a sentence for readers. model, model_sha256: the network and the digest of its weights file; '' if none.
    """

    source_type: SourceType
    how: str
    model: str = ""
    model_sha256: str = ""

    def to_dict(self) -> dict[str, str]:
        """Return the provenance ready for JSON."""
        facts = {"digital_source_type": self.source_type, "how": self.how, "model": self.model, "model_sha256": self.model_sha256}
        return {name: value for name, value in facts.items() if value}
