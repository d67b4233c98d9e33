"""The kind `parity`: the proof that a GGUF still is the model that it was made of."""

from __future__ import annotations

from zyc import fields
from zyc.craft import arch
from zyc.craft.comparing import Few
from zyc.gates import Gate, Interval, parse
from zyc.kind import Case, Estimate, Kind, Measure, Recipe, Spec
from zyc.types import Artifact, Gguf, Model, Numbers

BOUNDS = ("same_tokens = 100%", "same_template = 100%", "bos <= 1", "ends = 1", "kl <= 0.001", "top1 >= 99%")
AMONG = Few(512, 4_000)  # tokens that both expect the next one of: few of a large model, where sixteen bits show as soon
TOKENS = 256  # of a chat, at most
MEMORY = 600_000_000  # of the libraries
SPEED = 3e10  # floating point operations a second of one core


class ParitySpec(Spec):
    """The fields of a parity."""

    subject: fields.Ref[Artifact]
    """The GGUF."""
    against: fields.Ref[Model]
    """The model that it was made of."""


class Parity(Kind[ParitySpec]):
    """Reads several hundred texts and chats with transformers and with every engine of llama.cpp, and compares.

    Special tokens are compared as text and as tokens; chats with and without a system, of one turn and many, and with
    special tokens that a user wrote. Three things are known to differ, and left out: a literal U+2581; a literal `</s>`
    where another token ends a turn; accents that stand apart from their letters, for a tokenizer that composes them.
    Chances are compared with the 32-bit model: on every token of the chats, or of some of them for a large model, on 512 tokens
    or so above 1 B.
    """

    name = "parity"
    Spec = ParitySpec
    gives = Numbers
    measures = {
        "same_tokens": Measure("the share of texts that have the same token ids", "share"),
        "same_template": Measure("the share of chats that are rendered alike: text and ids, in each engine", "share"),
        "bos": Measure("BOS tokens before a chat, in the engine that puts the most there"),
        "ends": Measure("1 when the end of a turn ends an answer"),
        "kl": Measure("divergence of the chances of the next token, in nats, on average"),
        "kl_max": Measure("divergence where it is largest"),
        "top1": Measure("the share of positions where both expect the same token", "share"),
    }
    harness = ("llama_home.py", "telling.py")
    shares = ("compare.py", "divergence.py", "layerwise.py", "llama_server.py", "sayings.py")

    def bounds(self, spec: ParitySpec, *, twin: bool = False) -> tuple[Gate, ...]:
        """Sixteen bits are nearly thirty-two: ids, texts and ends are the same, chances all but."""
        bounds = tuple(parse(text) for text in BOUNDS)
        return tuple(each for each in bounds if each is not None)

    def estimate(self, case: Case[ParitySpec]) -> Estimate:
        """The model once in 32 bits, layer by layer, and then as the file has it."""
        subject, model = case.inputs["subject"], case.inputs["against"]
        size = subject.bytes if isinstance(subject, Gguf) else None
        shape = arch.shape(model) if isinstance(model, Model) else None
        if size is None or shape is None or not isinstance(model, Model):
            return Estimate()
        among = AMONG.of(model)
        work = size * 2 * among / SPEED
        layer = sum(each.parameters for each in arch.linears(model))
        wide = 4 * (arch.embedding_values(shape) + layer + among * 3 * shape.mlp)
        told = 4 * TOKENS * shape.vocabulary
        seconds = Interval(6 + work / 4, 20 + 2 * work, "two passes over the chats")
        return Estimate(seconds, memory=MEMORY + max(wide, size) + 3 * told)

    def recipe(self, case: Case[ParitySpec]) -> Recipe:
        """Which llama.cpp, and how much is compared."""
        model = case.inputs["against"]
        among = AMONG.of(model if isinstance(model, Model) else None)
        return Recipe({"llama_cpp": case.pins.get("package:llama-cpp-python"), "tokens": TOKENS, "positions": among})
