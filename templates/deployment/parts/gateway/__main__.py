"""`python -m gateway`: serve the bundle in this folder; `python -m gateway keys add|list|revoke`: who may ask."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import pwd
import shlex
import signal
import socket
import sys
import time

from . import bundle as bundles
from . import engine as engines
from . import keys, logs


def main():
    """What the command line says; an error is one line with the next step."""
    told = _arguments()
    try:
        if told.verb == "keys":
            with _by_its_user(keys.place(told.folder)):
                return _keys(told)
        return asyncio.run(_serve(told))
    except (bundles.Broken, engines.Failed, keys.Wrong) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _arguments():
    parser = argparse.ArgumentParser(prog="python -m gateway", description=__doc__)
    parser.add_argument("--folder", default=".", help="the bundle; this folder when not given")
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 for every address of this machine")
    parser.add_argument("--port", type=int, default=8000, help="0 for any that is free")
    verbs = parser.add_subparsers(dest="verb")
    ways = verbs.add_parser("keys", help="who may ask").add_subparsers(dest="way", required=True)
    for way in ("add", "revoke"):
        ways.add_parser(way).add_argument("name")
    ways.add_parser("list")
    return parser.parse_args()


@contextlib.contextmanager
def _by_its_user(path):
    try:
        yield
    except PermissionError as error:
        raise keys.Wrong(f"{path} is another user's: {error.strerror}; run this as the user of the gateway") from error


def _keys(told):
    path = keys.place(told.folder)
    if told.way == "add":
        print(keys.add(path, told.name))
        print(f"the key of {told.name}: it is shown this once, and only its digest is kept in {path}", file=sys.stderr)
    elif told.way == "revoke":
        keys.revoke(path, told.name)
        print(f"{told.name}: revoked")
    else:
        for each in keys.listed(path):
            state = f"revoked {each['revoked']}" if each["revoked"] else "good"
            print(f"{each['name']}\t{each['begins']}...\tmade {each['made']}\t{state}")
    return 0


def _bound(host, port):
    """The address, before a model is loaded for it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except OSError as error:
        made.close()
        says = f"{host}:{port} cannot be listened on: {error.strerror}"
        raise bundles.Broken(f"{says}; take another with `--port N`, or `--port 0` for any that is free") from error
    return made


def _way_to_a_key(folder, path):
    """The whole command: in the bundle, for the file that this gateway reads, by the user who may read it."""
    who = str(os.getuid())
    with contextlib.suppress(KeyError):  # a container's user may have no name
        who = pwd.getpwuid(os.getuid()).pw_name
    folder, path, program = (shlex.quote(str(each)) for each in (folder, path.resolve(), sys.executable))
    return f"nobody has a key yet; as the user {who}: cd {folder} && ZYC_KEYS={path} {program} -m gateway keys add NAME"


async def _serve(told):
    logs.quiet()
    bundle = bundles.read(told.folder)
    from . import app, fetch  # what else stands in a bundle is there now
    from . import gate as gates

    listening = _bound(told.host, told.port)
    with contextlib.closing(listening):
        began = time.monotonic()
        await asyncio.to_thread(fetch.model, bundle)
        size = await asyncio.to_thread(bundles.verify, bundle)
        logs.tell("model_checked", bytes=size, seconds=round(time.monotonic() - began, 2))
        program = await asyncio.to_thread(engines.program, bundle.llama_cpp, lambda text: logs.tell("engine", says=text))
        gate = gates.Gate(bundle, keys.place(told.folder), program)
        if not gate.settings.open and not gate.keys:
            logs.tell("no_keys", "warning", says=_way_to_a_key(bundle.folder, gate.keys.path))
        server = _server(app.application(gate), gate)
        _on_signals(server, gate)
        host, port = listening.getsockname()[:2]
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            await _begin(gate, serving, url)
            await serving
        finally:
            server.should_exit = True
            await gate.stop()
            if not serving.done():
                await serving
            logs.tell("stopped")
    return 0


async def _begin(gate, serving, url):
    """Health answers while the model loads; a stop meanwhile is heard."""
    logs.tell("listening", url=url, models=gate.bundle.names)
    began = time.monotonic()
    starting = asyncio.create_task(gate.start())
    await asyncio.wait({starting, serving}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        return
    await starting
    logs.tell("ready", url=url, seconds=round(time.monotonic() - began, 2), slots=gate.settings.slots, context=gate.context)


def _server(application, gate):
    import uvicorn

    class Server(uvicorn.Server):
        """Signals are the gateway's own business."""

        @contextlib.contextmanager
        def capture_signals(self):
            """Not here."""
            yield

    grace = max(1, round(gate.settings.grace))
    options = {"lifespan": "off", "access_log": False, "log_config": None, "server_header": False, "proxy_headers": False}
    config = uvicorn.Config(application, **options, timeout_graceful_shutdown=grace, timeout_keep_alive=30, ws="none")
    return Server(config)


def _on_signals(server, gate):
    """The first lets answers end, the second ends them."""

    def stop():
        if gate.stopping:
            logs.tell("stop", how="at once")
            server.force_exit = True
            gate.kill()
            return
        gate.stopping = True
        logs.tell("stop", how="when the answers in flight have ended", busy=gate.slots.busy)
        server.should_exit = True

    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop)


if __name__ == "__main__":
    sys.exit(main())
