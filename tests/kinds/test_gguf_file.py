"""What is read of a GGUF file is what was written: facts, tensors, numbers, shards."""

import gguf
import numpy as np
import pytest
from standing import module

files = module("shared/gguf_file.py")
NUMBERS = np.arange(64, dtype=np.float32).reshape(2, 32)


@pytest.fixture
def write(tmp_path):
    """A small file with facts and three tensors, sharded or not; the first of its files."""

    def made(*, shards=False, last=1.0):
        writer = gguf.GGUFWriter(tmp_path / "model.gguf", "llama", split_max_tensors=1 if shards else 0)
        writer.add_block_count(2)
        writer.add_token_list(["a", "é"])
        writer.add_tensor("one.weight", NUMBERS.astype(np.float16))
        writer.add_tensor("norm.weight", np.full(4, last, np.float32))
        blocks = gguf.quantize(NUMBERS, gguf.GGMLQuantizationType.Q8_0)
        writer.add_tensor("small.weight", blocks, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
        for each in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file, writer.close):
            each()
        return min(tmp_path.iterdir())

    return made


@pytest.mark.parametrize("shards", [False, True])
def test_a_file_and_its_shards_are_read_alike(write, shards):
    """Facts, names, types, shapes and numbers come back; of a sharded one the first file leads to the others."""
    file = files.GgufFile(write(shards=shards))
    assert (file.fact(".block_count"), file.fact("llama.block_count"), file.fact("none", 7)) == (2, 2, 7)
    assert file.fact("tokenizer.ggml.tokens") == ["a", "é"]
    told = {each.name: (each.type, each.shape, each.numbers) for each in file.tensors}
    assert told == {
        "one.weight": ("F16", (2, 32), 64),
        "norm.weight": ("F32", (4,), 4),
        "small.weight": ("Q8_0", (2, 32), 64),
    }
    values = dict(file.values())
    assert np.array_equal(values["one.weight"], NUMBERS)
    assert abs(values["small.weight"] - NUMBERS).max() < 0.3
    assert file.bytes == sum(each.stat().st_size for each in file.path.parent.iterdir())


def test_numbers_that_are_none_are_found_by_name(tmp_path):
    """Infinite ones of either sign, and those that are no number, in 16 bits."""
    writer = gguf.GGUFWriter(tmp_path / "model.gguf", "llama")
    for name, value in (("plus", np.inf), ("minus", -np.inf), ("none", np.nan), ("largest", 65504)):
        writer.add_tensor(name, np.array([1, value], np.float16))
    for each in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file, writer.close):
        each()
    assert files.GgufFile(tmp_path / "model.gguf").not_finite() == ["plus", "minus", "none"]
