
# Brings the inputs, runs the step, packs what was trained into one file for `zyc adopt`. Submit it from this folder, or run it
# with bash, where `python` has the packages that the recipe names. A job that is taken away or asked to stop goes on from state/: by itself where the cluster requeues, else submit again.
set -euo pipefail
cd "${SLURM_SUBMIT_DIR:-$(dirname "${BASH_SOURCE[0]}")}"

python carrying.py bring

# One run.sh a node; the first node's address is where they meet.
launch=()
if [ -n "${SLURM_JOB_NODELIST:-}" ] && command -v srun > /dev/null; then
  MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
  export MASTER_ADDR
  launch=(srun --ntasks-per-node=1 --kill-on-bad-exit=1)
fi

code=0
rm -rf out measures.json # what an attempt that was cut short left; its state/ stays
LANG=C.UTF-8 TZ=UTC PYTHONHASHSEED=0 PYTHONUNBUFFERED=1 OMP_NUM_THREADS="${OMP_NUM_THREADS:-${SLURM_CPUS_PER_TASK:-1}}" \
  ${launch[@]+"${launch[@]}"} bash run.sh < /dev/null >> log.txt 2>&1 || code=$?

# 130: asked to stop before its time was over, and it has kept a state.
if [ "$code" -eq 130 ] && [ -n "${SLURM_JOB_ID:-}" ]; then
  scontrol requeue "$SLURM_JOB_ID"
  exit 0
fi
if [ "$code" -ne 0 ]; then
  tail -n 20 log.txt >&2
  exit "$code"
fi

python carrying.py pack
