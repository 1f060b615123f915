"""Names from outside: which are plain relative paths, and which are refused (`security.md` E-06).

A name is data and never becomes a path of ours; but it is also what people see and what says whose
file it is, so one that could be read as something else is refused rather than cleaned.
"""

import re
import unicodedata

from gateway.errors import Malformed
from gateway.wire import memo

LONGEST = 512
"Bytes of a name in UTF-8."

_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    r"\ufff0-\uffff\ud800-\udfff]|[\U000e0000-\U000e007f]"
)
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_DRIVE = re.compile(r"[A-Za-z]:")


def safe_path(text: str) -> str:
    """The same name, or `Malformed`: relative, `/` between parts, nothing that climbs or hides.

    Percent signs stay as they are and are never decoded. A part that compatibility folding (NFKC)
    would turn into a separator or dots is refused, because somebody downstream may fold it.
    """
    if not text or len(text.encode("utf-8", "surrogatepass")) > LONGEST:
        raise _refusal("empty or too long")
    if _UNSEEN.search(text) or "\\" in text or text.startswith("/") or _DRIVE.match(text):
        raise _refusal("not a plain relative path")
    for part in text.split("/"):
        folded = unicodedata.normalize("NFKC", part)
        if not part.strip() or part != part.strip() or part.endswith("."):
            raise _refusal("a part is empty, or blanks or dots surround it")
        if set(folded) <= {"."} or "/" in folded or "\\" in folded or _DEVICES.fullmatch(folded):
            raise _refusal("a part is no plain name")
    return text


@memo.by_text(256)
def safe_identifier(text: str) -> str:
    """The same identifier, or `Malformed`: one part of a safe path, though it is never used as one.

    SS-MIX2 makes folders of patient numbers, so one that could not be a folder is an attack or a
    mistake, wherever it stands.
    """
    if text.isascii() and text.isdigit() and len(text) <= LONGEST:
        return text
    if "/" in safe_path(text):
        raise _refusal("an identifier is one part")
    return text


def _refusal(reason: str) -> Malformed:
    return Malformed(
        f"unsafe name: {reason}", "名前が安全な相対パスではありません", at="path", rule="E-06",
        log="PATH",
    )  # fmt: skip
