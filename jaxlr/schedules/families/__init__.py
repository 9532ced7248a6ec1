"""The families of schedules, by shape; each module one kind of curve."""
