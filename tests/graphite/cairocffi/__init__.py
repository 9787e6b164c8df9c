"""Graphite draws with cairo; the tests ask for numbers only."""
