"""The files of the neighbours, `peers/<name>.yaml`: read, added, changed, stopped.

One file is the whole truth about one neighbour, its state included, so that what an operator reads
is what holds. A change is first recorded, with its reason, and then made; a server that runs sees
it within a few seconds (`Watch`).
"""

import logging
import os
import re
import secrets
from collections.abc import Sequence
from pathlib import Path

from gateway.errors import Inconsistent, Invalid, NotFound, NotPermitted
from gateway.members import neighbours
from gateway.members.neighbours import Neighbour, NeighbourError, Standing
from gateway.model.caller import CallerKind
from gateway.model.network import NetworkPolicy
from gateway.store import members as rows
from gateway.store.work import Work

logger = logging.getLogger(__name__)
_STATE = re.compile(r"^state:.*\n?", re.MULTILINE)
_LARGEST = 1024 * 1024
Known = tuple[Neighbour, tuple[bytes, ...]]
"A neighbour with the PEM certificates that sign its assertions."


def read_all(folder: Path, policy: NetworkPolicy) -> list[Known]:
    """Every neighbour of an installation's folder; raises `NeighbourError` naming the file."""
    found: list[Known] = []
    for path in sorted((folder / "peers").glob("*.yaml")):
        try:
            found.append(_complete(folder, neighbours.load(path.read_text("utf-8"), policy)))
        except (NeighbourError, OSError, UnicodeDecodeError) as error:
            raise NeighbourError(f"peers/{path.name}: {error}") from error
    taken: dict[str, str] = {}
    for neighbour, _ in found:
        for owned in (neighbour.name, *neighbour.client_certificates):
            if owned in taken:
                raise NeighbourError(
                    f"peers: {neighbour.name} and {taken[owned]} have the same name or certificate"
                )
            taken[owned] = neighbour.name
    return found


class Watch:
    """Says when the files have changed since they were read last."""

    def __init__(self, folder: Path, policy: NetworkPolicy) -> None:
        self._folder = folder
        self._policy = policy
        self._seen = self._stamp()

    def changed(self) -> list[Known] | None:
        """Every neighbour where something changed; a file that cannot be read changes nothing."""
        stamp = self._stamp()
        if stamp == self._seen:
            return None
        self._seen = stamp
        try:
            return read_all(self._folder, self._policy)
        except NeighbourError as error:
            logger.error("neighbours stay as they were read before: %s", error)
            return None

    def _stamp(self) -> list[tuple[str, int, int]]:
        files = sorted((self._folder / "peers").glob("*.yaml"))
        return [(file.name, (s := file.stat()).st_mtime_ns, s.st_size) for file in files]


def add(work: Work, folder: Path, text: str) -> Neighbour:
    """Record a new neighbour; `write` then makes its file (XCA-03)."""
    _require_operator(work)
    neighbour = _read(work, text)
    if _path(folder, neighbour.name).exists():
        raise Inconsistent("a neighbour of this name exists", "登録済みの連携先です", at="name")
    _check_others(work, folder, neighbour)
    _event(work, neighbour.name, "registered", "")
    return neighbour


def change(work: Work, folder: Path, name: str, text: str, *, reason: str) -> Neighbour:
    """Record that a neighbour's file is replaced by another one; its name and state stay."""
    _require_operator(work)
    before, after = _alive(work, folder, name, reason), _read(work, text)
    if after.name != name:
        raise Inconsistent(f"the file is about {after.name}", "連携先の名前が違います", at="name")
    if after.state is not before.state:
        raise Inconsistent(
            "a state is changed by suspend, resume or end, not by a file",
            "状態は suspend・resume・end で変更してください",
            at="state",
        )
    _check_others(work, folder, after)
    _event(work, name, "changed", reason)
    return after


def move(work: Work, folder: Path, name: str, state: Standing, *, reason: str) -> str:
    """Record another state of a neighbour, and give the text that its file then has."""
    _require_operator(work)
    _alive(work, folder, name, reason)
    kept = _STATE.sub("", read_text(folder, name)).rstrip("\n")
    text = f"{kept}\nstate: {state.value}\n"
    try:
        written = neighbours.load(text, work.policy)
    except NeighbourError as error:
        raise Inconsistent(
            "the file's layout does not take a state: write it as one key a line",
            "ファイルに state を追記できません。1行1キーで書いてください",
            at=f"peers/{name}.yaml",
        ) from error
    _event(work, name, written.state.value, reason)
    return text


