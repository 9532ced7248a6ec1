"""Optimizer states: found, read, changed, written down."""
