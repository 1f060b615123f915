"""The people door in OpenAPI 3.1, as `/admin/openapi.json` answers it."""

from typing import Any

_SESSION = {
    "type": "object",
    "properties": {
        "user": {"type": "string"},
        "facility": {"type": "string"},
        "position": {"type": "string"},
        "assurance": {"type": "string", "enum": ["hpki", "password"]},
        "roles": {"type": "array", "items": {"type": "string"}},
        "began": {"type": "string", "format": "date-time"},
        "ends": {"type": "string", "format": "date-time"},
        "csrf": {"type": "string", "description": "Send it as X-CSRF-Token with every change."},
    },
}
_HANDED_OVER = {
    "type": "object",
    "properties": {
        "user": {"type": "string"},
        "login_id": {"type": "string"},
        "temporary": {"type": "string"},
        "ends": {"type": "string", "format": "date-time"},
    },
}
_NOT_LOGGED_IN = {"description": "Not logged in."}


def _answer(about: str, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    content = {} if schema is None else {"content": {"application/json": {"schema": schema}}}
    return {"description": about, **content}


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


_PURPOSE = {
    "name": "purpose",
    "in": "query",
    "description": "What it is for; saving and printing are refused as the network says (HND-01).",
    "schema": {"type": "string", "enum": ["view", "save", "print"], "default": "view"},
}
_PROHIBITED = {"description": "Not to be saved or printed here (HND-01, HND-02)."}


def _typed(*names: str, required: bool) -> dict[str, Any]:
    """A body of short texts, as JSON or as a form."""
    schema = {
        "type": "object",
        "properties": {name: {"type": "string"} for name in names},
        "additionalProperties": False,
    }
    kinds = ("application/json", "application/x-www-form-urlencoded")
    return {"required": required, "content": {kind: {"schema": schema} for kind in kinds}}


OPENAPI: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Regional gateway: people", "version": "1"},
    "components": {
        "securitySchemes": {
            "card": {"type": "mutualTLS", "description": "A doctor's card (HPKI, SIG-03)."},
            "session": {"type": "apiKey", "in": "cookie", "name": "__Host-session"},
        }
    },
    "paths": {
        "/login": {
            "get": {
                "summary": "Ways to log in here, and whether this connection shows a card.",
                "responses": {"200": _answer("The ways.")},
            },
            "post": {
                "summary": "Log in by id and password, or by the card of this connection.",
                "security": [{"card": []}, {}],
                "requestBody": _typed("user", "password", required=False),
                "responses": {
                    "200": _answer("Logged in; the cookie is set.", _SESSION),
                    "401": _answer(
                        "Wrong, or no card that holds; `password-change`: change it first."
                    ),
                    "403": _answer("The card is nobody's here, or not the named user's (SIG-04)."),
                    "429": _answer("Too often."),
                },
            },
        },
        "/login/oidc": {
            "post": {
                "summary": "Be sent to the OpenID provider to log in, where one is configured.",
                "requestBody": _typed("client", required=False),
                "responses": {
                    "303": _answer("To the provider; a cookie of this attempt is set."),
                    "403": _answer("From a page of others (K-05)."),
                    "429": _answer("Too often."),
                    "503": _answer("The provider does not answer."),
                },
            }
        },
        "/login/oidc/callback": {
            "get": {
                "summary": "The way back from the provider: once, in the browser that was sent.",
                "parameters": [
                    {"name": name, "in": "query", "schema": {"type": "string"}}
                    for name in ("code", "state", "iss", "error")
                ],
                "responses": {
                    "200": _answer("Logged in; the cookie is set.", _SESSION),
                    "401": _answer("The answer does not hold: `field` names the check."),
                    "403": _answer("The account is nobody's here (SIG-04)."),
                    "429": _answer("Too often."),
                    "503": _answer("The provider does not answer."),
                },
            }
        },
        "/password": {
            "post": {
                "summary": "Choose a password in the place of the present one; logs nobody in.",
                "description": "new_user: an id in the place of a temporary one (CRD-05).",
                "requestBody": _typed("user", "password", "new", "new_user", required=True),
                "responses": {
                    "204": _answer("Changed; whoever was logged in as this user is out."),
                    "401": _answer("Id or password is wrong."),
                    "422": _answer("It may not be chosen (CRD-03, CRD-10)."),
                    "429": _answer("Too often."),
                },
            }
        },
        "/handover": {
            "post": {
                "summary": "What a manager hands over to a user, shown this once (CRD-07).",
                "security": [{"session": []}],
                "requestBody": _typed("code", "csrf", required=True),
                "responses": {
                    "200": _answer("The id and the temporary password.", _HANDED_OVER),
                    "401": _NOT_LOGGED_IN,
                    "403": _answer("No token (K-05)."),
                    "404": _answer("No such code, or another manager's."),
                    "410": _answer("Shown already, or its time is over."),
                },
            }
        },
        "/logout": {
            "post": {
                "summary": "End the session at the server.",
                "security": [{"session": []}],
                "responses": {"204": _answer("Ended."), "403": _answer("No token (K-05).")},
            }
        },
        "/session": {
            "get": {
                "summary": "Who is logged in.",
                "security": [{"session": []}],
                "responses": {"200": _answer("Who.", _SESSION), "401": _NOT_LOGGED_IN},
            }
        },
        "/records/{shared_id}": {
            "get": {
                "summary": "The shared record of one person, as this user may see it.",
                "security": [{"session": []}],
                "parameters": [_in_path("shared_id"), _PURPOSE],
                "responses": {
                    "200": _answer("Items and documents."),
                    "401": _NOT_LOGGED_IN,
                    "403": _PROHIBITED,
                },
            }
        },
        "/records/{shared_id}/documents/{unique_id}": {
            "get": {
                "summary": "One document of it, as it was filed.",
                "security": [{"session": []}],
                "parameters": [_in_path("shared_id"), _in_path("unique_id"), _PURPOSE],
                "responses": {
                    "200": {"description": "The bytes.", "content": {"*/*": {}}},
                    "401": _NOT_LOGGED_IN,
                    "403": _PROHIBITED,
                    "404": _answer("Not there, or not to be seen."),
                },
            }
        },
        "/records/{shared_id}/documents/{unique_id}/fhir": {
            "get": {
                "summary": "Its DocumentReference, and the Provenance with its signatures (R4).",
                "security": [{"session": []}],
                "parameters": [_in_path("shared_id"), _in_path("unique_id")],
                "responses": {
                    "200": {
                        "description": "A Bundle.",
                        "content": {"application/fhir+json": {"schema": {"type": "object"}}},
                    },
                    "401": _NOT_LOGGED_IN,
                    "404": _answer("Not there, or not to be seen."),
                },
            }
        },
        "/admin/openapi.json": {
            "get": {
                "summary": "This document.",
                "responses": {"200": _answer("OpenAPI 3.1.")},
            }
        },
    },
}
