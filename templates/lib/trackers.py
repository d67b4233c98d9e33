"""Numbers of a run for those who watch elsewhere: W&B, MLflow, TensorBoard, trackio, as placement.trackers names them."""

import os


def opened(placed):
    """One function a tracker, which takes a step and its numbers; only the first process tells."""
    told = []
    named = (placed.settings.get("trackers") or {}) if placed.first else {}
    if named.get("wandb"):
        import wandb

        run = wandb.init(project=named["wandb"])
        told.append(lambda step, numbers: run.log(numbers, step=step))
    if named.get("mlflow"):
        import mlflow

        mlflow.set_experiment(named["mlflow"])
        mlflow.start_run()
        told.append(lambda step, numbers: mlflow.log_metrics(numbers, step=step))
    if named.get("tensorboard"):
        from torch.utils.tensorboard import SummaryWriter

        writer = SummaryWriter(os.environ.get("TENSORBOARD_LOGGING_DIR", "tracking/tensorboard"))
        told.append(lambda step, numbers: [writer.add_scalar(name, value, step) for name, value in numbers.items()])
    if named.get("trackio"):
        import trackio

        trackio.init(project=named["trackio"])
        told.append(lambda step, numbers: trackio.log(numbers, step=step))
    return told


def tell(trackers, step, **numbers):
    """The numbers of a step, to all of them."""
    for each in trackers:
        each(step, numbers)
