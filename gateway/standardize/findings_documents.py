"""Findings about FHIR from outside, documents and indexes; `findings.py` says what a finding is."""

from collections.abc import Mapping

from gateway.model.batch import Severity

_E, _W, _N = Severity.ERROR, Severity.WARNING, Severity.NOTE

DOCUMENTS: Mapping[str, tuple[Severity, str, str]] = {
    # FHIR from outside
    "not-fhir": (
        _E,
        "Not FHIR R4, or with a modifier that changes its meaning; left out. Correct it and send "
        "it again.",
        "FHIR R4 でないか、意味を変える修飾があります。取り込まず。修正後に再送してください。",
    ),
    "profile-wrong": (
        _W,
        "Claims a profile of another kind of resource; the claim was left out.",
        "別の種類のリソースのプロファイルを宣言しています。宣言を除きました。",
    ),
    "entry-repeated": (
        _N,
        "The same resource stands in the file again; taken once.",
        "同じリソースが重複しています。一度だけ取り込みました。",
    ),
    "number-repeated": (
        _W,
        "Several resources of the file have one number, and only their order tells them apart. "
        "Number each by itself.",
        "複数のリソースが同じ番号です。順序でしか区別できません。一件ごとに番号を付けてください。",
    ),
    "no-subject": (
        _E,
        "A statement that names no patient; left out. Add its subject and send it again.",
        "患者への参照がありません。取り込んでいません。subject を付けて再送してください。",
    ),
    "support-alone": (
        _N,
        "Nothing taken over refers to it; kept with its bytes.",
        "取り込んだ情報から参照されていません。原本のまま保管しました。",
    ),
    "in-document-only": (
        _N,
        "Part of the document that is filed as it came; no statement of its own.",
        "文書の一部として登録しました。単独の情報としては取り込んでいません。",
    ),
    "reference-unresolved": (
        _W,
        "A reference leads out of the file; kept as a name. Send what it means in the same Bundle.",
        "ファイル外への参照です。名称として残しました。参照先も同じ Bundle で送ってください。",
    ),
    "request-not-followed": (
        _W,
        "A request to delete, patch or read is not followed; take a statement back by its status "
        "entered-in-error.",
        "削除・部分更新・読取の要求には従いません。取消は entered-in-error で送ってください。",
    ),
    "system-renamed": (
        _N,
        "Systems or extensions of an older release were given the names of JP Core 1.2.0.",
        "旧版の体系名・拡張名を JP Core 1.2.0 の名称に置き換えました。",
    ),
    "narrative-left-out": (
        _W,
        "The narrative has content that would act; the narrative was left out.",
        "説明文(narrative)に動作する内容があるため、説明文を除きました。",
    ),
    "patient-uninformed": (
        _W,
        "The sender says that the patient has not been told; the tag is kept.",
        "患者に未告知・未提供とされた情報です。タグを保持しました。",
    ),
    "clins-missing": (
        _W,
        "Less than the national sharing service (JP-CLINS) demands; taken over as it is.",
        "電子カルテ情報共有サービス(JP-CLINS)の必須項目を満たしません。そのまま取り込みました。",
    ),
    "bundle-signature": (
        _W,
        "A signature inside of FHIR, which cannot be verified here: the file is set aside. Send it "
        "without that, or signed as a whole as CMS (.p7m).",
        "FHIR 内の署名は検証できないため保留しました。署名を除くか、"
        "全体をCMS(.p7m)で署名して再送してください。",
    ),
    # storages
    "index-not-kept": (
        _N,
        "An index names many people and says nothing that its files do not: its bytes are not "
        "kept. It need not be sent.",
        "索引には多数の患者の番号が含まれ、各ファイル以上の情報がないため、保管しません。送信不要です。",
    ),
    # documents
    "patient-not-stated": (
        _E,
        "A document, and nothing says whose; send it again with its chart id in `patient`.",
        "文書の患者がわかりません。patient にカルテIDを指定して送り直してください。",
    ),
    "unsigned-document": (
        _N,
        "A document without a signature; it is filed and marked as without assurance.",
        "電子署名のない文書です。真正性の保証なしとして登録しました。",
    ),
    "active-content": (
        _W,
        "A document with content that would act; it is kept as it is and only given for download.",
        "動作する内容を含む文書です。そのまま保管し、ダウンロードのみとします。",
    ),
}
"Finding code to severity, English and Japanese."
