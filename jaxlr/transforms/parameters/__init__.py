"""Which parameter a link sees: its path, a mask of it, and what the groups around say of it."""
