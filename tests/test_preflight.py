"""What a backbone cannot do is known before a run starts. (More of that: test_overrides.py.)"""

import copy
import json
import shutil

import pytest
from prompt_cases import soft_prompt

from mvp_skill import adversarial, preflight, prompts
from mvp_skill.errors import BadInput
from mvp_skill.preflight import check_parameters, why_not
from mvp_skill.soft_prompts import save_soft_prompt
from mvp_skill.victims import METHODS, UNTRAINED


def check(backbone, **parameters):
    check_parameters({"SCALE": "mini", "BACKBONE": str(backbone), "SEED": 0} | parameters)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("backbone", ["tiny_backbone", "tiny_bert"])
def test_masked_language_models_pass_with_every_method(request, backbone, method):
    check(request.getfixturevalue(backbone), METHOD=method)


@pytest.mark.parametrize("method", sorted(set(METHODS) - {"mlp_ft", "mvp"}))
def test_gpt2_is_refused_where_the_start_of_the_text_is_read(tiny_gpt2, method):
    with pytest.raises(BadInput, match=f"Method '{method}' reads the state of <s>.*'gpt2' does"):
        check(tiny_gpt2, METHOD=method)


@pytest.mark.parametrize("method", ["mlp_ft", "mvp", None])
def test_gpt2_passes_with_appended_templates_only(tiny_gpt2, method, monkeypatch):
    edited = copy.deepcopy(prompts.all_prompts())
    edited["mini_films"]["templates"]["appended"] = ["{text} overall it was [MASK]"]
    monkeypatch.setattr(prompts, "all_prompts", lambda: edited)
    check(tiny_gpt2, METHOD=method)
    check(tiny_gpt2, METHOD=method, TASK="mini_films", TEMPLATE_VARIANT="appended")
    for variant in (None, "one"):  # in front; with a full stop after the mask
        with pytest.raises(BadInput, match="Template .* does not suit a backbone without a mask"):
            check(tiny_gpt2, METHOD=method, TASK="mini_films", TEMPLATE_VARIANT=variant)


@pytest.mark.parametrize("method", METHODS)
def test_random_weights_are_for_some_methods(tiny_backbone, method):
    if method in UNTRAINED:
        check(tiny_backbone, METHOD=method, PRETRAINED=False)
    else:
        with pytest.raises(BadInput, match=f"'{method}' needs a pretrained backbone"):
            check(tiny_backbone, METHOD=method, PRETRAINED=False)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ('{"model_type": "electra"}', "type 'electra' cannot be a victim yet; use .*gpt2"),
        ('{"hidden_size": 3}', "config.json does not say which model_type it is of"),
        ("[", "config.json does not say which model_type it is of"),
    ],
)
def test_another_architecture_is_refused(tiny_backbone, tmp_path, config, said):
    folder = shutil.copytree(tiny_backbone, tmp_path / "copy")
    (folder / "config.json").write_text(config, encoding="utf-8")
    with pytest.raises(BadInput, match=said) as refusal:
        check(folder)
    assert "\n" not in str(refusal.value)


def test_it_is_said_why_a_task_lacks_a_variant(tiny_gpt2):
    assert why_not("mini_films", "mini-roberta") is None
    assert why_not("mini_films", "mini-roberta", "random", "several") is None
    assert "Unknown template variant of sst2: 'random'" in why_not("sst2", "mini-roberta", "random")
    assert "'many'" in why_not("mini_news", "mini-roberta", label_words="many")
    assert "single tokens" in why_not("dbpedia", "mini-roberta")
    assert "does not suit a backbone without a mask" in why_not("mini_films", str(tiny_gpt2), "one")


# --- tasks of the second paper -----------------------------------------------------------------


def qnli_folder(tmp_path, label="entailment"):
    rows = [f"{i}\tQ{i}?\tS{i}\t{('not_entailment', 'entailment')[i % 2]}" for i in range(40)]
    lines = ["index\tquestion\tsentence\tlabel", *rows, f"40\tQ\tS\t{label}"]
    (tmp_path / "dev.tsv").write_text("\n".join(lines) + "\n")
    return str(tmp_path)


def tuning(**parameters):
    return {"SCALE": "mini", "KINDS": None, "SEEDS": None, "N_PROMPT": None} | parameters


def test_the_files_of_new_tasks_are_read_through(tmp_path):
    given = {"TASKS": "qnli", "KINDS": "roberta"}  # mini-roberta has "no" and "yes" as words
    with pytest.raises(BadInput, match="line 42: has the label 'yes'"):
        check_parameters(tuning(**given, DATA_DIR=qnli_folder(tmp_path, "yes")))
    with pytest.raises(BadInput, match="has no file justice_train.csv; it contains dev.tsv"):
        check_parameters(tuning(TASKS="ethics_justice", DATA_DIR=str(tmp_path)))
    with pytest.raises(BadInput, match="Unknown task 'sst3'; use sst2.*mini_adv_nli"):
        check_parameters(tuning(TASKS="mini_films, sst3"))


def test_prompt_tuning_wants_label_words_and_no_templates():
    check_parameters(tuning(TASKS="mini_duplicates", N_PROMPT=20))
    with pytest.raises(BadInput, match="N_PROMPT must be a whole number of at least 1, not 0"):
        check_parameters(tuning(TASKS="mini_films", N_PROMPT=0))


def test_label_words_that_a_backbone_lacks_are_known_before(tmp_path):
    given = {"TASKS": "qnli", "DATA_DIR": qnli_folder(tmp_path), "KINDS": "t5"}
    with pytest.raises(BadInput, match="'contradiction', without a space .* must be a single tok"):
        check_parameters(tuning(**given))


def test_b1_prompts_are_not_tuned_on_adversarial_sets(tmp_path):
    entry = {"sentence": "fine", "label": 1}
    (tmp_path / "dev.json").write_text(json.dumps({"sst2": [entry]}))
    given = {"TASKS": "adv_sst2", "DATA_DIR": str(tmp_path)}
    with pytest.raises(BadInput, match="cannot be tuned on adv_sst2.*clean task sst2 in TASKS"):
        check_parameters(tuning(**given))
    with pytest.raises(BadInput, match="Unknown task for templates: 'adv_sst2'"):
        check_parameters({"SCALE": "mini", "TASK": "adv_sst2", "DATA_DIR": str(tmp_path)})


def test_a_mini_set_that_is_not_there_is_known_before(monkeypatch, tmp_path):
    monkeypatch.setattr(adversarial, "MINI_FOLDER", tmp_path)
    preflight._check_data.cache_clear()
    with pytest.raises(BadInput, match=r"mini_adv_nli is read from mini_adv_nli\.jsonl"):
        check_parameters({"SCALE": "mini", "TASK": "mini_adv_nli"})


def test_a_folder_without_soft_prompts_is_refused(tmp_path):
    with pytest.raises(BadInput, match="has no released soft prompts; give the folder"):
        check_parameters({"PROMPTS": str(tmp_path)})
    save_soft_prompt(tmp_path / "a.safetensors", soft_prompt())
    check_parameters({"PROMPTS": str(tmp_path)})
    (tmp_path / "b.safetensors").write_bytes(b"no tensors")
    with pytest.raises(BadInput, match="b.safetensors"):
        check_parameters({"PROMPTS": str(tmp_path)})
