"""The log-in page: forms alone, no script and no style, in Japanese and English (K-06, CRD-10)."""

from collections.abc import Iterable, Sequence
from html import escape

from gateway.members.sessions import Session

_HEAD = """<!doctype html>
<html lang="ja">
<head><meta charset="utf-8"><title>ログイン / Log in</title></head>
<body>
<h1>ログイン <span lang="en">/ Log in</span></h1>
"""
_FOOT = "</body>\n</html>\n"
_CARD = """<form method="post" action="/login" autocomplete="off">
<p>カードをリーダーに入れてください <span lang="en">/ Put your card into the reader</span></p>
<button>カードでログイン / Log in by card</button>
</form>
"""
_TYPED = """<form method="post" action="/login" autocomplete="off">
<p><label>利用者ID / User id
<input name="user" autocomplete="off" autocapitalize="none" spellcheck="false" required></label></p>
<p><label>パスワード / Password
<input name="password" type="password" autocomplete="off" required></label></p>
<button>ログイン / Log in</button>
</form>
<h2>パスワードの変更 <span lang="en">/ Change the password</span></h2>
<form method="post" action="/password" autocomplete="off">
<p><label>利用者ID / User id
<input name="user" autocomplete="off" autocapitalize="none" spellcheck="false" required></label></p>
<p><label>現在のパスワード / Present password
<input name="password" type="password" autocomplete="off" required></label></p>
<p><label>新しいパスワード / New password
<input name="new" type="password" autocomplete="off" required></label></p>
<button>変更 / Change</button>
</form>
"""


def policy(origins: Iterable[str]) -> str:
    """The Content-Security-Policy of a page; forms may lead to `origins`, where log-in goes on."""
    targets = " ".join(("'self'", *sorted(origins)))
    return f"default-src 'none'; form-action {targets}; base-uri 'none'; frame-ancestors 'none'"


def log_in(ways: Sequence[str], clients: Iterable[str], message: Sequence[str] = ()) -> bytes:
    """The page with a form for each way; `message` is said first, in Japanese and in English."""
    parts = [_HEAD]
    if message:
        lines = "<br>".join(escape(line) for line in message)
        parts.append(f'<p role="alert">{lines}</p>\n')
    if "card" in ways:
        parts.append(_CARD)
    if "oidc" in ways:
        parts.extend(_provider(client) for client in clients)
    if "password" in ways:
        parts.append(_TYPED)
    if not ways:
        parts.append("<p>ログイン方法が設定されていません / No way to log in is configured</p>\n")
    return "".join((*parts, _FOOT)).encode()


def logged_in(session: Session, token: str) -> bytes:
    """The page that says who is logged in, with the way out."""
    who = escape(f"{session.user} ({session.caller.facility})")
    form = (
        '<form method="post" action="/logout">\n'
        f'<input type="hidden" name="csrf" value="{escape(token)}">\n'
        "<button>ログアウト / Log out</button>\n</form>\n"
    )
    said = f"<p>ログインしました: {who}<br>Logged in: {who}</p>\n"
    return "".join((_HEAD, said, form, _FOOT)).encode()


def _provider(client: str) -> str:
    name = escape(client)
    return (
        '<form method="post" action="/login/oidc">\n'
        f'<input type="hidden" name="client" value="{name}">\n'
        f"<button>認証サービスでログイン / Log in at the log-in service ({name})</button>\n"
        "</form>\n"
    )
