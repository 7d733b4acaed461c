"""Where a picture's content comes from, in the words of IPTC's Digital Source Type (cv.iptc.org/newscodes/digitalsourcetype)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SourceType = Literal["digitalCapture", "computationalCapture", "compositeWithTrainedAlgorithmicMedia"]


@dataclass(frozen=True)
class Provenance:
    """source_type: "digitalCapture" (one frame), "computationalCapture" (several frames merged), or, where detail was learned from other pictures,
    "compositeWithTrainedAlgorithmicMedia". how: one sentence for people. model, model_sha256: what learned, and the digest of its weights' file; '' if none.
    """

    source_type: SourceType
    how: str
    model: str = ""
    model_sha256: str = ""

    def to_dict(self) -> dict[str, str]:
        """Ready for JSON."""
        said = {"digital_source_type": self.source_type, "how": self.how, "model": self.model, "model_sha256": self.model_sha256}
        return {name: value for name, value in said.items() if value}
