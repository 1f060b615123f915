"""What a file that states a whole scope ends: an order, a list of diagnoses, of allergies.

A newer statement without an item ends it. The older statement may come later (the transaction
files of two servers, a slow feeder), so every row says which scope its file stated wholly: what
only a late, older statement has is ended as soon as it comes. A deletion or an empty list that
leaves no item leaves a mark, so that what comes late finds it.
"""

from gateway.model.batch import Batch
from gateway.model.category import Category
from gateway.store.record import contents
from gateway.store.record import items as rows
from gateway.store.record.items import ItemRow
from gateway.store.record.uploads import FileRow
from gateway.store.work import Work

_DELETED = "deleted"
"Finding of a reader: the source deletes what the file is about."


def endings(
    work: Work, file: FileRow, batch: Batch, source: str, *, custody: bool
) -> tuple[list[ItemRow], bool]:
    """Endings that a batch brings, and whether it deletes what was never received."""
    if not batch.scope:
        return [], False
    stated = {item.key for item in batch.items}
    newest = rows.select_scope(work.db, file.domain, file.value, batch.scope)
    found = {
        (key, batch.version): category
        for key, (version, cancelled, category) in newest.items()
        if key not in stated and not cancelled and version < batch.version
    }
    if any(version > batch.version for version, _, _ in newest.values()):
        found.update(_overtaken(work, file, batch))
    if not stated and newest.get(batch.scope, ("",))[0] < batch.version:
        found[batch.scope, batch.version] = Category.DEMOGRAPHICS.value
    made = [
        ItemRow(
            file=file.id, facility=file.facility, source=source, domain=file.domain,
            value=file.value, category=category, key=key, version=version, cancelled=True,
            posted=work.now, custody=custody,
            content=contents.whole(
                {}, (), {"file": batch.path, "at": "", "scope": batch.scope}
            ),
        )
        for (key, version), category in sorted(found.items())
    ]  # fmt: skip
    is_deletion = not stated and any(one.code == _DELETED for one in batch.findings)
    return made, is_deletion and not newest


def _overtaken(work: Work, file: FileRow, batch: Batch) -> dict[tuple[str, str], str]:
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
