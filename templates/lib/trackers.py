"""Numbers of a run for those who watch elsewhere: W&B, MLflow, TensorBoard, trackio, as placement.trackers names them."""

import os


def opened(placed):
    """Two functions a tracker: one takes a step and its numbers, one ends it; only the first process tells."""
    told = []
    named = (placed.settings.get("trackers") or {}) if placed.first else {}
    if named.get("wandb"):
        import wandb

        run = wandb.init(project=named["wandb"])
        told.append((lambda step, numbers: run.log(numbers, step=step), run.finish))
    if named.get("mlflow"):
        import mlflow

        mlflow.set_experiment(named["mlflow"])
        mlflow.start_run()
        told.append((lambda step, numbers: mlflow.log_metrics(numbers, step=step), mlflow.end_run))
    if named.get("tensorboard"):
        from torch.utils.tensorboard import SummaryWriter

        writer = SummaryWriter(os.environ.get("TENSORBOARD_LOGGING_DIR", "tracking/tensorboard"))
        told.append((lambda step, numbers: [writer.add_scalar(name, each, step) for name, each in numbers.items()], writer.close))
    if named.get("trackio"):
        import trackio

        trackio.init(project=named["trackio"])
        told.append((lambda step, numbers: trackio.log(numbers, step=step), trackio.finish))
    return told


def tell(trackers, step, **numbers):
    """The numbers of a step, to all of them."""
    for each, _ in trackers:
        each(step, numbers)


def close(trackers):
    """Nothing follows."""
    for _, end in trackers:
        end()
