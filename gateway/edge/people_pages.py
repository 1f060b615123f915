"""The log-in page: forms alone, no script and no style, in Japanese and English (K-06, CRD-10)."""

from collections.abc import Iterable, Sequence
from html import escape

from gateway.edge.password_logins import HandedOver
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
<p><label>新しい利用者ID(仮IDの場合のみ) / New user id (in the place of a temporary one only)
<input name="new_user" autocomplete="off" autocapitalize="none" spellcheck="false"></label></p>
<button>変更 / Change</button>
</form>
"""
_HANDING = """<h2>パスワードの引き渡し <span lang="en">/ Hand a password over</span></h2>
<form method="post" action="/handover" autocomplete="off">
<input type="hidden" name="csrf" value="{token}">
<p><label>引き渡しコード / Code
<input name="code" autocomplete="off" autocapitalize="none" spellcheck="false" required></label></p>
<button>表示(一度のみ) / Show (once)</button>
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


def logged_in(session: Session, token: str, *, hands_over: bool = False) -> bytes:
    """The page that says who is logged in, with the way out.

    Where it `hands_over` passwords, with a form for the code of one.
    """
    who = escape(f"{session.user} ({session.caller.facility})")
    form = (
        '<form method="post" action="/logout">\n'
        f'<input type="hidden" name="csrf" value="{escape(token)}">\n'
        "<button>ログアウト / Log out</button>\n</form>\n"
    )
    said = f"<p>ログインしました: {who}<br>Logged in: {who}</p>\n"
    handing = _HANDING.format(token=escape(token)) if hands_over else ""
    return "".join((_HEAD, said, handing, form, _FOOT)).encode()


def handed_over(found: HandedOver) -> bytes:
    """The page that shows a temporary password, this once."""
    said = (
        "<p>この画面は一度しか表示されません。本人に引き渡してください"
        ' <span lang="en">/ Shown once: hand it over now</span></p>\n'
        f"<p>利用者ID / User id: <code>{escape(found.issued.login_id)}</code></p>\n"
        f"<p>仮パスワード / Temporary password: <code>{escape(found.temporary)}</code></p>\n"
    )
    return "".join((_HEAD, said, _FOOT)).encode()


def _provider(client: str) -> str:
    name = escape(client)
    return (
        '<form method="post" action="/login/oidc">\n'
        f'<input type="hidden" name="client" value="{name}">\n'
        f"<button>認証サービスでログイン / Log in at the log-in service ({name})</button>\n"
        "</form>\n"
    )
