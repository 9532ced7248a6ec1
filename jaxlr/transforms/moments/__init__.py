"""Links that keep running sums of the updates: momentum, RMSprop, Adam and its relatives."""
