"""Checkpoints: when they are written, how they are kept, and the network read back."""
