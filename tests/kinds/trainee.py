"""Inputs for kinds that train, in the layouts of artifacts: a tiny model with its tokenizer, and datasets; and a step to run."""

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

from zyc.types import Dataset, Model

MARKED = (
    "{{ bos_token }}{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}"
    "{% else %}{{ message['content'] + '<|im_end|>' }}{% endif %}{{ '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
PUBLISHED = MARKED.replace("{% generation %}", "").replace("{% endgeneration %}", "")
SPECIAL = ["<unk>", "<s>", "</s>", "<pad>", "<|im_start|>", "<|im_end|>"]
COLOURS = ["red", "green", "blue", "black", "white", "brown", "pink", "grey"]
THINGS = ["door", "house", "river", "cloud", "table", "bird", "stone", "leaf", "road", "lamp"]
SHAPE = {"layers": 2, "width": 64, "mlp": 128, "heads": 2, "kv_heads": 1, "head_size": 32, "context": 256}


def chat(thing, colour, turns=1):
    """A question about a colour, answered with one word, so many times."""
    rows = [{"role": "system", "content": "Answer with one word."}]
    for turn in range(turns):
        rows.append({"role": "user", "content": f"The {thing} is {colour}. Which colour has the {thing}{'!' * turn}?"})
        rows.append({"role": "assistant", "content": colour})
    return rows


def chats(count, turns=1, seed=1):
    """So many of them."""
    draw = random.Random(seed)
    return [{"messages": chat(draw.choice(THINGS), draw.choice(COLOURS), turns)} for _ in range(count)]


def make_tokenizer(home, *, marked=True, template=PUBLISHED, begins=1, end_of_turn="<|im_end|>"):
    """A small byte-level tokenizer with a chat template in both forms."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.BPE(unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    inner.train_from_iterator([m["content"] for row in chats(200, 2) for m in row["messages"]], trainer)
    told = PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<s>", eos_token="<|im_end|>", unk_token="<unk>", pad_token="<pad>"
    )
    told.chat_template = template
    told.save_pretrained(home)
    (Path(home) / "chat_template.jinja").write_text(template)
    if marked:
        (Path(home) / "training_template.jinja").write_text(MARKED)
    card = {"form": "byte-bpe", "pre": "gpt-2", "template": "chatml", "begins": begins, "end_of_turn": end_of_turn}
    (Path(home) / "zyc.json").write_text(json.dumps(card))
    return told


def make_model(home, *, family="llama", seed=0, copying=False, **tokenizer):
    """A tiny model of a family, with its tokenizer beside it."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, set_seed

    Path(home).mkdir(parents=True, exist_ok=True)
    words = make_tokenizer(home, **tokenizer)
    set_seed(seed)
    config = AutoConfig.for_model(
        family, vocab_size=len(words), hidden_size=SHAPE["width"], intermediate_size=SHAPE["mlp"],
        num_hidden_layers=SHAPE["layers"], num_attention_heads=SHAPE["heads"], num_key_value_heads=SHAPE["kv_heads"],
        head_dim=SHAPE["head_size"], max_position_embeddings=SHAPE["context"], tie_word_embeddings=True,
        bos_token_id=words.bos_token_id, eos_token_id=words.eos_token_id, pad_token_id=words.pad_token_id,
    )  # fmt: skip
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.save_pretrained(home)
    return facts(family=family, vocabulary=len(words))


def facts(**more):
    """What is known of that model."""
    told = {**SHAPE, "vocabulary": 512, "family": "llama", "tied": True, "biased": False, "quantized": "", "dtype": "fp32"}
    return Model(**{**told, "template": "chatml", "begins": 1, "end_of_turn": "<|im_end|>", **more})


def make_dataset(home, train, test=()):
    """Rows as a dataset keeps them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for split, rows in (("train", list(train)), ("test", list(test))):
        if rows:
            (Path(home) / split).mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.Table.from_pylist(rows), Path(home) / split / "00000.parquet")
    return Dataset(format="messages", rows=len(train) + len(test), test=len(test) / max(1, len(train) + len(test)))


def plain(value):
    """Values as a spec file has them: text that is not in quotes."""
    from zyc.fields import Plain

    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else Plain(value)


def rendered(stem, spec, inputs, *, twin=False, files=None):
    """The files of a step, without a project around it."""
    from zyc import kinds
    from zyc.kind import Case
    from zyc.place.toolchain import shipped
    from zyc.planning import gather
    from zyc.planning.render import render
    from zyc.world import World

    kind, world = kinds.load(stem), World()
    (root,) = kinds.templates_of(stem)
    template = gather._template(stem, gather._built_in(world, root, stem), {})
    pins = {f"package:{name}": shipped(world)[name] for name in template.dependencies}
    made = kind.Spec.model_validate(plain(spec))
    made = kind.twin(made) if twin else made
    case = Case(made, inputs, files=files or {}, pins=pins, twin=twin)
    assert list(kind.check(case)) == []
    return render(kind, case, template)


def write_step(home, files, places):
    """A step folder: its files, and links to what it reads."""
    for name, text in files.files().items():
        (Path(home) / name).parent.mkdir(parents=True, exist_ok=True)
        (Path(home) / name).write_text(text)
    for place, target in places.items():
        (Path(home) / "in" / place).parent.mkdir(parents=True, exist_ok=True)
        (Path(home) / "in" / place).symlink_to(target)
    return Path(home)


def environ(**more):
    """What a step sees of a machine; nothing of zyc."""
    import sys

    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    told = {"PATH": path, "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0"}
    return {**told, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", "HF_HUB_OFFLINE": "1", **more}


def run(home, **more):
    """`bash run.sh`: its code, and all that it said."""
    done = subprocess.run(
        ["bash", "run.sh"],
        cwd=home,
        env=environ(**more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def measures(home):
    """What a step measured."""
    return json.loads((Path(home) / "measures.json").read_text())


def cut_short(home, after, number):
    """End a run once it is so far, and how far it then says it is."""
    process = subprocess.Popen(
        ["bash", "run.sh"],
        cwd=home,
        env=environ(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    events = Path(home) / "events.jsonl"
    while process.poll() is None:
        time.sleep(0.01)
        lines = events.read_text().splitlines() if events.exists() else []
        last = json.loads(lines[-1]) if lines else {}
        if "loss" in last and last["step"] >= after:  # else it does something before it trains
            os.killpg(process.pid, number)
            break
    assert process.wait() == (130 if number == signal.SIGTERM else -number)
    return json.loads((Path(home) / "state/progress.json").read_text())["step"]


def teach(home, answer="blue", steps=30):
    """A tiny model that always gives the same answer, and ends."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    told = AutoTokenizer.from_pretrained(home)
    rows = [each["messages"] for each in chats(64)]
    texts = [told.apply_chat_template(row[:-1], tokenize=False, add_generation_prompt=True) for row in rows]
    asked = told(texts, add_special_tokens=False)["input_ids"]
    said = told(answer, add_special_tokens=False)["input_ids"] + [told.eos_token_id]
    torch.set_num_threads(1)
    model = AutoModelForCausalLM.from_pretrained(home)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    for step in range(steps):
        part = asked[step % 8 :: 8]
        width = max(map(len, part))
        ids = torch.tensor([[told.pad_token_id] * (width - len(each)) + each + said for each in part])
        mask = torch.tensor([[0] * (width - len(each)) + [1] * (len(each) + len(said)) for each in part])
        labels = torch.tensor([[-100] * width + said for _ in part])
        model(input_ids=ids, attention_mask=mask, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(home)
