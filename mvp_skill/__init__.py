"""Robustness of prompt-tuned language models (MVP) and their skill neurons, in notebooks."""

import warnings

# Without ipywidgets, tqdm says so in every notebook; its bars made of text are what we want.
warnings.filterwarnings("ignore", message="IProgress not found")

__version__ = "0.1.0"
