"""A real S3 server on this machine, for one test or several: started on a free port, and ended by its own process."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from desk import PROGRAMS

KEY, SECRET = "accesskey1", "secretkey-sesame-123"


class S3:
    """A server whose buckets are the folders of a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.port = _free_port()
        self._log = root.with_name(f"{root.name}.log")
        self._process: subprocess.Popen[bytes] | None = None
        (root / "bucket").mkdir(parents=True)

    @property
    def environ(self) -> dict[str, str]:
        """What a client has in its environment."""
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def start(self) -> None:
        """Listen."""
        command = [PROGRAMS / "rclone", "serve", "s3", "--auth-key", f"{KEY},{SECRET}", "--addr", f"127.0.0.1:{self.port}"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([*command, str(self.root)], stdout=log, stderr=log, env={"HOME": str(self.root)})
        deadline = time.monotonic() + 30
        while True:
            assert self._process.poll() is None, self._log.read_text()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.02)

    def kill(self) -> None:
        """It is gone in mid-sentence."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()


def is_here() -> bool:
    """Whether the server is installed."""
    return shutil.which("rclone", path=str(PROGRAMS)) is not None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
