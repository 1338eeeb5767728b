"""Neighbours, taggers and encoders: against slow references, and with bad files."""

import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from attack_cases import GROUPS, TAGS, CountingEncoder, neighbours

from mvp_skill import neighbours as neighbours_module
from mvp_skill.attack_resources import (
    LexiconTagger,
    NltkTagger,
    Resources,
    check_resources,
    resources_for,
)
from mvp_skill.errors import BadInput
from mvp_skill.neighbours import Neighbours, nearest_words
from mvp_skill.preflight import check_parameters
from mvp_skill.sentence_encoders import BackboneEncoder, UniversalSentenceEncoder
from mvp_skill.textattack_import import textattack


def random_table(n_words=13, d=7, k=5, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(n_words, d)).astype(np.float32)
    return Neighbours([f"word{i}" for i in range(n_words)], vectors, k)


# --- neighbours ---------------------------------------------------------------------------------


def nearest_slowly(vectors, k):
    def cosine(a, b):
        return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))

    table = []
    for i, vector in enumerate(vectors):
        others = [j for j in range(len(vectors)) if j != i]
        others.sort(key=lambda j: (-round(cosine(vector, vectors[j]), 6), j))
        table.append([i, *others[:k]])
    return np.array(table)


@pytest.mark.parametrize("block_bytes", [1, 4 * 13 * 3, 2**20])  # 1 row, 3 rows, all at once
def test_nearest_words_against_a_slow_reference(monkeypatch, block_bytes):
    monkeypatch.setattr(neighbours_module, "BLOCK_BYTES", block_bytes)
    vectors = np.random.default_rng(3).normal(size=(13, 7)).astype(np.float32)
    assert np.array_equal(nearest_words(vectors, 5), nearest_slowly(vectors, 5))
    assert np.array_equal(nearest_words(vectors, 12), nearest_slowly(vectors, 12))


def test_a_word_is_its_own_first_neighbour_also_among_equal_vectors():
    vectors = np.random.default_rng(4).integers(0, 2, size=(11, 3)).astype(np.float32) + 0.5
    vectors[[2, 5, 9]] = [4.0, 0.0, 0.0]
    nearest = nearest_words(vectors, 6)
    assert nearest[:, 0].tolist() == list(range(11))
    assert nearest[5, :3].tolist() == [5, 2, 9] and nearest[9, :3].tolist() == [9, 2, 5]
    # Many equal ones come in the order of the words.
    vectors = np.random.default_rng(5).normal(size=(97, 3))
    vectors[::2] = [1.0, 0.0, 0.0]
    assert nearest_words(vectors, 48)[96].tolist() == [96, *range(0, 96, 2)]


def test_pitfall_2_of_textattack_neighbours_need_a_stored_table():
    table = neighbours()
    ta_table = textattack().shared.WordEmbedding(
        table.vectors, {w: i for i, w in enumerate(table.words)}, table.words
    )
    with pytest.raises(AttributeError):  # the defect; if this passes one day, it was mended
        ta_table.nearest_neighbours(0, 3)
    embedding = table.embedding()
    found = [embedding.index2word(i) for i in embedding.nearest_neighbours("good", 2)]
    assert found == ["decent", "okay"]
    assert table.embedding() is embedding


def test_neighbours_of_every_word_are_its_group():
    table = neighbours(k=2)
    embedding = table.embedding()
    for group in GROUPS.values():
        for word in group:
            near = {embedding.index2word(i) for i in embedding.nearest_neighbours(word, 2)}
            assert set(group) - {word} <= near


def test_k_is_at_most_the_other_words():
    assert random_table(n_words=4, k=50).nearest.shape == (4, 4)


def test_neighbours_round_trip_and_fewer_neighbours_from_one_file(tmp_path):
    table = random_table()
    table.words[3] = "naïve"
    path = table.save(tmp_path / "table.safetensors")
    again = Neighbours.from_file(path, k=5)
    assert again.words == table.words and again.fingerprint == table.fingerprint
    assert np.array_equal(again.vectors, table.vectors)
    assert np.array_equal(Neighbours.from_file(path, k=3).nearest, table.nearest[:, :4])
    assert np.array_equal(  # more than stored: computed
        Neighbours.from_file(path, k=9).nearest, nearest_slowly(table.vectors, 9)
    )


