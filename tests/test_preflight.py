"""What a backbone cannot do is known before a run starts. (More of preflight: test_batch.py.)"""

import copy
import shutil

import pytest
from prompt_cases import soft_prompt

from mvp_skill import prompts
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


def test_a_folder_without_soft_prompts_is_refused(tmp_path):
    with pytest.raises(BadInput, match="has no released soft prompts; give the folder"):
        check_parameters({"PROMPTS": str(tmp_path)})
    save_soft_prompt(tmp_path / "a.safetensors", soft_prompt())
    check_parameters({"PROMPTS": str(tmp_path)})
    (tmp_path / "b.safetensors").write_bytes(b"no tensors")
    with pytest.raises(BadInput, match="b.safetensors"):
        check_parameters({"PROMPTS": str(tmp_path)})
