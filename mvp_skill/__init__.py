"""Robustness of prompt-tuned language models (MVP) and their skill neurons, in notebooks."""

__version__ = "0.1.0"
