"""What a run writes down of itself: its records, where it stands, its summary."""
