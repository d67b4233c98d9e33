"""The catalogue: public models and classes of machines, found by name and by near names."""

import subprocess
import sys

import pytest
from desk import REPOSITORY

from zyc import catalogue
from zyc.catalogue import devices


@pytest.mark.parametrize("repository", catalogue.repositories())
def test_a_listed_model_has_every_fact(repository):
    """Only the window may be missing: most models have none."""
    model = catalogue.model(repository)
    missing = {name for name in model.__slots__ if getattr(model, name) is None}
    assert missing <= {"window"}
    assert model.name == repository
    assert model.ids <= model.vocabulary
    assert model.heads % model.kv_heads == 0


def test_every_tokenizer_and_shape_is_used():
    """No row of the data is dead."""
    told = catalogue.table("models")
    assert {row[0] for row in told["models"].values()} == set(told["shapes"])
    assert {row[1] for row in told["models"].values()} == set(told["tokenizers"])
    assert set(told["renamed"].values()) <= set(told["models"])


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("meta-llama/Llama-3.1-7B", "meta-llama/Llama-3.1-8B"),
        ("Llama-3.1-7B-Instruct", "meta-llama/Llama-3.1-8B-Instruct"),
        ("qwen/qwen2.5-7b", "Qwen/Qwen2.5-7B"),
        ("Qwen/Qwen2.5-600M", "Qwen/Qwen2.5-0.5B"),
        ("mistralai/Mistral-7B-Instruct-v0.4", "mistralai/Mistral-7B-Instruct-v0.3"),
        ("nobody/nothing-alike", None),
    ],
)
def test_a_near_name_is_found(asked, meant):
    """A size that there is not is the nearest one of that name; letters may be off."""
    assert catalogue.nearest(asked) == meant


def test_another_name_of_a_repository_is_the_same_model():
    """A repository that was renamed is found by both of its names."""
    assert catalogue.model("meta-llama/Meta-Llama-3.1-8B") == catalogue.model("meta-llama/Llama-3.1-8B")
    assert catalogue.model("nobody/nothing") is None


@pytest.mark.parametrize("name", devices.names())
def test_a_device_has_what_is_needed_of_it(name):
    """Each reaches something in fp32, has memory and a bandwidth, and costs no less than nothing."""
    device = devices.device(name)
    assert device.peak["fp32"] > 0
    assert device.bandwidth > 1e9
    assert device.memory >= 15e9
    assert device.price >= 0
    assert device.precision("bf16") in device.peak


def test_devices_are_found_by_other_names_and_by_what_drivers_say():
    """`gb10` is a DGX Spark; a driver's name tells the class, and an unknown one tells none."""
    assert devices.known("gb10") == "dgx-spark"
    assert devices.known("b300") is None
    assert devices.of_model("Model: 		 NVIDIA A100-SXM4-80GB") == "a100-80"
    assert devices.of_model("Model: 		 Tesla T4") == "t4"
    assert devices.of_model("NVIDIA GeForce RTX 4090") == ""


def test_the_oldest_have_no_bf16():
    """T4 and V100 compute in fp16 instead, and whoever uses a V100 or a GB10 is told of wheels."""
    for name in ("t4", "v100"):
        assert "bf16" not in devices.device(name).peak
        assert devices.device(name).precision("bf16") == "fp16"
    assert "CUDA 12.6" in devices.device("v100").wheels
    assert "CUDA 13" in devices.device("dgx-spark").wheels


def test_importing_the_catalogue_reads_no_data():
    """The data files are read when they are first asked for."""
    code = "import zyc.place.site, zyc.catalogue as c; print(c.table.cache_info().currsize)"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"
