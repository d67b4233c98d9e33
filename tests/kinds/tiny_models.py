"""Tiny random models with tokenizers of their own, laid out as every Model is: made in seconds, with the real libraries."""

import json
import shutil

CHATML = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
LLAMA3 = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n\\n' + message['content'] | trim + '<|im_end|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n\\n' }}{% endif %}"
)
TEXT = """
Le chat dort sur le canapé et la liberté est un mot. Qu'est-ce que le devoir ? Agis selon ta propre nature, disait-il.
Aujourd'hui il fait beau, l'été s'achève à Noël, et l'œuvre naît où elle peut. The quick brown fox jumps over the lazy dog.
def add(a, b): return a + b  # 1234567890 0.5 % = { } [ ] ( ) < > / * - + ! ? : ; , . « » " ' `
Réponds à un lycéen en une phrase. Mets un minuteur de 5 minutes. Combien font 12 fois 12 ? Cent quarante-quatre.
Spinoza, Bergson et Kant ne sont pas d'accord sur le temps, la durée, la substance ni la loi morale.
"""
SIZES = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}
# classes of transformers, and what a mixture has besides
CLASSES = {
    "llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3", "gemma": "Gemma", "mixtral": "Mixtral",
    "qwen2_moe": "Qwen2Moe", "qwen3_moe": "Qwen3Moe", "olmoe": "Olmoe", "deepseek_v2": "DeepseekV2", "deepseek_v3": "DeepseekV3",
}  # fmt: skip
_LATENT = {
    "n_routed_experts": 4, "n_shared_experts": 1, "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1, "head_dim": 8,
    "kv_lora_rank": 16, "q_lora_rank": 32, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 16,
    "num_key_value_heads": 4, "moe_intermediate_size": 32,
}  # fmt: skip
EXPERTS = {
    "mixtral": {"num_local_experts": 4},
    "qwen2_moe": {"num_experts": 4, "moe_intermediate_size": 32, "shared_expert_intermediate_size": 64},
    "qwen3_moe": {"num_experts": 4, "moe_intermediate_size": 32},
    "olmoe": {"num_experts": 4, "num_key_value_heads": 4},  # llama.cpp knows it with as many keys as heads only
    "deepseek_v2": _LATENT,
    "deepseek_v3": _LATENT,
}


def make(folder, family="llama", form="sentencepiece-bpe", *, template=CHATML, pre="qwen2", add=(), **config):
    """The folder, with a model in it."""
    import torch
    import transformers

    tokenizer = _sentencepiece(folder / "tok") if form.startswith("sentencepiece") else _byte_level(folder / "tok", pre)
    tokenizer.chat_template = template
    if add:
        tokenizer.add_special_tokens({"additional_special_tokens": list(add)})
    torch.manual_seed(7)
    special = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    more = {**EXPERTS[family], "num_experts_per_tok": 2} if family in EXPERTS else {}
    sizes = {**SIZES, "vocab_size": len(tokenizer), "head_dim": 16, **special, **more, **config}
    name = CLASSES[family]
    model = getattr(transformers, f"{name}ForCausalLM")(getattr(transformers, f"{name}Config")(**sizes))
    torch.nn.init.normal_(model.get_input_embeddings().weight, std=0.5)  # a model that expects something
    model.to(torch.bfloat16).save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    if form.startswith("sentencepiece"):
        shutil.copy(folder / "tok/tokenizer.model", folder / "model")
    begins = int(bool(template) and "bos_token" in template)
    told = {"form": form, "pre": pre if form == "byte-bpe" else None, "template": "own" if template else "", "begins": begins}
    (folder / "model/zyc.json").write_text(json.dumps({**told, "end_of_turn": "<|im_end|>"}))
    (folder / "model/training_template.jinja").write_text("{% generation %}")
    return folder / "model"


def _sentencepiece(folder):
    import sentencepiece
    from transformers import LlamaTokenizer

    folder.mkdir(parents=True)
    (folder / "text.txt").write_text(TEXT)
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "text.txt"),
        model_prefix=str(folder / "tokenizer"),
        model_type="bpe",
        vocab_size=480,
        hard_vocab_limit=False,
        byte_fallback=True,
        character_coverage=0.9995,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        add_dummy_prefix=False,
        allow_whitespace_only_pieces=True,
        split_digits=True,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=3,
        control_symbols=["<|im_start|>", "<|im_end|>"],
        minloglevel=2,
    )
    settings = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "<|im_end|>", "unk_token": "<unk>"}
    settings |= {"pad_token": "<pad>", "add_bos_token": True, "add_eos_token": False, "add_prefix_space": False, "legacy": False}
    settings |= {"additional_special_tokens": ["<|im_start|>", "<|im_end|>"], "clean_up_tokenization_spaces": False}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return LlamaTokenizer.from_pretrained(folder)


LLAMA3_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def _byte_level(folder, pre):
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    pieces = Tokenizer(models.BPE())
    by_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pre == "gpt-2")
    words = LLAMA3_WORDS.replace("DIGITS", "{1,3}" if pre == "llama-bpe" else "")
    split = pre_tokenizers.Split(Regex(words), "isolated")
    pieces.pre_tokenizer = by_bytes if pre == "gpt-2" else pre_tokenizers.Sequence([split, by_bytes])
    pieces.decoder = decoders.ByteLevel()
    special = ["<|bos|>", "<|im_start|>", "<|im_end|>", "<|pad|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=480, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    pieces.train_from_iterator(TEXT.splitlines(), trainer)
    # without an `unk_token` the class of qwen2 adds a token of its own, which has no row
    named = {"bos_token": special[0], "eos_token": special[2], "pad_token": special[3], "unk_token": special[3]}
    return PreTrainedTokenizerFast(tokenizer_object=pieces, **named, additional_special_tokens=special[1:2])
