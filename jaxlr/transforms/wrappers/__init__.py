"""Transformations around others: accumulation, precision."""
