"""The store of conditions from the command line, one function for each verb. All raise InputError."""

from pathlib import Path

from muonkit.conditions.iov import IoV
from muonkit.conditions.store import Store, create_store
from muonkit.core.errors import InputError
from muonkit.core.files import atomic
from muonkit.pipelines.conditions_results import (
    ConditionsResult,
    EntryAdded,
    PayloadAdded,
    PayloadWritten,
    StoreChecked,
    StoreContent,
    StoreHistory,
    StoreReady,
    TagChanged,
    TagContent,
)


def create(location: str, payloads: Path | None) -> StoreReady:
    """Make a store, or migrate an older one."""
    with create_store(location, payloads) as store:
        return StoreReady(store.database.shown, store.files.root, store.history()[-1])


def add(store: Store, name: str, file: Path, schema: str, comment: str) -> PayloadAdded:
    """Keep the content of a file."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}). Give the file of the payload.") from error
    return PayloadAdded(store.add(name, content, schema, comment))


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
    return EntryAdded(tag, store.tag(tag, name, revision, IoV.parse(iov)))


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
