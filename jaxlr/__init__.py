"""Learning-rate schedules and optimizers for JAX."""
