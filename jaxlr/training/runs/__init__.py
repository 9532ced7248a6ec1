"""Runs: a folder with options, records, checkpoints, a summary and a picture."""
