"""A package, so that its conftest is not the one that the other tests import."""
