"""Detection and repair of hot and dead pixels."""

from burstsr.defects.refill import refilled
from burstsr.defects.stage import find_defects, repair_pixels

__all__ = ["find_defects", "refilled", "repair_pixels"]
