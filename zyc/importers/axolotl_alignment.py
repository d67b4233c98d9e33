"""What axolotl's YAML says of preferences and rewards: a method, its losses, how answers are drawn and what they are worth."""

from __future__ import annotations

from zyc.importers import values
from zyc.importers.draft import Node
from zyc.importers.values import Plain
from zyc.importers.work import Work

_ALIGNED = ("dpo", "ipo", "kto", "orpo", "grpo")
_ROLLOUT = {
    "trl.num_generations": "generations",
    "trl.max_completion_length": "max_tokens",
    "trl.temperature": "temperature",
    "trl.top_p": "top_p",
    "trl.top_k": "top_k",
    "trl.num_iterations": "iterations",
}
# of each method, the keys that are settings of the engine under another name
ENGINE = {
    "dpo": {
        "dpo_label_smoothing": "label_smoothing",
        "dpo_use_weighting": "use_weighting",
        "precompute_ref_log_probs": "precompute_ref_log_probs",
        "trl.sync_ref_model": "sync_ref_model",
        "trl.ref_model_mixup_alpha": "ref_model_mixup_alpha",
        "trl.ref_model_sync_steps": "ref_model_sync_steps",
    },
    "kto": {
        "kto_desirable_weight": "desirable_weight",
        "kto_undesirable_weight": "undesirable_weight",
        "precompute_ref_log_probs": "precompute_ref_log_probs",
    },
    "reward": {"center_rewards_coefficient": "center_rewards_coefficient"},
    "grpo": {
        "trl.epsilon": "epsilon",
        "trl.epsilon_high": "epsilon_high",
        "trl.scale_rewards": "scale_rewards",
        "trl.mask_truncated_completions": "mask_truncated_completions",
        "trl.importance_sampling_level": "importance_sampling_level",
        "trl.min_p": "min_p",
        "trl.repetition_penalty": "repetition_penalty",
        "trl.sync_ref_model": "sync_ref_model",
        "trl.ref_model_mixup_alpha": "ref_model_mixup_alpha",
        "trl.ref_model_sync_steps": "ref_model_sync_steps",
    },
}


def alignment(work: Work, node: Node) -> None:
    """The method and its settings, where the node is an alignment."""
    given = work.given
    if node.section != "alignments":
        return
    by = "reward_model" if given.on("reward_model") else "rl"
    word = "reward" if by == "reward_model" else given.text("rl")
    ours = "dpo" if word == "ipo" else word
    if ours != "reward" and word not in _ALIGNED:
        given.refuse(by, f"zyc has no `{word}`", "choose `dpo`, `ipo`, `kto`, `orpo` or `grpo`", whole=True)
        return
    work.put(node, "method", ours, by)
    for key in ("rl_beta", "dpo_beta", "trl.beta", *(("orpo_alpha",) if ours == "orpo" else ())):
        work.move(node, "beta", key, values.number)
    _losses(work, node, word)
    for key, name in ENGINE.get(ours, {}).items():
        work.move(node, f"engine.{name}", key)
    if ours == "grpo":
        _drawn(work, node)
    for key in ("rpo_alpha", "simpo_gamma", "cpo_alpha"):
        if key in given:
            given.refuse(
                key, "zyc has no such loss", "for a part of the plain loss write `dpo_loss_type: [sigmoid, sft]` with weights"
            )
    given.drop("num_labels", "one number is predicted: the reward")


def _losses(work: Work, node: Node, word: str) -> None:
    """The losses of DPO, with their weights."""
    given = work.given
    names = given.words("dpo_loss_type") or (["ipo"] if word == "ipo" else [])
    weights = [values.number(each) for each in weighed] if isinstance(weighed := given.value("dpo_loss_weights"), list) else []
    if word in ("dpo", "ipo") and names:
        told: object = dict(zip(names, weights, strict=False)) if len(weights) == len(names) else names
        work.put(node, "loss", told, "dpo_loss_type", "dpo_loss_weights", *(("rl",) if word == "ipo" else ()))
    elif "trl.loss_type" in given and word == "grpo":
        work.move(node, "loss", "trl.loss_type", values.text)


def _drawn(work: Work, node: Node) -> None:
    """How answers are drawn, and what they are worth: functions of modules beside the configuration."""
    given = work.given
    for key, field in _ROLLOUT.items():
        work.move(node, f"rollout.{field}", key)
    names = given.words("trl.reward_funcs")
    weights = given.words("trl.reward_weights") or ["1.0"] * len(names)
    told = []
    for name, weight in zip(names, weights, strict=False):
        module, _, function = name.rpartition(".")
        path = work.asked.placed(f"{module.replace('.', '/')}.py")
        told.append({"file": path, "function": function, "weight": Plain(weight)})
        if not module:
            given.refuse("trl.reward_funcs", f"`{name}` names no module", "write it as a function in a file: `MODULE.FUNCTION`")
    if told:
        work.put(node, "rewards", told, "trl.reward_funcs", "trl.reward_weights")
