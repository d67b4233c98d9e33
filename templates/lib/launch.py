"""Starts a script as placement/settings.json says: one process, one for each accelerator, or accelerate with a sharding."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

RANKED = ("NODE_RANK", "SLURM_NODEID")
PACKAGES = {"wandb": "wandb", "mlflow": "mlflow", "tensorboard": "tensorboard", "trackio": "trackio"}


def accelerators():
    """How many there are to use, without loading torch."""
    told = os.environ.get("CUDA_VISIBLE_DEVICES")
    if told is not None:
        return len([each for each in told.split(",") if each.strip() and each.strip() != "-1"])
    if shutil.which("nvidia-smi") is None:
        return 0
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=False)
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())


def processes(settings, there):
    """How many run on this machine: one for each accelerator that is asked for; one where nothing is asked."""
    wanted = settings.get("gpus")
    if wanted and wanted > there:
        raise SystemExit(f"error: placement.gpus asks for {wanted} and this machine has {there}; without any, write `gpus: 0`")
    return wanted or 1


def command(script, settings, there, environ):
    """The words that start it, and what they need in the environment."""
    nodes, sharding = settings.get("nodes") or 1, settings.get("sharding") or "none"
    each = processes(settings, there)
    given = {"OMP_NUM_THREADS": environ.get("OMP_NUM_THREADS") or str(settings.get("cpus") or 1)}
    if settings.get("gpus") == 0:
        given["CUDA_VISIBLE_DEVICES"] = ""
    elif settings.get("gpus") is None and there > 1:
        given["CUDA_VISIBLE_DEVICES"] = (environ.get("CUDA_VISIBLE_DEVICES") or "0").split(",")[0]
    if nodes * each == 1 and sharding in ("none", "ddp"):
        return [sys.executable, script], given
    places = ["--nnodes", str(nodes), "--nproc-per-node", str(each)]
    if nodes == 1:
        places.append("--standalone")
    else:
        rank = next((environ[name] for name in RANKED if name in environ), None)
        if rank is None or "MASTER_ADDR" not in environ:
            raise SystemExit(
                f"error: placement.nodes is {nodes}: start `bash run.sh` on each with MASTER_ADDR (the first one's address) "
                "and NODE_RANK (0, 1, ...) set; under Slurm the rank is known"
            )
        places += ["--node-rank", rank, "--master-addr", environ["MASTER_ADDR"]]
        places += ["--master-port", environ.get("MASTER_PORT", "29500")]
    shared_by = Path("placement", f"{sharding}.yml")  # where accelerate is to share the model; else the script does so itself
    if not shared_by.exists():
        return [sys.executable, "-m", "torch.distributed.run", *places, script], given
    words = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(shared_by)]
    words += ["--num_processes", str(nodes * each), "--num_machines", str(nodes)]
    if nodes > 1:
        words += ["--machine_rank", places[5], "--main_process_ip", places[7], "--main_process_port", places[9]]
    return [*words, script], given


def attended(settings):
    """An attention whose package is not installed is told before anything is loaded."""
    from importlib.util import find_spec

    if settings.get("attention") == "flash_attention_2" and find_spec("flash_attn") is None:
        raise SystemExit(
            "error: placement.attention is flash_attention_2, and its package is not here\n"
            "help: pip install flash-attn --no-build-isolation; or `attention: sdpa`, which is as exact"
        )


def tracked(settings, environ):
    """What trackers read from the environment; a tracker that is not installed is told before anything is loaded."""
    from importlib.util import find_spec

    trackers, given = settings.get("trackers") or {}, {}
    for name, package in PACKAGES.items():
        if trackers.get(name) and find_spec(package) is None:
            raise SystemExit(f"error: placement.trackers names {name}, and its package is not here: pip install {package}")
    home = str(Path("tracking").absolute())
    if trackers.get("wandb"):
        given |= {"WANDB_PROJECT": trackers["wandb"], "WANDB_DIR": home}
    if trackers.get("mlflow"):
        given |= {"MLFLOW_EXPERIMENT_NAME": trackers["mlflow"]}
        given |= {} if "MLFLOW_TRACKING_URI" in environ else {"MLFLOW_TRACKING_URI": f"sqlite:///{home}/mlflow.db"}
    if trackers.get("tensorboard"):
        given |= {"TENSORBOARD_LOGGING_DIR": f"{home}/tensorboard"}
    if trackers.get("trackio"):
        given |= {"TRACKIO_PROJECT": trackers["trackio"], "TRACKIO_DIR": f"{home}/trackio"}
    if given:
        Path(home).mkdir(exist_ok=True)
    return given


def main(script):
    """Become that process."""
    settings = json.loads(Path("placement/settings.json").read_text(encoding="utf-8"))
    there = accelerators()
    attended(settings)
    words, given = command(script, settings, there, os.environ)
    os.environ.update(given)
    os.environ.update(tracked(settings, os.environ))
    os.execv(words[0], words)  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1])
