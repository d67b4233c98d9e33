"""Architectures in numbers: parameters, adapters, bytes in memory and on disk, as published or measured."""

import importlib.util
import os
import re
import subprocess
from dataclasses import replace

import pytest
from desk import REPOSITORY

from zyc import catalogue
from zyc.craft import arch
from zyc.craft.arch import gguf
from zyc.craft.arch.training import Run, flops, held
from zyc.types import Model

MISTRAL = catalogue.model("mistralai/Mistral-7B-Instruct-v0.3")
KNOWN = {  # as their repositories count them
    "mistralai/Mistral-7B-v0.1": 7_241_732_096,
    "mistralai/Mistral-7B-v0.3": 7_248_023_552,
    "meta-llama/Llama-2-7b-hf": 6_738_415_616,
    "meta-llama/Meta-Llama-3-8B": 8_030_261_248,
    "meta-llama/Llama-3.2-1B": 1_235_814_400,
    "Qwen/Qwen2.5-0.5B": 494_032_768,
    "Qwen/Qwen2.5-14B": 14_770_033_664,
    "Qwen/Qwen3-8B": 8_190_735_360,
    "google/gemma-2b": 2_506_172_416,
    "google/gemma-2-9b": 9_241_705_984,
    "google/gemma-3-1b-pt": 999_885_952,
    "microsoft/Phi-3-mini-4k-instruct": 3_821_079_552,
    "TinyLlama/TinyLlama-1.1B-Chat-v1.0": 1_100_048_384,
    "HuggingFaceTB/SmolLM2-135M": 134_515_008,
}


@pytest.mark.parametrize("repository", catalogue.repositories())
def test_every_listed_model_has_the_published_count(repository):
    """Shape by shape the arithmetic gives the published count of parameters, to the last one."""
    assert arch.parameters(catalogue.model(repository)) == catalogue.published(repository)


@pytest.mark.parametrize("repository", KNOWN)
def test_published_counts_are_what_they_are(repository):
    """The counts of the catalogue are not only what our own arithmetic gives."""
    assert catalogue.published(repository) == KNOWN[repository]


