"""What a file that states a whole scope ends: an order, a list of diagnoses, of allergies.

A newer statement without an item ends it. The older statement may come later (the transaction
files of two servers, a slow feeder), so every row says which scope its file stated wholly: what
only a late, older statement has is ended as soon as it comes. A deletion or an empty list that
leaves no item leaves a mark, so that what comes late finds it. Claims of one month have one
version, so of two of them the one that came later holds (`Batch.restates`).
"""

from collections.abc import Sequence
from typing import Any

from gateway.model.batch import Batch
from gateway.model.category import Category
from gateway.record import difference
from gateway.store.record import contents, uploads
from gateway.store.record import scopes as rows
from gateway.store.record.items import ItemRow
from gateway.store.work import Work
from gateway.wire import fhir

_DELETED = "deleted"
"Finding of a reader: the source deletes what the file is about."


def said(batch: Batch) -> dict[str, Any]:
    """What the stored source of each item says of its file: its scope, and that it deletes."""
    found: dict[str, Any] = {"scope": batch.scope} if batch.scope else {}
    if _deletes(batch):
        found[_DELETED] = True
    return found


def is_deleted(content: str) -> bool:
    """Whether the file of this version said that the source had deleted it.

    SS-MIX2 renames a file as deleted and leaves its issue time: what had the name before says
    nothing newer, whenever it comes.
    """
    return bool(fhir.loads(content)["source"].get(_DELETED))


def _deletes(batch: Batch) -> bool:
    return any(one.code == _DELETED for one in batch.findings)


def endings(
    work: Work,
    file: uploads.FileRow,
    batch: Batch,
    source: str,
    *,
    custody: bool,
    is_new: bool = False,
) -> tuple[list[ItemRow], bool]:
    """Endings that a batch brings, and whether it deletes what was never received.

    `is_new` says that the chart has no item yet.
    """
    if not batch.scope:
        return [], False
    stated = {item.key for item in batch.items}
    newest = {} if is_new else rows.select_scope(work.db, file.domain, file.value, batch.scope)
    found = {
        (key, batch.version): category
        for key, (version, cancelled, category) in newest.items()
        if key not in stated and not cancelled and version < batch.version
    }
    if any(version > batch.version for version, _, _ in newest.values()):
        found.update(_overtaken(work, file, batch))
    if batch.restates and any(
        difference.is_of(version, batch.version) for version, _, _ in newest.values()
    ):
        found.update(_restated(work, file, batch, stated))
    if not stated and newest.get(batch.scope, ("",))[0] < batch.version:
        found[batch.scope, batch.version] = Category.DEMOGRAPHICS.value
    made = [
        ItemRow(
            file=file.id, facility=file.facility, source=source, domain=file.domain,
            value=file.value, category=category, key=key, version=version, cancelled=True,
            posted=work.now, custody=custody,
            content=contents.whole(
                {}, (), {"file": batch.path, "at": "", **said(batch)}
            ),
        )
        for (key, version), category in sorted(found.items())
    ]  # fmt: skip
    return made, not stated and _deletes(batch) and not newest


def _restated(
    work: Work, file: uploads.FileRow, batch: Batch, stated: set[str]
) -> dict[tuple[str, str], str]:
    """What an earlier file said in this scope under the same version, and this one does not.

    What another scope said too (the diagnosis of another receipt, of another month) stays. Two
    receipts of one file add to each other: the first ends what the earlier file said and leaves a
    mark, so that the second only brings back what it has.
    """
    above = batch.scope.partition("|")[0] + "|"
    by_key: dict[str, list[rows.Stated]] = {}
    for row in rows.select_stated(work.db, file.domain, file.value, above, batch.scope):
        by_key.setdefault(row.key, []).append(row)
    marks = by_key.pop(batch.scope, [])
    if any(_is_of_upload(work, row, file) for row in marks):
        return {}
    found = {}
    earlier = False
    for key, versions in by_key.items():
        last = max(versions, key=lambda row: row.version)
        version = next((v for v in batch.restates if difference.is_of(last.version, v)), "")
        if not version or _is_of_upload(work, last, file):
            continue
        earlier = True
        if key not in stated and not last.cancelled and _alone(versions):
            same = [row.version for row in versions if difference.is_of(row.version, version)]
            found[key, difference.corrected(version, same)] = last.category
    if earlier:
        before = [batch.version, *(row.version for row in marks)]
        mark = difference.corrected(batch.version, before)
        found[batch.scope, mark] = Category.DEMOGRAPHICS.value
    return found


def _is_of_upload(work: Work, row: rows.Stated, file: uploads.FileRow) -> bool:
    """Whether a row was made of the same file as it was received, or of another part of it."""
    if row.file == file.id or not file.parent:
        return row.file == file.id
    parent = work.memory.get(("parent", row.file))
    if parent is None:
        made = uploads.select_file(work.db, row.file)
        parent = work.memory["parent", row.file] = made.parent if made else ""
    return bool(parent == file.parent)


def _alone(versions: Sequence[rows.Stated]) -> bool:
    """Whether no other scope stated the item."""
    return all(row.scoped for row in versions)


def _overtaken(work: Work, file: uploads.FileRow, batch: Batch) -> dict[tuple[str, str], str]:
    """Items of a late statement that the next newer statement already lacked."""
    statements = rows.select_statements(
        work.db, file.domain, file.value, batch.scope, after=batch.version
    )
    found = {}
    for item in batch.items:
        if not item.key.startswith(batch.scope):
            continue  # beside the scope, so no other statement says anything of it
        since = item.version or batch.version
        lacking = next(
            (
                version
                for version, keys in sorted(statements.items())
                if version > since and item.key not in keys
            ),
            "",
        )
        if lacking:
            found[item.key, lacking] = item.category.value
    return found