def write(folder: Path, name: str, text: str) -> None:
    """Let a neighbour's file be this, as one durable step."""
    target = _path(folder, name)
    target.parent.mkdir(exist_ok=True)
    draft = target.with_name(f".{name}.{secrets.token_hex(8)}")
    try:
        with draft.open("x", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def read_text(folder: Path, name: str) -> str:
    """The file of one neighbour as it is; raises `NotFound`."""
    try:
        return _path(folder, name).read_text("utf-8")
    except (OSError, ValueError) as error:
        raise NotFound("no such neighbour", "連携先が登録されていません", at="name") from error


def read_file(path: Path) -> str:
    """A file that an operator names; raises `Invalid` where it is none of a neighbour."""
    try:
        if path.stat().st_size <= _LARGEST:
            return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid("the file cannot be read", "ファイルを読めません", at=path.name) from error
    raise Invalid("the file is larger than 1 MiB", "ファイルが大きすぎます", at=path.name)


def find(work: Work, folder: Path, name: str) -> Neighbour:
    """One neighbour; raises `NotFound`, or `Invalid` where its file is wrong."""
    return _read(work, read_text(folder, name))


def _complete(folder: Path, neighbour: Neighbour) -> Known:
    """A neighbour with the certificates it names, relative to the settings file."""
    pems = [(folder / name).read_bytes() for name in neighbour.assertion_certificates]
    return neighbour, tuple(pems)


def _path(folder: Path, name: str) -> Path:
    """Where a neighbour's file is; a name that is none never touches the disk (G7)."""
    if not neighbours.NAME.fullmatch(name):
        raise NotFound("no such neighbour", "連携先が登録されていません", at="name")
    return folder / "peers" / f"{name}.yaml"


def _read(work: Work, text: str) -> Neighbour:
    try:
        return neighbours.load(text, work.policy)
    except NeighbourError as error:
        raise Invalid(str(error), f"連携先ファイルの誤り: {error}") from error


def _alive(work: Work, folder: Path, name: str, reason: str) -> Neighbour:
    """The neighbour, if there is a reason to change it and it has not ended."""
    if not reason.strip():
        raise Invalid("give a reason", "理由が必要です", at="reason")
    neighbour = find(work, folder, name)
    if neighbour.state is Standing.ENDED:
        raise Inconsistent(
            "the agreement has ended: add it under a new name",
            "終了した連携先です。新しい名前で登録してください",
            at="name",
        )
    return neighbour


def _check_others(work: Work, folder: Path, neighbour: Neighbour) -> None:
    """Its certificates exist, and belong to no other neighbour and to no facility."""
    try:
        _complete(folder, neighbour)
        others: Sequence[Known] = read_all(folder, work.policy)
    except (NeighbourError, OSError) as error:
        raise Invalid(str(error), f"連携先ファイルの誤り: {error}") from error
    for other, _ in others:
        shared = other.client_certificates & neighbour.client_certificates
        if other.name != neighbour.name and shared:
            raise Inconsistent(f"a client certificate is {other.name}'s", "登録済みの証明書です",
                               at="client_certificates")  # fmt: skip
    for sha256 in neighbour.client_certificates:
        if rows.select_certificate(work.db, sha256) is not None:
            raise Inconsistent("a client certificate is a facility's", "施設の証明書です",
                               at="client_certificates")  # fmt: skip


def _require_operator(work: Work) -> None:
    if work.caller.kind is not CallerKind.OPERATOR:
        raise NotPermitted("only the operator registers neighbours", "事務局のみが登録できます",
                           rule="XCA-03", log="AUTHZ-DENY")  # fmt: skip


def _event(work: Work, name: str, what: str, reason: str) -> None:
    rows.insert_event(
        work.db, at=work.now, subject=f"peer:{name}", what=what,
        actor=f"{work.caller.facility}/{work.caller.subject}", content={"reason": reason},
    )  # fmt: skip
    work.trail.detail["registry"] = f"peer-{what}"
    work.trail.objects.append(f"peer:{name}")