def test_a_stored_table_is_used_not_computed_again(tmp_path, monkeypatch):
    path = random_table().save(tmp_path / "table.safetensors")
    monkeypatch.setattr(neighbours_module, "nearest_words", None)
    assert Neighbours.from_file(path, k=5).k == 5


def test_neighbours_from_text_lines(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("good 1.0 0.5 -2e-1\nfilm 0 1 0\nno 0.9 0.5 0\n", encoding="utf-8")
    table = Neighbours.from_file(path)
    assert table.words == ["good", "film", "no"]
    assert table.vectors.tolist() == np.float32([[1, 0.5, -0.2], [0, 1, 0], [0.9, 0.5, 0]]).tolist()
    assert table.nearest.tolist() == [[0, 2, 1], [1, 2, 0], [2, 0, 1]]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("good 1 2\nfilm 1\n", "Line 2 of .* is not 'word v1 v2 ...' with 2 numbers"),
        ("good 1 2\nfilm 1 x\n", "Line 2 of "),
        ("good\n", "Line 1 of "),
        ("good 1 2\n\nfilm 1 2\n", "Line 2 of "),
        ("", "is empty; download"),
        ("good 1 2\ngood 2 1\n", "'good' has 2 vectors"),
        ("good 1 2\nfilm nan 1\n", "vector of 'film' is not finite"),
        ("good 1 2\n", "at least two words"),
    ],
)
def test_bad_text_vectors(tmp_path, text, sentence):
    path = tmp_path / "vectors.txt"
    path.write_text(text)
    with pytest.raises(BadInput, match=sentence):
        Neighbours.from_file(path)


def test_missing_vectors_say_where_to_get_them(tmp_path):
    with pytest.raises(BadInput, match=r"nmrksic/counter-fitting, unzip it and give .* NEIGHBOURS"):
        Neighbours.from_file(tmp_path / "counter-fitted-vectors.txt")
    with pytest.raises(BadInput, match="nmrksic/counter-fitting"):
        resources_for("paper")


def test_damaged_safetensors(tmp_path):
    from safetensors.numpy import save

    path = random_table().save(tmp_path / "table.safetensors")
    content = path.read_bytes()
    for size in (0, 5, 100, len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(BadInput, match="is not a neighbour table"):
            Neighbours.from_file(path)
    path.write_bytes(save({"vectors": np.ones((2, 3), np.float32)}))
    with pytest.raises(BadInput, match="'words'"):
        Neighbours.from_file(path)


@pytest.mark.parametrize("spoil", ["order", "range"])
def test_a_wrong_stored_table_is_refused(spoil):
    table = random_table()
    wrong = table.nearest.copy()
    if spoil == "order":
        wrong[2, :2] = wrong[2, 1::-1]
    else:
        wrong[2, 3] = 99
    with pytest.raises(BadInput, match="do not belong to these 13 words"):
        Neighbours(table.words, table.vectors, 5, wrong)


def test_fingerprints_change_with_what_they_stand_for():
    table = random_table()
    other = table.vectors.copy()
    other[4, 2] += 1e-6
    prints = {
        table.fingerprint,
        random_table(k=4).fingerprint,
        Neighbours(table.words, other, 5).fingerprint,
        Neighbours(["x", *table.words[1:]], table.vectors, 5).fingerprint,
    }
    assert len(prints) == 4 and random_table().fingerprint == table.fingerprint
    tags = {"a": {"NOUN", "VERB"}, "b": {"ADJ"}}
    same = LexiconTagger({"b": ["ADJ"], "a": ["VERB", "NOUN"]}).fingerprint
    assert LexiconTagger(tags).fingerprint == same
    assert LexiconTagger({**tags, "b": {"ADV"}}).fingerprint != same


# --- taggers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "fits"),
    [
        ("runs", "walks", True),  # verb, verb
        ("runs", "trip", True),  # verb, noun
        ("red", "trip", False),  # adjective, noun
        ("fast", "red", True),  # adjective or adverb, adjective
        ("fast", "trip", False),
        ("Red", "FAST", True),
        ("red", "unknown", False),
        ("unknown", "unheard", False),
    ],
)
def test_lexicon_tagger(old, new, fits):
    tags = {
        **{"runs": {"VERB"}, "walks": {"VERB"}, "trip": {"NOUN"}},
        **{"red": {"ADJ"}, "fast": {"ADJ", "ADV"}},
    }
    constraint = LexiconTagger(tags).constraint()
    before = textattack().shared.AttackedText(f"a {old} b")
    after = before.replace_word_at_index(1, new)
    after.attack_attrs["last_transformation"] = textattack().transformations.WordSwapEmbedding(
        embedding=neighbours().embedding()
    )
    assert constraint(after, before) is fits
    assert constraint.compare_against_original


