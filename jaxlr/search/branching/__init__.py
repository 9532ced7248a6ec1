"""One trunk, every horizon: the stable part of a training once, and cooldowns from many of its counts."""
