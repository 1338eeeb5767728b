"""Word neighbours: against slow references, and with bad files."""

import numpy as np
import pytest
from attack_cases import GROUPS, neighbours, random_table

from mvp_skill import neighbours as neighbours_module
from mvp_skill.errors import BadInput
from mvp_skill.neighbours import Neighbours, nearest_words
from mvp_skill.textattack_import import textattack


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


def test_textattack_pitfall_2_neighbours_need_a_stored_table():
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
