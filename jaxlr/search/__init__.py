"""Searching for a learning rate: the range test and sweeps."""
