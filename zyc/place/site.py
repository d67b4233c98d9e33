"""The machine's own settings, `zyc.yml` and `zyc.local.yml`: what this place has and what it costs; never part of a key."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from zyc import fields
from zyc.catalogue.devices import SHOWN
from zyc.compile.expand import Places
from zyc.compile.mistakes import Subject
from zyc.compile.outline import merge_marks
from zyc.compile.validate import read_fields
from zyc.errors import Problem, ZycError, listing, nearest, problem
from zyc.kind import Fields
from zyc.source import parse

FILES = ("zyc.yml", "zyc.local.yml")


class HostSite(Fields):
    """What one host has to give; what is not said is measured."""

    cpus: fields.Integer | None = Field(None, ge=1)
    """Processor cores that steps may use."""
    memory: fields.Bytes | None = None
    """Memory that steps may use, such as `24 GB`."""
    disk: fields.Bytes | None = None
    """Disk space that results may take, such as `500 GB`, where that is less than what is free."""
    gpus: fields.Integer | None = Field(None, ge=0)
    """Accelerators that steps may use."""
    bf16: fields.Flag | None = None
    """Whether its processor computes in bf16 by itself; one that does not holds twice as much of a base."""
    price: fields.Number = Field(0.0, ge=0)
    """What an hour costs, in your currency."""


class RemoteSite(Fields):
    """Where others share what they built."""

    url: fields.Text
    """A folder, or a URL such as `s3://bucket/store`; credentials are those of its library, from the environment."""


class Site(Fields):
    """The settings of this place."""

    hosts: dict[fields.Name, HostSite] = Field(default_factory=dict)
    """The hosts by name; `local` is this machine."""
    remotes: dict[fields.Name, RemoteSite] = Field(default_factory=dict)
    """The remotes by name, for `--remote NAME`."""
    devices: Annotated[tuple[fields.Device, ...], BeforeValidator(fields.read_list)] = SHOWN
    """The classes of machines that a plan has a column for, such as `[t4, a100-40]`; `[]` for none."""
    prices: dict[fields.Device, Annotated[fields.Number, Field(ge=0)]] = Field(default_factory=dict)
    """What an hour of a class of machine costs you, such as `{a100-40: 1.1}`."""

    @property
    def here(self) -> HostSite:
        """What is said of this machine."""
        return self.hosts.get("local", HostSite())


def read(texts: dict[str, bytes]) -> Site:
    """The shared settings, and those of this machine over them; all that is wrong with either."""
    hosts: dict[str, dict[str, object]] = {}
    remotes: dict[str, RemoteSite] = {}
    devices: tuple[str, ...] = SHOWN
    prices: dict[str, float] = {}
    problems: list[Problem] = []
    for file, text in texts.items():
        document = parse(text, file)
        if document.root is None:
            problems += merge_marks(text, file) or document.problems
            continue
        site, found = read_fields(Subject(Site, "the site", Places(file)), document.root)
        problems += found
        if site is not None:
            remotes |= site.remotes
            prices |= site.prices
            devices = site.devices if "devices" in site.model_fields_set else devices
        for name, host in site.hosts.items() if site is not None else ():
            hosts.setdefault(name, {}).update({each: getattr(host, each) for each in host.model_fields_set})
    if problems:
        raise ZycError(problems)
    told = {name: HostSite.model_validate(values) for name, values in hosts.items()}
    return Site(hosts=told, remotes=remotes, devices=devices, prices=prices)


def only_remote(site: Site) -> str:
    """The name of the one remote of a site; with none or more than one, nothing."""
    return next(iter(site.remotes)) if len(site.remotes) == 1 else ""


def remote_of(site: Site, text: str) -> tuple[str, str]:
    """The folder or URL that `--remote` means, and its name when the site gives it one."""
    if text in site.remotes:
        return site.remotes[text].url, text
    if "://" in text or "/" in text or text.startswith((".", "~")):
        return text, ""
    hint = (
        listing(site.remotes, "the site has")
        or "a folder is written `./NAME`; the site can name one: `remotes: {NAME: {url: ...}}`"
    )
    close = nearest(text, site.remotes)
    raise ZycError(problem("unknown-remote", name=text, hint=f"did you mean `{close}`?" if close else hint))
