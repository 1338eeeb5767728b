"""The abstract's statements: one verdict from the recorded claims that speak to each."""

import json

import pandas
import pytest

from mvp_skill.results import VERDICTS
from mvp_skill.skill_neuron_claims import ABSTRACT, evidence, statements, together
from run_all import NOTEBOOKS


def recorded(*rows):
    columns = ["notebook", "claim", "criterion", "verdict"]
    found = [(notebook, text, "c", VERDICTS[held]) for notebook, text, held in rows]
    return pandas.DataFrame(found, columns=columns)


def every(held, **changed):
    rows = [(notebook, f"x {words} y", held) for one in ABSTRACT for notebook, words in one.parts]
    return recorded(*[(n, t, changed.get(n.split("_")[1], h)) for n, t, h in rows])


@pytest.mark.parametrize(
    ("held", "wanted"),
    [
        ([True, True], True),
        ([True, None], None),
        ([None, False], False),
        ([False, True], False),
        ([], None),
    ],
)
def test_together_is_the_weakest(held, wanted):
    assert together(held) is wanted


def test_a_statement_holds_only_with_all_that_speaks_to_it():
    assert [one["holds"] for one in statements(every(True))] == [True] * len(ABSTRACT)
    assert [one["holds"] for one in statements(recorded())] == [None] * len(ABSTRACT)
    mixed = {one["claim"]: one["holds"] for one in statements(every(True, suppression=False))}
    assert [text for text, holds in mixed.items() if holds is False] == [
        "There are skill neurons in RoBERTa",
        "There are skill neurons in T5, too",
    ]
    part_open = {o["claim"]: o["holds"] for o in statements(every(True, patching=None))}
    assert sum(holds is None for holds in part_open.values()) == 1


def test_what_goes_beyond_the_paper_decides_nothing():
    beyond = recorded(
        ("24_skill_neurons", "Skill neurons exist in T5's decoder (beyond the paper)", False)
    )
    found = statements(pandas.concat([every(True), beyond]))
    assert all(one["holds"] for one in found)


def test_the_evidence_names_what_was_not_run():
    found = evidence(recorded(("23_adversarial_data", "RoBERTa falls below chance on it", False)))
    assert len(found) == sum(len(one.parts) for one in ABSTRACT)
    assert list(found["verdict"]).count(VERDICTS[None]) == len(found) - 1


def test_every_part_is_a_claim_that_its_notebook_records():
    """Names of kinds are filled in by the notebook, so each part is looked for without them."""
    for one in ABSTRACT:
        for notebook, words in one.parts:
            cells = json.loads((NOTEBOOKS / f"{notebook}.ipynb").read_text())["cells"]
            code = " ".join(
                "".join(c["source"]) for c in cells if c["cell_type"] == "code"
            ).replace('"\n        "', "")
            plain = words.replace("RoBERTa", "{}").replace("T5", "{}")
            pieces = [piece.strip() for piece in plain.split("{}") if piece.strip()]
            assert words in code or all(piece in code for piece in pieces), (notebook, words)
