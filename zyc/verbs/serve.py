"""`zyc serve`: a bundle runs here, in the foreground, as it would where it is deployed to."""

from __future__ import annotations

import click

from zyc.forms import serving
from zyc.front import Call
from zyc.verbs import App, on_a_graph, one_node
from zyc.verbs.ledger import the_one


@click.command("serve")
@one_node()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on; 0.0.0.0 for every one.")
@click.option("--port", type=click.IntRange(0, 65_535), default=8000, show_default=True, help="0 for any that is free.")
@on_a_graph
def command(app: App, call: Call, *, host: str, port: int) -> int:
    """Run the bundle of the deployment NODE here, until Ctrl-C.

    Who asks needs a key: where there is none, a first one is made and shown this once. More are made and revoked while it runs.

    \b
    zyc serve philo-free
    zyc serve philo-free --twin --port 0
    """
    front = app.open(call)
    node = the_one(front)
    told = serving.service(front, node)
    app.acted = True
    say = app.console.print
    if told.module == "gateway":
        key = serving.first_key(front, told)
        url = f"http://{host}:{port}" if port else "the address that the line `listening` names"
        say(f"{node} answers at {url}{'' if told.keyed else ', without a key'}; Ctrl-C ends it")
        if key:
            say(f"first key   {key}   (shown this once)")
        if told.keyed:
            say(f"more keys   cd {told.kept.folder} && ZYC_KEYS={told.keys} python -m gateway keys add NAME")
        app.close()
        return serving.foreground(front, told.command("--host", host, "--port", str(port)), cwd=told.kept.folder, env=told.env)
    app.close()
    return serving.foreground(front, told.command(), cwd=told.kept.folder, env=told.env)
