"""What staging has to say to a facility about its file: stable codes, no values (section 2.3)."""

from typing import Any

from gateway.model.batch import Finding, Severity


def told(finding: Finding) -> dict[str, Any]:
    """A finding as a receipt tells it."""
    return {
        "code": finding.code, "severity": finding.severity.value, "at": finding.at,
        "text": finding.text, "japanese": finding.japanese,
    }  # fmt: skip


OF_STAGING = frozenset(
    {"category-not-shared", "category-withheld", "signature-verified", "signature-missing"}
)
"Findings that intake adds to those of the reading of a file that it keeps."
NO_CONSENT = Finding(
    code="no-consent", severity=Severity.ERROR,
    text="no consent and no custody contract: nothing was kept; send again after consent",
    japanese="同意もデータ保管業務委託契約もないため格納していません。同意後に再送してください",
)  # fmt: skip
MISMATCH = Finding(
    code="person-mismatch", severity=Severity.ERROR,
    text="the file names another person than this chart id: check the chart, then send again",
    japanese="カルテIDの登録内容と患者が一致しません。確認のうえ再送してください",
)  # fmt: skip
UNDECLARED = Finding(
    code="unknown-domain", severity=Severity.ERROR,
    text="the identifier domain is not declared: ask the operator to declare it",
    japanese="未登録のIDドメインです。事務局に登録を依頼してください",
)  # fmt: skip
FORM = Finding(
    code="patient-id-form", severity=Severity.ERROR,
    text="the chart id has not the form of its domain",
    japanese="カルテIDがドメインの形式に合いません",
)  # fmt: skip
NOT_OWNED = Finding(
    code="foreign-domain", severity=Severity.ERROR,
    text="the identifier domain is not this facility's",
    japanese="この施設のIDドメインではありません",
)  # fmt: skip
DELETE_UNKNOWN = Finding(
    code="delete-unknown", severity=Severity.NOTE,
    text="deletes what was never received: kept, so that it stays deleted if it comes later",
    japanese="未受信のデータの削除です。後から届いても削除済みとして扱います",
)  # fmt: skip
