"""How well a tokenizer stands for its text, and whether its two readers give the same ids."""

from pathlib import Path

MANY = 2000  # lines of the corpus that are looked at

# what readers disagree on where something is set wrong; not U+2581, which sentencepiece itself takes for a space
HARD = (
    "",
    " ",
    "  two spaces  ",
    "\ttab\tand\n\nlines\r\n",
    "L'été, où l'on s'égare — « déjà vu » : 1 234,50 €.",
    "naïve façade, coöperate, Ægir, łódź, İstanbul",
    "e\u0301 and \u00e9 are not the same bytes",
    "日本語と漢字、한국어, العربية, עברית, ไทย",
    "\U0001f600\U0001f468‍\U0001f469‍\U0001f467 \U0001f1eb\U0001f1f7",
    "0 1 12 123 1234 3.14159 1e-9 0x1f",
    "def f(x):\n    return {'a': [1, 2], \"b\": x ** 2}  # done\n",
    "https://example.org/a?b=c&d=%20#e",
    "<|im_start|>user\n<s> [INST] </s> <0x0A> <unk> <pad>",
    "\u00a0no break\u200bzero width\ufeff",
    "\x00\x01\x7f control",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
)


def sample(path):
    """Lines spread over the corpus."""
    size = Path(path).stat().st_size
    with Path(path).open("rb") as lines:
        if size < 4_000_000:
            found = lines.read().decode().splitlines()
            return found[:: max(1, len(found) // MANY)][:MANY]
        told = []
        for at in range(MANY):
            lines.seek(size * at // MANY)
            lines.readline()  # the rest of a line that began before
            told.append(lines.readline().decode().rstrip("\n"))
        return [each for each in told if each]


def measure(folder, corpus, *, form, begins):
    """The measures of a tokenizer, loaded from its files as its users will."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    if leads(tokenizer) != begins:
        raise SystemExit(f"plain text gets {leads(tokenizer)} BOS, a chat {begins}: llama.cpp and transformers would differ")
    other = reader(folder, form)
    lines = sample(corpus)
    checked = [*lines, *HARD]
    ids = [ids_of(tokenizer, text) for text in checked]
    told = sum(len(each) for each in ids[: len(lines)])
    back = sum(tokenizer.decode(each, skip_special_tokens=False) == text for each, text in zip(ids, checked, strict=True))
    same = sum(each == other(text) for each, text in zip(ids, checked, strict=True))
    return {
        "vocabulary": len(tokenizer),
        "bytes_per_token": sum(len(text.encode()) for text in lines) / max(told, 1),
        "roundtrip": back / len(checked),
        "parity": same / len(checked),
    }


def ids_of(tokenizer, text):
    """The ids of plain text: what looks like a special token in it is none."""
    return tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]


def leads(tokenizer):
    """How many BOS plain text gets."""
    return tokenizer("a")["input_ids"].count(tokenizer.bos_token_id)


def reader(folder, form):
    """The other reader of the same files: sentencepiece itself, or the library below transformers."""
    if form == "byte-bpe":
        from tokenizers import Tokenizer

        told = Tokenizer.from_file(str(Path(folder, "tokenizer.json")))
        told.encode_special_tokens = True
        return lambda text: told.encode(text, add_special_tokens=False).ids
    import sentencepiece as spm

    pieces = spm.SentencePieceProcessor(model_file=str(Path(folder, "tokenizer.model")))
    return pieces.encode
