"""The run of an attack on a hand-made world: what it counts, asks of its victim, and refuses."""

import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from attack_cases import MIXED, ONE, BagOfWords, examples, one, resources, run, without_seconds

from mvp_skill.attack_recipes import textfooler
from mvp_skill.errors import BadInput
from mvp_skill.tasks import Task
from mvp_skill.textattack_import import textattack

# --- outcomes -----------------------------------------------------------------------------------


def test_a_planted_attack_succeeds_with_the_queries_counted_by_hand():
    record = one(BagOfWords(), "the film was good", 1)
    assert record["outcome"] == "succeeded"
    assert record["attacked_texts"] == ["the film was okay"]
    assert (record["clean_pred"], record["attacked_pred"]) == (1, 0)
    assert record["perturbed_fraction"] == 1 / 4 and record["n_words"] == 4
    # The first query; film and good deleted ("the" is a stop word, "was" too); decent and okay.
    assert record["n_queries"] == 1 + 2 + 2
    assert record["error"] is None and record["seconds"] > 0


def test_an_attack_that_cannot_help_fails_and_keeps_its_best_text():
    victim = BagOfWords({"good": 3.0, "decent": 2.0, "okay": 1.0})
    record = one(victim, "the film was good", 1)
    assert record["outcome"] == "failed" and record["attacked_pred"] == 1
    assert record["attacked_texts"] == ["the film was okay"]  # not enough, but the best there is
    assert record["n_queries"] == 1 + 2 + 2 + 2  # film has two neighbours as well


def test_an_example_that_is_wrong_from_the_start_is_skipped():
    record = one(BagOfWords(), "the film was good", 0)
    assert record["outcome"] == "skipped" and record["n_queries"] == 1
    assert record["attacked_texts"] == record["texts"] and record["perturbed_fraction"] == 0


def test_outcomes_add_up_and_rows_keep_their_order():
    log = run(BagOfWords(), MIXED)
    outcomes = [record["outcome"] for record in log.records]
    assert outcomes == [
        *("succeeded", "succeeded", "skipped", "failed", "failed", "succeeded", "skipped")
    ]
    assert [record["index"] for record in log.records] == list(range(len(MIXED)))
    assert [record["texts"] for record in log.records] == [row["texts"] for row in MIXED]


def test_a_text_without_anything_to_change_fails_after_one_query():
    record = one(BagOfWords({"zebra": 1.0}), "zebra", 1)
    assert record["outcome"] == "failed" and record["n_queries"] == 1 + 1  # zebra deleted
    record = one(BagOfWords({"the": 1.0}), "the", 1)
    assert record["outcome"] == "failed" and record["n_queries"] == 1


def test_query_budget_is_kept():
    rich = one(BagOfWords(), "the film was good", 1)
    poor = one(BagOfWords(), "the film was good", 1, query_budget=rich["n_queries"] - 2)
    assert poor["outcome"] == "failed" and poor["n_queries"] == rich["n_queries"] - 2


def test_outcomes_texts_and_query_counts_equal_textattacks_attacker(capsys):
    ta = textattack()
    rows = [(OrderedDict(text=row["texts"][0]), row["label"]) for row in MIXED]
    dataset = ta.datasets.Dataset([(r["text"], y) for r, y in rows], input_columns=["text"])
    arguments = ta.AttackArgs(num_examples=len(rows), disable_stdout=True, silent=True)
    made = textfooler(BagOfWords(), ONE, resources())
    results = list(ta.Attacker(made, dataset, arguments).attack_dataset())
    records = run(BagOfWords(), MIXED).records
    assert [r.num_queries for r in results] == [r["n_queries"] for r in records]
    assert [r.perturbed_text() for r in results] == [r["attacked_texts"][0] for r in records]
    names = [type(r).__name__.removesuffix("AttackResult").lower()[:4] for r in results]
    assert names == [r["outcome"][:4] for r in records]


def test_the_progress_line_says_how_it_goes(capsys):
    run(BagOfWords(), MIXED, progress=True)
    said = capsys.readouterr().err
    assert "textfooler: 100%" in said and "7/7" in said
    assert "60% succeeded" in said and "queries/s" in said  # 3 of the 5 that were attacked


def test_oracle_is_asked_about_successes_only():
    asked = []

    def oracle(task_name, texts, attacked_texts, label):
        asked.append((task_name, texts, attacked_texts, label))
        return "changed"

    records = run(BagOfWords(), MIXED, oracle=oracle).records
    succeeded = [r for r in records if r["outcome"] == "succeeded"]
    assert asked == [("reviews", r["texts"], r["attacked_texts"], r["label"]) for r in succeeded]
    assert {r["oracle"] for r in succeeded} == {"changed"}
    assert {r["oracle"] for r in records if r["outcome"] != "succeeded"} == {None}


# --- the victim ---------------------------------------------------------------------------------


class Dropping(torch.nn.Module):
    """A victim with dropout, and with a frozen part that is in evaluation mode all the time."""

    def __init__(self):
        super().__init__()
        self.dropout = torch.nn.Dropout(0.5)
        self.frozen = torch.nn.Dropout(0.5).eval()
        self.scale = torch.nn.Parameter(torch.ones(1))
        self.modes = set()

    def forward(self, texts):
        self.modes.add((self.training, self.dropout.training, torch.is_inference_mode_enabled()))
        return self.dropout(BagOfWords()(texts)) * self.scale


