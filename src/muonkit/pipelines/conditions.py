"""The store of conditions from the command line: each verb gives numbers, and the words for them."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from muonkit.conditions.iov import IoV
from muonkit.conditions.payload import Entry, GlobalTag, Payload
from muonkit.conditions.store import Store, create_store
from muonkit.core.errors import InputError
from muonkit.core.files import atomic


def create(location: str, payloads: Path | None) -> dict[str, Any]:
    """Make a store, or migrate an older one. Raises InputError, as all functions here."""
    with create_store(location, payloads) as store:
        done = store.history()[-1]
        words = f"{store.database.shown}: ready; payload files in {store.files.root}"
        return {"store": store.database.shown, "payloads": str(store.files.root), "last": asdict(done), "text": words}


def add(store: Store, name: str, file: Path, schema: str, comment: str) -> dict[str, Any]:
    """Keep the content of a file."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}). Give the file of the payload.") from error
    payload = store.add(name, content, schema, comment)
    return asdict(payload) | {"text": f"{payload}, {payload.size} bytes, SHA-256 {payload.checksum}"}


def tag(
    store: Store, tag: str, name: str | None, revision: int | None, iov: str | None, comment: str
) -> dict[str, Any]:
    """Create a tag, or with a name put a payload into it."""
    if name is None:
        if iov is not None:
            raise InputError("--iov: for which payload? Give NAME and REVISION after the tag.")
        store.create_tag(tag, comment)
        return {"tag": tag, "state": "open", "text": f"{tag}: created, open"}
    if revision is None or iov is None:
        raise InputError(f"{name}: give its REVISION, and --iov first_exp,first_run,final_exp,final_run")
    if comment:
        raise InputError("--comment: belongs to a new tag, which has no NAME after it, or to `add`")
    entry = store.tag(tag, name, revision, IoV.parse(iov))
    return {"tag": tag, **_entry(entry), "text": f"{tag}: {entry} holds for {entry.iov}"}


def publish(store: Store, tag: str) -> dict[str, Any]:
    """Freeze a tag."""
    store.publish(tag)
    number = len(store.entries(tag))
    return {"tag": tag, "state": "published", "entries": number, "text": f"{tag}: published with {number} entries"}


def invalidate(store: Store, tag: str) -> dict[str, Any]:
    """Mark a tag as not to be used."""
    store.invalidate(tag)
    return {"tag": tag, "state": "invalid", "text": f"{tag}: invalid from now on"}


def show(store: Store, tag: str | None) -> dict[str, Any]:
    """Tags and payloads; or the entries of a tag."""
    if tag is not None:
        entries = store.entries(tag)
        return {"tag": tag, "entries": [_entry(entry) for entry in entries], "text": _entry_table(entries)}
    tags, payloads = store.tags(), store.payloads()
    return {
        "tags": [asdict(tag) for tag in tags],
        "payloads": [asdict(payload) for payload in payloads],
        "text": f"{_tag_table(tags)}\n\n{_payload_table(payloads)}",
    }


def get(store: Store, tag: str, name: str, experiment: int, run: int, out: Path) -> dict[str, Any]:
    """Write the payload that holds for a run to a file."""
    payload = store.find(tag, name, experiment, run)
    content = store.read(payload)
    try:
        with atomic(out) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror}). Choose another file for -o.") from error
    return asdict(payload) | {"file": str(out), "text": f"{out}: {payload}, {payload.size} bytes"}


def check(store: Store, *, clean: bool) -> dict[str, Any]:
    """Is the store whole? Exit code 1 if not; `clean` removes what killed writers left."""
    removed = store.clean() if clean else []
    found = store.examine()
    lines = [*found.faults, *(f"note: {line}" for line in found.notes), *(f"removed {path}" for path in removed)]
    lines.append(f"faults: {len(found.faults)}" if found.faults else "the store is whole")
    return {
        "faults": found.faults,
        "notes": found.notes,
        "removed": [str(path) for path in removed],
        "text": "\n".join(lines),
        "exit_code": 1 if found.faults else 0,
    }


def history(store: Store) -> dict[str, Any]:
    """Every change, oldest first."""
    rows = store.history()
    lines = [f"{row.when}  {row.who:12} {row.what:12} {row.details}" for row in rows]
    return {"history": [asdict(row) for row in rows], "text": "\n".join(lines)}


def _entry(entry: Entry) -> dict[str, Any]:
    return asdict(entry) | {"iov": str(entry.iov)}


def _tag_table(tags: list[GlobalTag]) -> str:
    rows = [f"{tag.name:30} {tag.state:10} {tag.created}  {tag.comment}".rstrip() for tag in tags]
    return "\n".join([f"{'global tag':30} {'state':10} {'created':25}  comment", *rows])


def _payload_table(payloads: list[Payload]) -> str:
    rows = [f"{p.name:30} {p.revision:8} {p.size:12} {p.schema:30} {p.comment}".rstrip() for p in payloads]
    return "\n".join([f"{'payload':30} {'revision':>8} {'bytes':>12} {'schema':30} comment", *rows])


def _entry_table(entries: list[Entry]) -> str:
    rows = [f"{entry.name:30} {entry.revision:8} {entry.iov!s:24} {entry.checksum[:12]}" for entry in entries]
    return "\n".join([f"{'payload':30} {'revision':>8} {'interval of validity':24} SHA-256", *rows])
