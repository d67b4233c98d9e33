"""The bundle of this folder on Modal: one GPU function that scales to zero. `modal deploy modal_app.py`, in the bundle's folder.

Keys of a GGUF's gateway live in a volume: `modal run modal_app.py::add_key --name NAME` prints a new one, once.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import modal

HERE = Path("/bundle") if Path("/bundle/bundle.json").exists() else Path(__file__).parent
BUNDLE = json.loads((HERE / "bundle.json").read_text(encoding="utf-8"))
SETTINGS = BUNDLE["modal"]
PORT = 8000
KEYS = "/keys"
CUDA = "nvidia/cuda:12.8.1-devel-ubuntu24.04"
PYTHON = "3.12"
ENGINE = "/engine"


def llama_cpp_image():
    """llama-server for the GPU, built from the source package whose digest llama_home.py knows, and the gateway before it."""
    source = f"$(ZYC_TOOLCHAIN={ENGINE} python {ENGINE}/llama_home.py source --version {BUNDLE['llama_cpp']} | tail -n 1)"
    build = [
        f"cmake -S {source} -B {ENGINE}/made -DGGML_CUDA=ON -DLLAMA_CURL=OFF -DCMAKE_BUILD_TYPE=Release",
        f"cmake --build {ENGINE}/made --parallel --target llama-server",
    ]
    environment = {"LLAMA_SERVER": f"{ENGINE}/made/bin/llama-server", "LLAMA_ARG_N_GPU_LAYERS": "999"}
    environment["ZYC_KEYS"] = f"{KEYS}/keys.json"
    return (
        modal.Image.from_registry(CUDA, add_python=PYTHON)
        .apt_install("cmake", "g++", "git")
        .add_local_file(HERE / "llama_home.py", f"{ENGINE}/llama_home.py", copy=True)
        .run_commands(*build)
        .pip_install_from_requirements(str(HERE / "requirements.txt"))
        .env(environment)
        .add_local_dir(HERE, "/bundle")
    )


def vllm_image():
    """The server vLLM at the pinned version; it fetches nothing, the weights are in the bundle."""
    return (
        modal.Image.from_registry(CUDA, add_python=PYTHON)
        .pip_install_from_requirements(str(HERE / "requirements.txt"))
        .env({"HF_HUB_OFFLINE": "1"})
        .add_local_dir(HERE, "/bundle")
    )


def command():
    """What listens on the port."""
    server = [sys.executable, "-m", "gateway"] if BUNDLE["engine"] == "llama.cpp" else ["vllm", "serve", "--config", "vllm.yml"]
    return [*server, "--host", "0.0.0.0", "--port", str(PORT)]


app = modal.App(SETTINGS["app"] or BUNDLE["name"])
keys = modal.Volume.from_name(f"{SETTINGS['app'] or BUNDLE['name']}-keys", create_if_missing=True)
image = llama_cpp_image() if BUNDLE["engine"] == "llama.cpp" else vllm_image()
secrets = [modal.Secret.from_name(SETTINGS["secret"])] if SETTINGS["secret"] else []


@app.function(
    image=image,
    gpu=SETTINGS["gpu"],
    min_containers=0,  # nobody asks: nothing runs, and nothing is paid
    max_containers=SETTINGS["most"],
    scaledown_window=SETTINGS["idle"],
    timeout=SETTINGS["timeout"],
    volumes={KEYS: keys},
    secrets=secrets,
)
@modal.concurrent(max_inputs=SETTINGS["clients"])
@modal.web_server(PORT, startup_timeout=SETTINGS["starting"])
def serve():
    """Start what answers; Modal sends requests once the port listens."""
    subprocess.Popen(command(), cwd="/bundle", env=dict(os.environ))


@app.function(image=image, volumes={KEYS: keys}, timeout=60)
def add_key(name: str):
    """A new key for whoever asks; only its digest is kept."""
    if BUNDLE["engine"] != "llama.cpp":
        raise SystemExit("vLLM has no keys of its own here: put VLLM_API_KEY into a secret, and name it in the spec")
    subprocess.run([sys.executable, "-m", "gateway", "keys", "add", name], cwd="/bundle", check=True)
    keys.commit()
