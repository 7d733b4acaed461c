"""Robustness: what a frame shows against what the reference shows, to trust."""

from burstsr.robustness.stage import Guide

__all__ = ["Guide"]
