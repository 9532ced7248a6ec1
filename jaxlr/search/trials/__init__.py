"""Trials: some updates under given rates, what every search runs."""
