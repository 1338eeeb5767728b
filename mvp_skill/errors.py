"""The one exception that means: what was asked for cannot be done, and here is the remedy."""


class BadInput(ValueError):
    """Bad input: one sentence naming the thing, the allowed values and the remedy.

    Raised before any work starts. Programs show the sentence, not a stack trace, and exit non-zero.
    """
