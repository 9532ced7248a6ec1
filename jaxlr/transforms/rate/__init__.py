"""The learning rate: the link that applies and records it, and the rules that move it."""
