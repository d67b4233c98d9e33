"""From the store to a remote: objects, then the tree, then the trace, so that whatever stops it, no trace there lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zyc.errors import ZycError, problem
from zyc.keeping.remote import record as records
from zyc.keeping.remote.fetch import Count
from zyc.keeping.remote.layout import Progress, Pushed, object_path, trace_path, tree_path
from zyc.keeping.remote.record import File, Record
from zyc.keeping.store import Store, plainly
from zyc.keeping.traces import Trace, encode
from zyc.world import Stat

if TYPE_CHECKING:
    from zyc.keeping.remote import Remote


def push(remote: Remote, trace: Trace, store: Store, told: Progress, *, again: bool) -> Pushed:
    """Send what a key gave."""
    listed = remote.keys()
    there = trace.key in listed
    if there and not again:
        return Pushed(trace.key, trace.tree)
    with plainly(store.root):
        objects, size = _tree(remote, trace.tree, store, told, again=again)
        is_new = not there or remote.trace(trace.key) is None
        if is_new:  # another one that is sound stays: whoever has it may stand on it
            remote.shelf.put(trace_path(trace.key), encode(trace))  # last: it promises all of the above
    return Pushed(trace.key, trace.tree, objects, size, is_new=is_new)


def _tree(remote: Remote, digest: str, store: Store, told: Progress, *, again: bool) -> tuple[int, int]:
    """Send a tree and all that it is made of; how many objects were sent, and their bytes."""
    if not store.has(digest):
        raise ZycError(problem("tree-absent", tree=digest))
    if digest in remote.trees() and not again:
        return 0, 0
    told_records = store.records(digest)
    data, record = records.encode(told_records), records.read(told_records)
    if len(data) > records.MOST:
        raise ZycError(problem("remote-failed", remote=remote.name, place=tree_path(digest), reason="it has too many files"))
    objects = size = 0
    for _, member in record.members:
        more, heavier = _tree(remote, member, store, told, again=again)
        objects, size = objects + more, size + heavier
    sent = _objects(remote, record, digest, store, told)
    if digest not in remote.trees() or not _is_sound(remote, digest):
        remote.shelf.put(tree_path(digest), data)
        remote.sent_trees.add(digest)
    return objects + len(sent), size + sum(file.size for file in sent)


def _is_sound(remote: Remote, digest: str) -> bool:
    try:
        remote.tree(digest)
    except ZycError:
        return False
    return True


def _objects(remote: Remote, record: Record, digest: str, store: Store, told: Progress) -> list[File]:
    """Send those objects that are not there; returns once they last."""
    each = sorted({file.digest: file for file in record.files}.values(), key=lambda file: (-file.size, file.digest))
    missing = [file for file, lacks in zip(each, store.world.each(lambda file: _lacks(remote, file), each), strict=True) if lacks]
    count = Count(sum(file.size for file in missing), told)

    def send(file: File) -> bool:
        with remote.turn(file.digest):  # another tree that is sent beside this one may hold it, too
            sent = file.digest not in remote.known
            if sent:
                place(file)
                remote.known.add(file.digest)
            count.add(file.size)
            return sent

    def place(file: File) -> None:
        path = store.path(digest) / file.path
        before = store.world.stat(path)
        if before is not None:
            remote.shelf.send(object_path(file.digest), path)
        if before is None or _facts(store.world.stat(path)) != _facts(before):
            remote.shelf.drop(object_path(file.digest))  # nobody stands on it yet
            raise ZycError(problem("tree-damaged", tree=digest))

    sent = store.world.each(send, missing)
    remote.shelf.settle()
    return [file for file, was in zip(missing, sent, strict=True) if was]


def _facts(seen: Stat | None) -> tuple[int, ...]:
    return (seen.inode, seen.size, seen.mtime_ns) if seen is not None else ()


def _lacks(remote: Remote, file: File) -> bool:
    """Whether an object is not there; one of another size is nobody's to replace unseen."""
    if file.digest in remote.known:
        return False
    size = remote.shelf.size(object_path(file.digest))
    if size is None:
        return True
    if size != file.size:
        reason = f"it has {size} of {file.size} bytes"
        raise ZycError(problem("remote-damaged", remote=remote.name, place=object_path(file.digest), reason=reason))
    remote.known.add(file.digest)
    return False