def test_lexicon_tagger_without_words():
    with pytest.raises(BadInput, match="at least one word"):
        LexiconTagger({})


def test_nltk_tagger_says_how_to_install_its_files(monkeypatch, tmp_path):
    import nltk

    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    command = "python -m nltk.downloader averaged_perceptron_tagger_eng universal_tagset"
    with pytest.raises(BadInput, match=command):
        NltkTagger()
    for name in NltkTagger.FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text("{}")
    tagger = NltkTagger()
    constraint = tagger.constraint()
    assert type(constraint) is textattack().constraints.grammaticality.PartOfSpeech
    assert constraint.tagger_type == "nltk" and constraint.tagset == "universal"
    assert constraint.allow_verb_noun_swap and constraint.compare_against_original
    (tmp_path / NltkTagger.FILES[0]).write_text('{"more": 1}')
    assert NltkTagger().fingerprint != tagger.fingerprint


# --- encoders -----------------------------------------------------------------------------------

SENTENCES = [
    "the film was great",
    "a bad story",
    "the film was great",
    "who said that ? just the actor , never the people of the city",
    "",
    "zyzzyva",
    "what a match for the team in the world",
]


def encoded_slowly(folder, sentence):
    from transformers import AutoTokenizer, RobertaForMaskedLM

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = RobertaForMaskedLM.from_pretrained(folder).roberta.eval()
    ids = tokenizer(sentence)["input_ids"]
    with torch.no_grad():
        hidden = model(torch.tensor([ids])).last_hidden_state[0]  # [position, d_model]
    return sum(hidden[i] for i in range(len(ids))) / len(ids)


def test_backbone_encoder_against_a_slow_reference(tiny_backbone, monkeypatch):
    monkeypatch.setattr("mvp_skill.sentence_encoders.TOKENS_PER_BATCH", 24)  # several batches
    encoder = BackboneEncoder(tiny_backbone, device="cpu")
    vectors = encoder.encode(SENTENCES)
    assert vectors.shape == (7, 32) and vectors.dtype == torch.float32
    for sentence, vector in zip(SENTENCES, vectors, strict=True):
        # Padding that leaked into the mean would be off by more than a hundredth.
        torch.testing.assert_close(
            vector, encoded_slowly(tiny_backbone, sentence), atol=1e-5, rtol=0
        )
    assert encoder.encode([]).shape == (0, 32)


def test_backbone_encoder_encodes_each_sentence_once_until_cleared(tiny_backbone, monkeypatch):
    encoder = BackboneEncoder(tiny_backbone, device="cpu")
    sizes = []
    original = encoder._encode_batch
    monkeypatch.setattr(
        encoder, "_encode_batch", lambda ids: sizes.append(len(ids)) or original(ids)
    )
    encoder.encode(SENTENCES)
    assert sum(sizes) == len(set(SENTENCES))
    encoder.encode(SENTENCES[::-1])
    assert sum(sizes) == len(set(SENTENCES))
    encoder.clear_cache()
    encoder.encode(SENTENCES[:1])
    assert sum(sizes) == len(set(SENTENCES)) + 1