@pytest.mark.slow
def test_counts_are_those_of_the_engine():
    """A tiny model of each family has as many parameters as transformers makes, and matrices of the names that peft finds."""
    import torch
    import transformers

    shape = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3, "num_attention_heads": 4, "vocab_size": 128}
    shape |= {"num_key_value_heads": 2, "head_dim": 16, "pad_token_id": 0}
    for family in ("llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "phi3"):
        for tied in (True, False):
            config = transformers.AutoConfig.for_model(family, **shape, tie_word_embeddings=tied)
            with torch.device("meta"):
                made = transformers.AutoModelForCausalLM.from_config(config)
            facts = Model(family=family, layers=3, width=64, mlp=96, heads=4, kv_heads=2, head_size=16, vocabulary=128, tied=tied)
            assert arch.parameters(facts) == made.num_parameters(), (family, tied)
            found = {
                name.rpartition(".")[2]: (each.in_features, each.out_features)
                for name, each in made.named_modules()
                if isinstance(each, torch.nn.Linear) and ".layers.0." in name
            }
            assert {each.name: (each.into, each.out) for each in arch.linears(facts)} == found, family


def test_what_is_not_known_is_not_guessed():
    """A family that is not listed, or a fact that is missing, gives no number."""
    for model in (Model(), replace(MISTRAL, family="mamba"), replace(MISTRAL, mlp=None)):
        assert arch.parameters(model) is None
        assert arch.linears(model) == ()
        assert arch.adapter_parameters(model, 8, "all-linear") is None
        assert gguf.tensor_bytes(model, "Q4_K_M") is None
        assert held(Run(model, "lora", 1, 1), accelerator=True) is None


def test_adapters_are_counted_by_what_they_change():
    """A rank of 64 on all matrices of Mistral 7B is 167,772,160 parameters; attention alone is a part of that."""
    assert arch.adapter_parameters(MISTRAL, 64, "all-linear") == 167_772_160
    assert arch.adapter_parameters(MISTRAL, 64, ("q_proj", "v_proj")) == 64 * 32 * (8192 + 5120)
    attention = arch.adapter_parameters(MISTRAL, 64, "attention")
    mlp = arch.adapter_parameters(MISTRAL, 64, "mlp")
    assert attention + mlp == 167_772_160
    assert arch.adapter_parameters(MISTRAL, 64, "all-linear", dora=True) > 167_772_160


def test_a_shape_that_cannot_be_is_told_by_its_fact():
    """Heads that share out nothing, and odd ones, are named."""
    assert arch.flaw(Model(heads=12, kv_heads=5))[0] == "kv_heads"
    assert arch.flaw(Model(heads=7, width=512))[0] == "heads"
    assert arch.flaw(Model(heads=2, width=6))[0] == "heads"
    assert arch.flaw(Model(heads=8, width=512, kv_heads=2)) is None


def test_caches_grow_with_the_context_and_stop_at_windows():
    """Mistral 7B keeps 131,072 bytes a token; layers with a window keep no more than that."""
    assert arch.cache_bytes(MISTRAL, 1) == 131_072
    first = catalogue.model("mistralai/Mistral-7B-v0.1")
    assert arch.cache_bytes(first, 10_000) == arch.cache_bytes(first, 4096)
    gemma = catalogue.model("google/gemma-2-2b")
    assert arch.cache_bytes(gemma, 8192) == arch.cache_bytes(gemma, 4096) * 3 // 2
    assert arch.cache_bytes(MISTRAL, 32, value_bytes=34 / 32) == round(32 * 131_072 / 2 * 34 / 32)


@pytest.mark.parametrize(("context", "told"), [(512, 8.8e9), (1024, 10.9e9), (2048, 15.2e9)])
def test_memory_of_qlora_is_as_derived(context, told):
    """Mistral 7B, QLoRA of rank 64, eight rows at once with checkpointing."""
    found = held(Run(MISTRAL, "qlora", 167_772_160, 8 * context, checkpointing=True), accelerator=True)
    assert found.total == pytest.approx(told, abs=0.08e9)


def test_what_makes_a_run_lighter_does():
    """Checkpointing, fewer tokens at once, four bits, an 8-bit optimizer, more accelerators: each needs less."""
    count = arch.parameters(MISTRAL)
    full = Run(MISTRAL, "full", count, 4096)
    assert held(full._replace(checkpointing=True), accelerator=True).total < held(full, accelerator=True).total
    assert held(full._replace(at_once=512), accelerator=True).total < held(full, accelerator=True).total
    assert held(full._replace(optimizer="adamw-8bit"), accelerator=True).total < held(full, accelerator=True).total
    for sharding in ("zero2", "zero3", "fsdp2"):
        assert held(full._replace(processes=4, sharding=sharding), accelerator=True).state < held(full, accelerator=True).state
    lora, qlora = (Run(MISTRAL, method, 167_772_160, 4096) for method in ("lora", "qlora"))
    assert held(qlora, accelerator=True).total < held(lora, accelerator=True).total < held(full, accelerator=True).total
    assert flops(full._replace(checkpointing=True), 1e6) == 8e6 * count
    assert flops(lora, 1e6) == 4e6 * count


def test_gguf_sizes_are_the_published_ones():
    """Llama 3 8B gives 4.58, 7.95 and 14.96 GiB, as llama.cpp publishes."""
    llama = catalogue.model("meta-llama/Meta-Llama-3-8B")
    for kind, told in (("Q4_K_M", 4.58), ("Q8_0", 7.95), ("F16", 14.96)):
        assert round(gguf.tensor_bytes(llama, kind) / 2**30, 2) == told


def test_rows_that_blocks_cannot_cut_fall_back():
    """A width that is no multiple of 256 takes the larger type that can hold it; one that no block cuts stays F16."""
    odd = replace(MISTRAL, mlp=1365 * 2)
    types = {each.name: each.type for each in gguf.quantized(odd, "Q4_K_M")}
    assert types["blk.5.ffn_down.weight"] == "F16"
    assert types["blk.5.ffn_up.weight"] == "Q4_K"
    smollm = catalogue.model("HuggingFaceTB/SmolLM2-135M")
    assert {each.type for each in gguf.quantized(smollm, "Q4_K_M")} == {"Q5_0", "Q8_0", "Q4_K", "Q6_K", "F32"}
    assert gguf.fallbacks(smollm) == ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj")


def test_tensors_of_a_gguf_hold_every_parameter():
    """The F16 file holds each parameter once; a tied output is the embedding."""
    for repository in catalogue.repositories():
        model = catalogue.model(repository)
        assert sum(each.row * each.rows for each in gguf.tensors(model)) == arch.parameters(model)


# --- against llama.cpp itself ---

NAMES = {"mistral": "llama", "gemma3": "gemma3", "gemma3_text": "gemma3"}  # as llama.cpp calls families
ORACLE = [
    "HuggingFaceTB/SmolLM2-135M",
    "mistralai/Mistral-7B-Instruct-v0.3",
    "meta-llama/Meta-Llama-3-70B",
    "Qwen/Qwen2.5-1.5B",
    "Qwen/Qwen3-4B",
    "google/gemma-2-2b",
    "google/gemma-3-1b-pt",
    "microsoft/Phi-3-medium-4k-instruct",
]


@pytest.fixture(scope="module")
def quantize():
    """The quantizer of the pinned llama.cpp, where it was built on this machine."""
    told = importlib.util.spec_from_file_location("llama_home", REPOSITORY / "templates/lib/llama_home.py")
    home = importlib.util.module_from_spec(told)
    told.loader.exec_module(home)
    program = home.build_folder() / "bin" / "llama-quantize"
    if not program.exists():
        pytest.skip("llama.cpp was not built here: `zyc doctor` says how")
    return program


def hollow(model, path):
    """A GGUF with a header and a hole in the place of its weights."""
    import numpy as np
    from gguf import GGUFWriter

    told, writer = arch.shape(model), GGUFWriter(path, NAMES.get(model.family, model.family))
    writer.add_block_count(told.layers)
    writer.add_context_length(model.context)
    writer.add_embedding_length(told.width)
    writer.add_feed_forward_length(told.mlp)
    writer.add_head_count(told.heads)
    writer.add_head_count_kv(told.kv_heads)
    writer.add_key_length(told.head_size)
    writer.add_value_length(told.head_size)
    writer.add_rope_dimension_count(told.head_size)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(told.vocabulary)
    writer.add_sliding_window(told.window or model.context)
    writer.add_tokenizer_model("none")
    size = 0
    for each in gguf.tensors(model):
        dtype = np.dtype(np.float16 if each.is_matrix else np.float32)
        shape = (each.rows, each.row) if each.is_matrix else (each.row,)
        taken = each.row * each.rows * dtype.itemsize
        writer.add_tensor_info(each.name, shape, dtype, taken)
        size += taken + -taken % gguf.ALIGNMENT
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    os.truncate(path, path.stat().st_size + -path.stat().st_size % gguf.ALIGNMENT + size)


@pytest.mark.slow
@pytest.mark.parametrize("repository", ORACLE)
def test_every_tensor_gets_the_type_that_llama_cpp_gives_it(repository, quantize, tmp_path):
    """Tensor by tensor and type by type, as the quantizer says of a file with the shapes of the model."""
    model = catalogue.model(repository)
    hollow(model, tmp_path / "model.gguf")
    for kind in gguf.TYPES:
        if kind == "F32":
            continue  # nothing is chosen
        command = [quantize, "--dry-run", tmp_path / "model.gguf", tmp_path / "out.gguf", kind]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if gguf.uncut(model, kind):
            assert done.returncode
            continue
        assert done.returncode == 0, done.stderr
        lines = re.findall(r"\]\s+(\S+)\s+- \[.*?type =\s+(\w+),.*?(?:\((\w+)\))?$", done.stdout + done.stderr, re.MULTILINE)
        assert {name: (new or old).upper() for name, old, new in lines} == {
            each.name: each.type.upper() for each in gguf.quantized(model, kind)
        }, kind
