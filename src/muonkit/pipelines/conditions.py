"""The store of conditions from the command line, one function for each verb. All raise InputError."""

from pathlib import Path

from muonkit.conditions.iov import IoV
from muonkit.conditions.store import Store, create_store, open_store
from muonkit.core.errors import InputError
from muonkit.core.files import atomic, check_output
from muonkit.core.limits import read_bytes
from muonkit.pipelines.conditions_results import (
    ConditionsResult,
    EntryChanged,
    PayloadAdded,
    PayloadWritten,
    StoreChecked,
    StoreContent,
    StoreHistory,
    StoreReady,
    TagChanged,
    TagCloned,
    TagContent,
)
from muonkit.pipelines.payload_schemas import PAYLOAD_SCHEMAS

MOST_BYTES = 2_000_000_000


def opened(location: str, payloads: Path | None) -> Store:
    """The store, with readers for all payloads of muonkit."""
    return open_store(location, payloads, PAYLOAD_SCHEMAS)


def create(location: str, payloads: Path | None) -> StoreReady:
    """Make a store, or migrate an older one."""
    with create_store(location, payloads, PAYLOAD_SCHEMAS) as store:
        return StoreReady(store.database.shown, store.files.root, store.history()[-1])


def add(store: Store, name: str, file: Path, schema: str, comment: str, opaque: bool = False) -> PayloadAdded:
    """Keep the content of a file, if it is of the schema."""
    content = read_bytes(file, MOST_BYTES, "payload")
    return PayloadAdded(store.add(name, content, schema, comment, opaque=opaque), opaque)


def tag(
    store: Store, tag: str, name: str | None, revision: int | None, iov: str | None, comment: str
) -> ConditionsResult:
    """Create a tag, or with a name put a payload into it."""
    if name is None:
        if iov is not None:
            raise InputError("--iov: for which payload? Give NAME and REVISION after the tag.")
        store.create_tag(tag, comment)
        return TagChanged(tag, "open")
    if revision is None or iov is None:
        raise InputError(f"{name}: give its REVISION, and --iov first_exp,first_run,final_exp,final_run")
    if comment:
        raise InputError("--comment: belongs to a new tag, which has no NAME after it, or to `add`")
    return EntryChanged(tag, store.tag(tag, name, revision, IoV.parse(iov)), "added")


def clone(store: Store, tag: str, new: str, comment: str) -> TagCloned:
    """Make a new, open tag with the same entries."""
    return TagCloned(tag, new, len(store.clone_tag(tag, new, comment)))


def close(store: Store, tag: str, name: str, last: str) -> EntryChanged:
    """Give the last interval of a name, which is open, its last run."""
    try:
        experiment, run = map(int, last.split(","))
    except ValueError:
        raise InputError(f"--last {last}: give experiment,run, such as 7,42; run -1: to its end") from None
    return EntryChanged(tag, store.close_interval(tag, name, experiment, run), "closed")


def remove(store: Store, tag: str, name: str, iov: str) -> EntryChanged:
    """Take an entry out of a tag."""
    return EntryChanged(tag, store.remove(tag, name, IoV.parse(iov)), "removed")


def publish(store: Store, tag: str) -> TagChanged:
    """Freeze a tag."""
    store.publish(tag)
    return TagChanged(tag, "published", len(store.entries(tag)))


def invalidate(store: Store, tag: str) -> TagChanged:
    """Mark a tag as not to be used."""
    store.invalidate(tag)
    return TagChanged(tag, "invalid")


def show(store: Store, tag: str | None) -> ConditionsResult:
    """Tags and payloads; or the entries of a tag."""
    if tag is None:
        return StoreContent(tuple(store.tags()), tuple(store.payloads()))
    return TagContent(tag, tuple(store.entries(tag)))


def get(store: Store, tag: str, name: str, experiment: int, run: int, out: Path) -> PayloadWritten:
    """Write the payload that holds for a run to a file."""
    payload = store.find(tag, name, experiment, run)
    check_output(out, store.paths())
    content = store.read(payload)
    try:
        with atomic(out) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror}). Choose another file for -o.") from error
    return PayloadWritten(payload, out)


def check(store: Store, *, clean: bool) -> StoreChecked:
    """Is the store whole? `clean` removes what killed writers left."""
    removed = store.clean() if clean else []
    return StoreChecked(store.examine(), tuple(removed))


def history(store: Store) -> StoreHistory:
    """Every change, oldest first."""
    return StoreHistory(tuple(store.history()))