def test_backbone_encoder_builds_no_graph_and_cuts_long_texts(tiny_backbone):
    encoder = BackboneEncoder(tiny_backbone, device="cpu")
    assert not encoder.model.training and not encoder.encode(["a film"]).requires_grad
    long = "the film " * 200
    torch.testing.assert_close(encoder.encode([long]), encoder.encode([long + "was bad"]))


def test_backbone_encoder_fingerprint_follows_the_weights(tiny_backbone):
    encoder = BackboneEncoder(tiny_backbone, device="cpu")
    before = encoder.fingerprint
    assert BackboneEncoder(tiny_backbone, device="cpu").fingerprint == before
    with torch.no_grad():
        encoder.model.encoder.layer[1].output.dense.weight[3, 4] += 0.5
    assert encoder.fingerprint != before


def test_no_encoder_in_the_folder(tmp_path):
    with pytest.raises(BadInput, match="no config.json.*all-MiniLM-L6-v2"):
        BackboneEncoder(tmp_path)


def test_a_damaged_encoder(tiny_backbone, tmp_path):
    import shutil

    folder = Path(shutil.copytree(tiny_backbone, tmp_path / "copy"))
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(BadInput, match="does not hold a BERT- or RoBERTa-like encoder"):
        BackboneEncoder(folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "nothing"}))
    with pytest.raises(BadInput, match="does not hold a BERT- or RoBERTa-like encoder"):
        BackboneEncoder(folder)


def fake_hub(monkeypatch, load):
    monkeypatch.setitem(sys.modules, "tensorflow_hub", types.SimpleNamespace(load=load))


