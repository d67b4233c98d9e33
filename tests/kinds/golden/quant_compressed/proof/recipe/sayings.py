"""Texts and chats that show whether two readers of one tokenizer or template agree; nothing of them is in any training data.

Three things are known to differ, and left out: a literal U+2581, which sentencepiece itself takes for a space; a literal
`</s>` where another token ends a turn, which transformers reads as text and llama.cpp as control; and, for a tokenizer that
composes letters and accents first (Qwen's), text in which they stand apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

SENTENCES = (
    "Le chat dort sur le canapé.",
    "Qu'est-ce que la liberté ?",
    "L'été, où l'œuvre naît, s'achève-t-il à Noël ?",
    "« Je pense, donc je suis », écrivait-il en 1637.",
    "Aujourd'hui, il fait 21,5 °C à l'ombre.",
    "The quick brown fox jumps over the lazy dog.",
    "I'll say it's theirs; they've said WE'RE DONE.",
    "x",
    "Der Fluß fließt über die Brücke.",
    "El niño comió piñata y ¡olé!",
    "Быстрая коричневая лиса.",
    "Καλημέρα κόσμε",
    "素早い茶色の狐が跳ぶ。",
    "快速的棕色狐狸跳过懒狗。",
    "빠른 갈색 여우",
    "الثعلب البني السريع",
    "השועל החום המהיר",
    "तेज़ भूरी लोमड़ी",
    "สุนัขจิ้งจอกสีน้ำตาล",
    "🦙🦙 un lama 🚀✅",
    "👩‍👩‍👧‍👦 famille",
    "🏳️‍🌈 e\u0301 n\u0303 a\u030a",
    "ﬁ ﬂ ½ ² ™ № …",
    "\u00a0insécable\u202fici",
    "zero\u200bwidth\u200dspace",
    "naïve façade coöperate",
    "ÀÉÎÕÜ àéîõü Ÿ Œ Æ",
    "0 1 12 123 1234 12345 123456 1234567",
    "3.14159 -2.5e10 0x1F 1_000_000 50% 2024-06-30",
    "+33 (0)1 23 45 67 89",
    "def f(x):\n    return x ** 2  # carré\n",
    "for (int i = 0; i < n; ++i) { a[i] += b[i]; }",
    "SELECT * FROM t WHERE a != 'b';",
    '<div class="a">&nbsp;</div>',
    '{"name": "set_timer", "minutes": 5, "on": [true, null]}',
    "$E = mc^2$ \\alpha\\beta",
    "https://example.org/a/b?c=d&e=%20f#g",
    "a\\b\\\\c\\n",
    "`code` **gras** _ital_ # titre\n- un\n- deux\n",
    "!!! ??? ... --- ___ ***",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "AbCdEfGhIjKl camelCase snake_case kebab-case",
    "tab\tune\tautre\t\tdeux",
    "ligne un\nligne deux\n\nligne quatre\r\nfin",
    "   trois espaces",
    "fin avec espaces   ",
    "a  b   c    d     e",
    "\n",
    " ",
    "\t \n \t",
    "[INST] <<SYS>> </SYS> [/INST]",
    "<|user|> ### Instruction:",
    "<think>hm</think>",
    "(a)(b)[c]{d}<e>",
    "\u0000\u0007\u001b[31m",
)

FRAMES = ("{}", " {}", "{} ", "\n{}", "x{}", "{}\n\n{}")


def texts() -> tuple[str, ...]:
    """Several hundred texts: each sentence by itself and between spaces, lines and letters."""
    made = [frame.replace("{}", each) for each in SENTENCES for frame in FRAMES]
    made += [one + two for one, two in zip(SENTENCES, SENTENCES[7:], strict=False)]
    return tuple(dict.fromkeys(made))


def texts_with(tokens: Iterable[str]) -> tuple[str, ...]:
    """Texts in which special tokens stand, as a template has them."""
    return tuple(text for each in tokens for text in (each, f"{each}bonjour", f"bonjour{each}", f"a {each} b", f"{each}\n{each}"))


QUESTIONS = (
    ("Qu'est-ce que la liberté ?", "C'est agir selon sa propre nature."),
    ("Et le devoir ?", "Agis de telle sorte que ta maxime puisse valoir pour tous."),
    ("Combien font 12 fois 12 ?", "144."),
    ("Write a function that adds two numbers.", "def add(a, b):\n    return a + b\n"),
    ("  espaces autour  ", "Bien reçu : « espaces autour ». "),
    ("Mets un minuteur de 5 minutes.", '{"name": "set_timer", "arguments": {"minutes": 5}}'),
    ("🦙?", "Un lama. 🦙"),
    ("Ligne un\n\nLigne trois", "1.\n2.\n\n3."),
)
SYSTEMS = ("Tu es Spinoza. Réponds à un lycéen.", "Answer in one word.\nNo more.")


def chats() -> tuple[list[dict[str, str]], ...]:
    """Conversations that end with an answer: with and without a system, one turn and many."""
    turns = [_turns(QUESTIONS[at : at + long]) for long in (1, 2, 4) for at in range(0, len(QUESTIONS), long)]
    return (*turns, *([{"role": "system", "content": system}, *each] for system in SYSTEMS for each in turns[::3]))


def open_chats(tokens: Iterable[str]) -> tuple[list[dict[str, str]], ...]:
    """Conversations that wait for an answer; in some, a user writes the special tokens themselves."""
    asked = [each[:-1] for each in chats()]
    return (*asked, *([{"role": "user", "content": text}] for text in _hostile(tokens)))


def _turns(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [
        message
        for question, answer in pairs
        for message in ({"role": "user", "content": question}, {"role": "assistant", "content": answer})
    ]


def _hostile(tokens: Iterable[str]) -> Iterator[str]:
    for each in tokens:
        yield f"{each} dit l'utilisateur"
        yield f"il écrit {each} au milieu"