def test_pitfall_01_the_victim_is_in_evaluation_mode_and_gets_its_modes_back():
    victim = Dropping().train()
    victim.frozen.eval()
    log = run(victim, MIXED)
    assert {(training, dropping) for training, dropping, _ in victim.modes} == {(False, False)}
    assert victim.training and victim.dropout.training and not victim.frozen.training
    assert without_seconds(log.records) == without_seconds(run(BagOfWords(), MIXED).records)


def test_pitfall_01_a_victim_that_draws_is_refused():
    def victim(texts):
        return BagOfWords()(texts) + torch.rand(len(texts), 2)

    with pytest.raises(BadInput, match="answers the same texts differently each time"):
        run(victim, MIXED)


def test_pitfall_15_no_gradients_are_built():
    victim = Dropping()
    run(victim, MIXED)
    assert {inference for _, _, inference in victim.modes} == {True}
    assert victim.scale.grad is None


def test_textattack_pitfall_7_half_precision_logits_arrive_as_fp32():
    log = run(lambda texts: BagOfWords()(texts).to(torch.bfloat16), MIXED)
    assert "error" not in {record["outcome"] for record in log.records}
    from mvp_skill.attack_constraints import VictimWrapper

    wrapped = VictimWrapper(lambda texts: torch.full((len(texts), 3), 0.5, dtype=torch.bfloat16))
    assert wrapped(["a", "b"]).dtype == torch.float32


def test_textattack_pitfall_7_logits_that_sum_to_one_are_not_taken_for_probabilities():
    logits = torch.tensor([[2.0, -1.0], [0.25, 0.75], [3.0, 4.0]])
    for rows in ([0], [0, 1], [0, 2], [0, 1, 2]):  # TextAttack decides for a whole batch
        made = textfooler(lambda texts, rows=rows: logits[rows], ONE, resources())
        texts = [textattack().shared.AttackedText(f"text {row}") for row in rows]
        made.goal_function.ground_truth_output = 0
        got = torch.stack(list(made.goal_function._call_model_uncached(texts)))
        assert torch.equal(got, torch.softmax(logits[rows], dim=1)), rows


def test_an_example_that_raises_is_an_error_and_the_run_goes_on(caplog):
    def victim(texts):
        if any(text.startswith("poor") for text in texts):
            raise RuntimeError("out of memory")
        return BagOfWords()(texts)

    records = run(victim, MIXED).records
    assert records[4]["outcome"] == "error" and records[4]["error"] == "RuntimeError: out of memory"
    assert records[4]["n_queries"] is None and records[4]["texts"] == ["poor film"]
    assert "an attack raised" in caplog.text
    expected = run(BagOfWords(), MIXED).records
    del records[4], expected[4]
    assert without_seconds(records) == without_seconds(expected)


# --- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "options", "sentence"),
    [
        (MIXED, {"recipe": "textfoolr"}, "Unknown attack 'textfoolr'; the attacks are textfooler"),
        (MIXED, {"log_path": "x.jsonl"}, "needs victim_key"),
        ([], {}, "nothing to attack"),
        (
            examples((["a", "b"], 1)),
            {},
            "Example 0 has 2 texts, but the columns of reviews are text",
        ),
        (
            examples(("a", 0), ("b", 2)),
            {},
            "Example 1 has the label 2, but reviews has the labels 0",
        ),
        (examples(("a <SPLIT> b", 0)), {}, "Example 0 contains <SPLIT>"),
        (MIXED, {"task": Task("t", ("a", "b"), max_perturbed_fraction=0.0)}, "must be above 0"),
        (MIXED, {"query_budget": 0}, "query_budget must be at least 1"),
        (MIXED, {"recipe_options": {"k": 2}}, "textfooler has no option 'k'; it has none"),
        (
            MIXED,
            {"recipe": "misspelling", "recipe_options": {"k": 2}},
            "misspelling has no option 'k'; it has max_words",
        ),
        (MIXED, {"concurrency": 0}, "concurrency must be at least 1"),
    ],
)
def test_bad_input_is_one_sentence_before_the_victim_is_asked(rows, options, sentence):
    victim = BagOfWords()
    with pytest.raises(BadInput, match=sentence):
        run(victim, rows, **options)
    assert victim.asked == []


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            lambda n: torch.zeros(n, 3),
            r"\[batch, class\], here \[2, 2\] for the task reviews, not \[2, 3\]",
        ),
        (lambda n: [[0.0, 1.0]] * n, "not list"),
        (lambda n: torch.full((n, 2), float("nan")), "not finite"),
    ],
)
def test_a_victim_that_breaks_its_contract_is_refused(answer, sentence):
    with pytest.raises(BadInput, match=sentence):
        run(lambda texts: answer(len(texts)), MIXED)


def test_importing_the_attack_imports_neither_textattack_nor_torch():
    code = (
        "import sys, mvp_skill.attacks, mvp_skill.metrics, mvp_skill.textattack_csv;"
        "assert not {'textattack', 'torch', 'transformers', 'pandas'} & set(sys.modules)"
    )
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