def test_universal_sentence_encoder_without_tensorflow(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_hub", None)
    with pytest.raises(BadInput, match="pip install tensorflow tensorflow_hub.*ENCODER"):
        UniversalSentenceEncoder()


def test_universal_sentence_encoder_out_of_reach(monkeypatch):
    def load(location):
        raise OSError(f"no {location}")

    fake_hub(monkeypatch, load)
    with pytest.raises(BadInput, match="cannot be loaded from nowhere .*use:FOLDER"):
        UniversalSentenceEncoder("nowhere")


@pytest.mark.parametrize("wrap", [lambda v: v, lambda v: {"outputs": v}])
def test_universal_sentence_encoder(monkeypatch, wrap):
    table = torch.tensor([[3.0, 4.0], [1.0, 0.0]])
    asked = []
    fake_hub(monkeypatch, lambda location: lambda s: asked.append((location, s)) or wrap(table))
    encoder = UniversalSentenceEncoder()
    assert torch.equal(encoder.encode(["a", "b"]), table)
    assert asked == [("https://tfhub.dev/google/universal-sentence-encoder/3", ["a", "b"])]


def test_encoder_constraint_agrees_with_textattacks_and_asks_less(tiny_backbone):
    from mvp_skill.attack_constraints import EncoderSimilarity

    ta = textattack()
    encoder = BackboneEncoder(tiny_backbone, device="cpu")

    class Stock(ta.constraints.semantics.sentence_encoders.SentenceEncoder):
        def encode(self, sentences):
            return encoder.encode(sentences)

    def stock(encoder, **kwargs):
        return Stock(**kwargs)

    def check(constraint, n_words):
        before = ta.shared.AttackedText(" ".join(words[:n_words]))
        after = [before.replace_word_at_index(i, w) for i in range(1, n_words, 3) for w in "zt"]
        kept = [t.text for t in constraint._check_constraint_many(after, before)]
        return kept, [t.attack_attrs["similarity_score"] for t in after]

    words = SENTENCES[3].replace("?", "").replace(",", "").split()
    common = {
        **{"metric": "angular", "compare_against_original": False, "window_size": 9},
        "skip_text_shorter_than_window": True,
    }
    _, scores = check(Stock(threshold=0.0, **common), len(words))
    middle = sorted(scores)[len(scores) // 2]
    for n_words, n_kept in ((7, 4), (len(words), len(scores) - len(scores) // 2)):
        found = [
            check(kind(encoder, threshold=middle, **common), n_words)
            for kind in (stock, EncoderSimilarity)
        ]
        assert found[0] == found[1] and len(found[0][0]) == n_kept


# --- resources_for ------------------------------------------------------------------------------


def fake_mini(monkeypatch, folder):
    """The three parts of the mini world that the attack takes, in place of the real ones."""
    table = neighbours()
    parts = {
        "mvp_skill.mini.vectors": {"load": lambda: (table.words, table.vectors)},
        "mvp_skill.mini.lexicon": {"load": lambda: types.SimpleNamespace(tags=lambda: TAGS)},
        "mvp_skill.backbones": {"backbone_folder": lambda name: folder},
    }
    for name, content in parts.items():
        module = types.ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
        package, _, attribute = name.rpartition(".")
        if package in sys.modules:
            monkeypatch.setattr(sys.modules[package], attribute, module, raising=False)


def test_mini_resources(monkeypatch, tiny_backbone):
    import mvp_skill.mini  # noqa: F401

    fake_mini(monkeypatch, tiny_backbone)
    found = resources_for("mini", device="cpu")
    assert found.neighbours.words == neighbours().words and found.neighbours.k == 22
    assert isinstance(found.tagger, LexiconTagger) and isinstance(found.encoder, BackboneEncoder)
    assert set(found.fingerprints()) == {"neighbours", "tagger", "encoder"}


def test_resources_are_replaced_one_by_one(monkeypatch, tiny_backbone, tmp_path):
    path = random_table().save(tmp_path / "table.safetensors")
    fake_mini(monkeypatch, tiny_backbone)
    loaded = []
    fake_hub(monkeypatch, loaded.append)
    found = resources_for("paper", neighbours=path, tagger="mini")
    assert found.neighbours.words[0] == "word0" and isinstance(found.tagger, LexiconTagger)
    resources_for("mini", encoder="use:/models/use")
    assert loaded == ["https://tfhub.dev/google/universal-sentence-encoder/3", "/models/use"]
    found = resources_for("small", neighbours="mini", tagger="mini", encoder=tiny_backbone)
    assert found.encoder.folder == tiny_backbone


def test_unknown_tagger(monkeypatch, tiny_backbone):
    fake_mini(monkeypatch, tiny_backbone)
    with pytest.raises(BadInput, match="Unknown tagger 'flair'; the taggers are 'mini'"):
        resources_for("mini", tagger="flair")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"scale": "small"}, "Real text needs word vectors"),
        ({"scale": "mini", "neighbours": "nothing.txt"}, "no file of word vectors at nothing.txt"),
        ({"scale": "mini", "tagger": "flair"}, "Unknown tagger 'flair'"),
        ({"scale": "mini", "encoder": "nothing"}, "no sentence encoder in nothing"),
        ({"scale": "mini", "encoder": "use:nothing"}, "needs TensorFlow"),
    ],
)
def test_missing_resources_are_found_without_loading_any(monkeypatch, given, said):
    monkeypatch.setitem(sys.modules, "tensorflow_hub", None)
    monkeypatch.setattr("mvp_skill.attack_resources.find_spec", lambda name: None)
    with pytest.raises(BadInput, match=said):
        check_resources(**given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"ATTACK": "textfoler"}, "Unknown attack 'textfoler'; the attacks are textfooler"),
        ({"ATTACK": "textfooler", "QUERY_BUDGET": 0}, "query_budget must be at least 1"),
        ({"ATTACK": "textfooler", "ENCODER": "nothing"}, "no sentence encoder in nothing"),
        ({"ATTACK": "textfooler", "SCALE": "small"}, "Real text needs word vectors"),
    ],
)
def test_an_attack_is_checked_before_anything_starts(given, said):
    check_parameters({"SCALE": "mini", "ATTACK": "textfooler"})
    with pytest.raises(BadInput, match=said):
        check_parameters(given)


def test_resources_that_are_there_pass(tiny_backbone, tmp_path):
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("a 1 0\nb 0 1\n")
    check_resources("mini")
    check_resources("small", vectors, "mini", tiny_backbone)


def test_anything_with_the_right_parts_is_a_resource():
    found = Resources(neighbours(), LexiconTagger(TAGS), CountingEncoder())
    assert found.fingerprints()["encoder"] == "counting"
