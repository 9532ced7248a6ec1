"""Range tests: what the loss does under rising or constant rates."""
