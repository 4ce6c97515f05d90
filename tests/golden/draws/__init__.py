"""What the explorer draws: a module a kind of case."""
