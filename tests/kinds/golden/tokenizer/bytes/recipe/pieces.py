"""A tokenizer from text, in the two forms that llama.cpp reads: pieces of sentencepiece, or pieces of bytes."""

import json
from pathlib import Path

# how text is split before pieces are looked for, by the names that llama.cpp has for it
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def sentencepiece(corpus, out, *, tokens, seed, **settings):
    """Train with sentencepiece; what is set here is what makes transformers and llama.cpp agree."""
    import sentencepiece as spm

    spm.set_random_generator_seed(seed)
    spm.SentencePieceTrainer.train(
        input=str(corpus),
        model_prefix=str(out / "tokenizer"),
        hard_vocab_limit=False,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        add_dummy_prefix=False,
        allow_whitespace_only_pieces=True,
        num_threads=16,
        minloglevel=1,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=3,
        unk_piece="<unk>",
        bos_piece=tokens["bos"],
        eos_piece=tokens["eos"],
        pad_piece="<pad>",
        control_symbols=tokens["controls"],
        **settings,
    )
    (out / "tokenizer.vocab").unlink()  # the same pieces for people
    if settings["model_type"] == "unigram":  # transformers has no class that reads these as they are
        _of_unigram(out, tokens)


def _of_unigram(out, tokens):
    """The pieces as the library below transformers has them."""
    import sentencepiece as spm
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    read = spm.SentencePieceProcessor(model_file=str(out / "tokenizer.model"))
    # controls and bytes are pieces of their own, but no text is ever cut into them: a text may hold their names
    apart = [read.is_control(at) or read.is_unknown(at) or read.is_byte(at) for at in range(read.get_piece_size())]
    pieces = [(read.id_to_piece(at), -1e6 if apart[at] else read.get_score(at)) for at in range(read.get_piece_size())]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=read.unk_id(), byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="never", split=False)
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    controls = [read.id_to_piece(at) for at in range(read.get_piece_size()) if read.is_control(at) or read.is_unknown(at)]
    tokenizer.add_special_tokens([AddedToken(each, normalized=False, special=True) for each in controls])
    _begin(tokenizer, tokens)
    tokenizer.save(str(out / "tokenizer.json"))


def _begin(tokenizer, tokens):
    """Put a BOS before a text, where chats begin with one, too."""
    from tokenizers import processors

    if tokens["begins"]:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{tokens['bos']} $A",
            pair=f"{tokens['bos']} $A {tokens['bos']} $B",
            special_tokens=[(tokens["bos"], tokenizer.token_to_id(tokens["bos"]))],
        )


def of_bytes(corpus, out, *, pre, vocab, tokens):
    """Train pieces of bytes, split as `pre` says."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = splitting(pre)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=[tokens["bos"], tokens["eos"], "<pad>", *tokens["controls"]],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train([str(corpus)], trainer)
    _begin(tokenizer, tokens)
    tokenizer.save(str(out / "tokenizer.json"))


def splitting(pre):
    """The pre-tokenizer of that name."""
    from tokenizers import Regex, pre_tokenizers

    of_gpt2 = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    if pre == "gpt-2":
        return of_gpt2
    if pre == "smollm":
        return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), of_gpt2])
    split = pre_tokenizers.Split(Regex({"qwen2": QWEN2, "llama-bpe": LLAMA3}[pre]), "isolated")
    return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def configure(out, *, form, tokens):
    """What transformers must know beside the pieces; the token that ends a turn ends a text, so that answers stop."""
    special = [tokens["bos"], tokens["eos"], *tokens["controls"]]
    told = {
        "tokenizer_class": "LlamaTokenizer" if form == "sentencepiece-bpe" else "PreTrainedTokenizerFast",
        "bos_token": tokens["bos"],
        "eos_token": tokens["end_of_turn"],
        "pad_token": "<pad>",
        "add_bos_token": bool(tokens["begins"]),
        "add_eos_token": False,
        "clean_up_tokenization_spaces": False,
        "additional_special_tokens": [each for each in special if each not in (tokens["bos"], tokens["end_of_turn"])],
    }
    if form != "byte-bpe":
        told |= {"unk_token": "<unk>"}
    if form == "sentencepiece-bpe":
        told |= {"add_prefix_space": False, "legacy": False}
    Path(out, "tokenizer_config.json").write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n")
