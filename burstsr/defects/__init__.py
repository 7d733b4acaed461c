"""Defects: hot and dead pixels, found and repaired."""

from burstsr.defects.stage import find_defects, repair_pixels

__all__ = ["find_defects", "repair_pixels"]
