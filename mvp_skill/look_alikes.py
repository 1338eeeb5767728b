"""Letters of another alphabet that look like ours, for TextBugger's exchange of single characters.

Only Cyrillic small letters that common fonts draw with the very shape of a Latin one: a reader sees
no difference, and a tokenizer sees another letter. (Stock TextBugger in TextAttack has a longer
table, with digits for letters and shapes that do differ; its 0.3.11 wheel lacks the data file.)
"""

LOOK_ALIKES = {
    "a": "\u0430",
    "c": "\u0441",
    "d": "\u0501",
    "e": "\u0435",
    "h": "\u04bb",
    "i": "\u0456",
    "j": "\u0458",
    "o": "\u043e",
    "p": "\u0440",
    "q": "\u051b",
    "s": "\u0455",
    "w": "\u051d",
    "x": "\u0445",
    "y": "\u0443",
}
_PLAIN = str.maketrans({other: letter for letter, other in LOOK_ALIKES.items()})


def as_seen(text: str) -> str:
    """The text as a reader takes it: every look-alike is the letter that it looks like."""
    return text.translate(_PLAIN)
