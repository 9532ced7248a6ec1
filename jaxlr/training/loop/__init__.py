"""The training loop: updates, chunks of them, devices and hosts."""
