"""`POST /documents`: a document with its description; answered after verification.

201 filed (unsigned is marked), 202 set aside, 422 where a due signature is missing or a signature
does not verify, with the report (`INTERFACES.md` sections 3 and 7).
"""

from dataclasses import dataclass

from gateway.edge.answers import Receive, Scope, Send, answer_json
from gateway.edge.authn import Peer
from gateway.edge.refusals import told
from gateway.edge.uploads import Doorway, Spooled, part_named, read_form
from gateway.errors import Malformed, Refusal, UntrustedSignature
from gateway.intake import Filing
from gateway.model.signature import SignatureReport

_ENTRY_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """The document door."""

    doorway: Doorway
    filing: Filing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        peer = await self.doorway.enter(scope, receive, send)
        if peer is None:
            return
        if scope["method"] != "POST":
            await self.doorway.turn_away(405, "HTTP-FRAME", peer, receive, send, allow="POST")
            return
        async with self.doorway.answering(peer, receive, send):
            await self._post(scope, receive, send, peer)

    async def _post(self, scope: Scope, receive: Receive, send: Send, peer: Peer) -> None:
        form = await read_form(self.doorway, scope, receive, send, peer, self.filing.blobs)
        if form is None:
            return
        try:
            described = form.fields.get("entry")
            entry, content = part_named(form, "entry"), part_named(form, "content")
            if described is None and entry is not None and entry.size <= _ENTRY_BYTES:
                with entry.writer.reader() as stream:
                    described = stream.read()
            if described is None or content is None or len(form.files) != 1 + (entry is not None):
                refusal = Malformed(
                    "send a part entry and a part content", "entry と content が必要です",
                    at="entry",
                )  # fmt: skip
                await self.doorway.refuse(refusal, peer, send, status=400, recorded=False)
                return
            spooled = Spooled(content.name, content.writer)
            filed = await self.doorway.run(
                lambda: self.filing.receive(peer.caller, described, spooled)
            )
            await answer_json(send, 202 if filed.waiting else 201, filed.as_json())
        except UntrustedSignature as untrusted:
            await self._refuse_signature(untrusted, content.name if content else "", send)
        except Malformed as malformed:
            status = 400 if malformed.at in ("entry", "") else 422
            await self.doorway.refuse(malformed, peer, send, status=status)
        except Refusal as other:
            await self.doorway.refuse(other, peer, send)
        finally:
            await self.doorway.run(form.abort)

    async def _refuse_signature(self, refusal: UntrustedSignature, file: str, send: Send) -> None:
        """422 with the report that says why."""
        self.doorway.metrics.refused("DOCSIG")
        report = refusal.report
        value = {
            "refused": told(refusal),
            "signature": report.as_json() if isinstance(report, SignatureReport) else None,
        }
        await answer_json(send, 422, value)
