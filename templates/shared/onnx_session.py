"""An ONNX model asked as it will be served: token ids and masks in, chances and what it keeps of them out, by onnxruntime."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnxruntime

KEPT = "past_key_values."  # names of what a session is given of earlier tokens
GIVEN = "present."  # and of what it hands back


class Session:
    """One model; sizes and kinds of its inputs are read from the file."""

    def __init__(self, path: Path | str) -> None:
        onnxruntime.disable_telemetry_events()  # what runs here is nobody else's
        told = onnxruntime.SessionOptions()
        told.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS") or 0)
        told.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(path), told, providers=["CPUExecutionProvider"])
        self._kept = {each.name: each for each in self._session.get_inputs() if each.name.startswith(KEPT)}
        self.outputs = [each.name for each in self._session.get_outputs()]

    def nothing(self, rows: int) -> dict[str, np.ndarray]:
        """What is kept before the first token."""
        kinds = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
        told = {name: (each.shape[1], each.shape[3], kinds[each.type]) for name, each in self._kept.items()}
        return {name: np.zeros((rows, heads, 0, size), dtype=kind) for name, (heads, size, kind) in told.items()}

    def step(
        self, ids: np.ndarray, mask: np.ndarray | None = None, kept: dict[str, np.ndarray] | None = None
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Logits of these tokens, and what is kept; `mask` covers what was kept before, too."""
        kept = kept if kept is not None else self.nothing(len(ids))
        before = next(iter(kept.values())).shape[2]
        mask = np.ones((len(ids), before + ids.shape[1]), dtype=np.int64) if mask is None else mask
        found = self._session.run(None, {"input_ids": ids.astype(np.int64), "attention_mask": mask.astype(np.int64), **kept})
        told = dict(zip(self.outputs, found, strict=True))
        logits = told.pop("logits").astype(np.float32)
        return logits, {name.replace(GIVEN, KEPT): each for name, each in told.items()}

    def logits(self, ids: list[int]) -> np.ndarray:
        """Of one text, each token's."""
        return self.step(np.array([ids]))[0][0]

    def answer(self, ids: list[int], most: int, ends: int | None = None) -> list[int]:
        """The likeliest tokens one after the other, each step with what the last one kept."""
        said: list[int] = []
        logits, kept = self.step(np.array([ids]))
        while True:
            token = int(logits[0, -1].argmax())
            said.append(token)
            if token == ends or len(said) == most:
                return said
            logits, kept = self.step(np.array([[token]]), None, kept)
