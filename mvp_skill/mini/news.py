"""News: sentences of one topic, sometimes with one of another topic or of none among them."""

from mvp_skill.mini.author import Author

TOPICS = ("politics", "sports", "business", "science")  # index = label
STRAY_SHARE = 0.4
NEUTRAL_SHARE = 0.4


def story(author: Author, label: int) -> list[str]:
    """Sentences of a story; most of them are about topic `label`."""
    topics = [TOPICS[label]] * (2 if author.dice.chance(0.7) else 1)
    if len(topics) == 2 and author.dice.chance(STRAY_SHARE):
        topics.append(author.dice.pick([t for t in TOPICS if t != TOPICS[label]]))
    elif author.dice.chance(NEUTRAL_SHARE):
        topics.append("neutral")
    return [
        author.write(lambda t=topic: author.voice.say(f"news.{t}"))
        for topic in author.dice.shuffled(topics)
    ]
