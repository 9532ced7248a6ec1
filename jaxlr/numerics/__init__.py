"""Floats beyond float32, for formulas that must be exact; knows no schedule."""
