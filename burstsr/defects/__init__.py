"""Defects: hot and dead pixels, found and repaired."""

from burstsr.defects.stage import find_defects, repaired

__all__ = ["find_defects", "repaired"]
