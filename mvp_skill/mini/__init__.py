"""The mini world: a small generated English with its own tasks, oracle and language models."""
