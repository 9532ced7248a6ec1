"""Runs shown: while they go on, and when they are over."""
