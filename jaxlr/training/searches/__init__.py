"""Searches for a rate that train as a run would."""
