"""MLX 0.32's `mlx.optimizers` schedules: Optax' idea, functions of the count, with names of their own.

Counts are updates: the first has `init`, and an end is reached at `decay_steps` or `steps`. The names, arguments, order
and defaults are MLX's; every number may be traced. No defect of the source is known here but that it computes in the
count's float32: past 2^24 updates its counts are coarse, where these are exact.
"""

from jaxlr.dialects.mlx.schedules import cosine_decay, exponential_decay, join_schedules, linear_schedule, step_decay

__all__ = ["cosine_decay", "exponential_decay", "join_schedules", "linear_schedule", "step_decay"]
