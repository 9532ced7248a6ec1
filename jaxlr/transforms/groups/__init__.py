"""Groups of parameters, by their names."""
