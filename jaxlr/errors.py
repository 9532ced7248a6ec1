"""The errors of jaxlr; each is also the built-in one that a reader would catch.

    ValueError
      DataError           a data set is missing or bad
      NoSuggestion        a range test's curve supports no rate
    RuntimeError
      CheckpointError     a checkpoint is missing, or cannot be read or written
      TrainingDiverged    the loss became NaN or infinite
    Exception
      Stopped             a run was told to stop, and has not failed

Every other wrong argument is a plain TypeError or ValueError that names it, its value and what would be right.
"""
