"""Sweeps: many trainings that differ in their schedules, as one program."""
