"""Tests of the reconstruction; `from reconstruct.conftest import ...` means this folder's."""
