"""The bundle of this folder on Modal: one GPU function that scales to zero. `modal deploy modal_app.py`, in the bundle's folder.

Keys of a GGUF's gateway live in a volume: `modal run modal_app.py::add_key --name NAME` prints a new one, once;
`::revoke_key --name NAME` and `::list_keys` do what they say. What runs sees it within seconds.
For vLLM there is one key, the `VLLM_API_KEY` of the secret.
"""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
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
EVERY = 10  # seconds until a container has seen that a key was made or revoked


def llama_cpp_image():
    """llama-server for the GPU, built from the source package whose digest llama_home.py knows, and the gateway before it."""
    source = f"$(ZYC_TOOLCHAIN={ENGINE} python {ENGINE}/llama_home.py source --version {BUNDLE['llama_cpp']} | tail -n 1)"
    # as llama.cpp's own .devops/cuda.Dockerfile: what builds has neither the processor nor the driver of what runs
    options = [
        *("-DGGML_NATIVE=OFF", "-DGGML_BACKEND_DL=ON", "-DGGML_CPU_ALL_VARIANTS=ON"),
        *("-DGGML_CUDA=ON", f"-DCMAKE_CUDA_ARCHITECTURES={SETTINGS['architecture']}"),
        *("-DCMAKE_EXE_LINKER_FLAGS=-Wl,--allow-shlib-undefined", "-DCMAKE_BUILD_TYPE=Release"),
        *("-DLLAMA_BUILD_TESTS=OFF", "-DLLAMA_BUILD_EXAMPLES=OFF"),
    ]
    build = [
        f"cmake -S {source} -B {ENGINE}/made {' '.join(options)}",
        f"cmake --build {ENGINE}/made --parallel --target llama-server",
    ]
    environment = {"LLAMA_SERVER": f"{ENGINE}/made/bin/llama-server", "LLAMA_ARG_N_GPU_LAYERS": "999"}
    environment["ZYC_KEYS"] = f"{KEYS}/keys.json"
    return (
        modal.Image.from_registry(CUDA, add_python=PYTHON)
        .apt_install("cmake", "g++", "git", "libgomp1", "libssl-dev")
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


def wait(process, url, seconds):
    """Until it answers: a port that listens is no model that is loaded, and who asked first would be sent away."""
    until = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:  # not there yet, or 503
            time.sleep(0.2)
    said = "not ready in time" if process.poll() is None else f"ended with {process.returncode}"
    process.kill()
    raise RuntimeError(f"{' '.join(process.args)}: {said}")


def look(volume):
    """The volume as it is now, again and again: the gateway reads its file of keys whenever that was changed."""
    while True:
        time.sleep(EVERY)
        try:
            volume.reload()
        except Exception as error:  # noqa: BLE001  # a file is being read just now, or Modal is away: next time
            print(f"the keys were not looked at: {error}", file=sys.stderr)


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
    startup_timeout=SETTINGS["starting"] + 60,
    volumes={KEYS: keys},
    secrets=secrets,
)
@modal.concurrent(max_inputs=SETTINGS["clients"])
@modal.web_server(PORT, startup_timeout=SETTINGS["starting"])
def serve():
    """Start what answers, and wait until it does; Modal sends requests afterwards."""
    gateway = BUNDLE["engine"] == "llama.cpp"
    if not gateway and not os.environ.get("VLLM_API_KEY"):
        raise RuntimeError(f"the secret `{SETTINGS['secret']}` has no VLLM_API_KEY: anybody could ask, and you would pay")
    process = subprocess.Popen(command(), cwd=HERE, env=dict(os.environ))
    wait(process, f"http://127.0.0.1:{PORT}/{'ready' if gateway else 'health'}", SETTINGS["starting"])
    if gateway:
        threading.Thread(target=look, args=[keys], daemon=True).start()


@app.function(image=image, volumes={KEYS: keys}, timeout=60, max_containers=1)
def change_keys(words: list):
    """What the gateway says of its keys; one at a time, on the volume as it is now."""
    if BUNDLE["engine"] != "llama.cpp":
        return 1, "error: vLLM has no keys of its own here: change VLLM_API_KEY in the secret, and deploy again\n"
    keys.reload()
    call = [sys.executable, "-m", "gateway", "keys", *words]
    done = subprocess.run(call, cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode == 0:
        keys.commit()
    return done.returncode, done.stdout  # not printed there: a log of Modal's would keep the key


def tell(*words):
    """Ask there, say it here."""
    code, said = change_keys.remote([*words])
    print(said, end="")
    sys.exit(code)


@app.local_entrypoint()
def add_key(name: str):
    """A new key for whoever asks; only its digest is kept."""
    tell("add", name)


@app.local_entrypoint()
def revoke_key(name: str):
    """It opens nothing any more."""
    tell("revoke", name)


@app.local_entrypoint()
def list_keys():
    """Whose keys there are, without the keys."""
    tell("list")
