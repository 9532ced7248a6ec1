"""Schedules made of schedules: algebra, phases, clocks."""
