"""Every finding a reader can make: its word, how bad it is, and what it says in two languages.

A finding never carries a value (`security.md` 2.3). An error means that somebody has to act before
the items can be used; a warning that something was lost or guessed; a note that it was seen.
"""

from collections.abc import Mapping
from functools import lru_cache

from gateway.errors import Refusal
from gateway.model.batch import Finding, Severity
from gateway.standardize.findings_documents import DOCUMENTS
from gateway.wire import hl7v2, japanese

_E, _W, _N = Severity.ERROR, Severity.WARNING, Severity.NOTE

CODES: Mapping[str, tuple[Severity, str, str]] = {
    # identity and order
    "pid-clash": (
        _E,
        "The patient number inside differs from the path's; correct the storage, or declare that "
        "the path is to be trusted.",
        "内容の患者番号がパスと異なります。格納を直すか、パスを正とする設定をしてください。",
    ),
    "order-clash": (
        _W,
        "The order number inside differs from the file name's; the one inside was used.",
        "内容のオーダ番号がファイル名と異なります。内容の番号を使いました。",
    ),
    "patient-without-number": (
        _W,
        "The file names a person without a number; link the number made for this description.",
        "患者番号がありません。記載から作った番号を紐づけてください。",
    ),
    "patient-entered": (_N, "Entered by the patient.", "患者等が入力したものです。"),
    "superseded": (
        _N,
        "An older version kept as history; the current record is not touched.",
        "履歴(旧版)です。現在の記録は変わりません。",
    ),
    "deleted": (_N, "The source deletes this.", "送信元で削除されました。"),
    # what was not taken over
    "not-yet-mapped": (
        _W,
        "Recognised and kept with its bytes, but not taken into the record.",
        "認識して原本を保管しましたが、記録には取り込んでいません。",
    ),
    "layout-unknown": (
        _W,
        "Not part of a known layout; kept with its bytes.",
        "既知の様式にありません。原本のまま保管しました。",
    ),
    "no-element": (
        _N,
        "JP Core has no element for this; kept with its bytes.",
        "JP Core に対応する要素がありません。原本のまま保管しました。",
    ),
    "not-a-segment": (
        _W,
        "A line that is no segment; kept with its bytes.",
        "セグメントではない行です。原本のまま保管しました。",
    ),
    "superseded-by-order": (
        _N,
        "Repeats what the order says; taken from the order.",
        "オーダの内容の再掲です。オーダから取り込みます。",
    ),
    "acknowledgement": (
        _N,
        "An answer to an order: repeats its numbers, adds nothing to the record.",
        "オーダへの応答です。番号の再掲のみで、記録には追加しません。",
    ),
    "empty-segment": (_N, "A segment without content.", "内容のないセグメントです。"),
    "end-missing": (
        _W,
        "The last line has no end: the file may be cut off. Compare it with the source.",
        "最後の行が終端されていません。途中で切れている可能性があります。送信元と照合してください。",
    ),
    "unmapped-field": (
        _N,
        "A field that is not taken over; the original is kept.",
        "取り込まない項目です。原本は保管しています。",
    ),
    "split-symbol": (
        _E,
        "One part of several; it is read together with the others once all of them are here.",
        "分割されたデータの一部です。すべて届いてから結合して読み取ります。",
    ),
    "split-symbol-clash": (
        _E,
        "Another content of a part that is here already; check which is right and send all again.",
        "既に届いた部分と内容が異なります。正しいものを確認し、すべて再送してください。",
    ),
    # codes and values
    "code-by-fewer-digits": (
        _W,
        "The master knows the code by its first digits only; name or related code are of those.",
        "マスターには先頭の桁だけが一致するコードがあり、名称等はそれによります。",
    ),
    "code-ended": (
        _N,
        "The master ended this code before the date of the item; the code is kept.",
        "項目の日付より前に廃止されたコードです。コードはそのまま保持しました。",
    ),
    "unmapped-code": (
        _W,
        "No standard code; kept as the facility's own code. Map it in the facility's table.",
        "標準コードがありません。施設コードのまま保持しました。対応表に追加してください。",
    ),
    "usage-not-read": (
        _N,
        "A usage code whose meaning is not published; kept as code and text.",
        "意味が公開されていない用法コードです。コードと文字のまま保持しました。",
    ),
    "usage-clash": (
        _W,
        "Usage code and text say different times; both kept, no times derived. Check the source.",
        "用法コードと用法名称の内容が異なります。両方を保持し、回数等は導出していません。",
    ),
    "unmapped-unit": (
        _N,
        "Unit kept as text: no standard code is known for it.",
        "単位の標準コードが不明なため、文字のまま保持しました。",
    ),
    "unmapped-flag": (_N, "Flag kept as text.", "判定フラグを文字のまま保持しました。"),
    "not-a-number": (
        _W,
        "Declared as a number but is not one; kept as text.",
        "数値型ですが数値ではありません。文字のまま保持しました。",
    ),
    "value-unclear": (
        _W,
        "A result that is read in two ways (`8.5↑`, `1:30`); kept as text.",
        "二通りに読める結果です（8.5↑、1:30 など）。文字のまま保持しました。",
    ),
    "bad-date": (
        _W,
        "Not a date that exists; left out. The original is kept.",
        "存在しない日付です。使用せず、原本を保管しました。",
    ),
    "era-overrun": (
        _W,
        "An era year after the era ended; counted on.",
        "元号の終わりを過ぎた年です。通算して換算しました。",
    ),
    "value-absent": (
        _W,
        "Required by JP Core and not given by the source; marked as absent.",
        "JP Core の必須項目が送信元にありません。欠損として記録しました。",
    ),
    "split-value": (
        _N,
        "One text held two results; each has its own item, by the published table.",
        "一つの結果文字列を公開対応表により二つの結果に分けました。",
    ),
    "payer-number": (
        _W,
        "The number of an insurer or payer has not eight digits or a wrong check digit; kept as it "
        "is. Compare it with the card.",
        "保険者番号・公費負担者番号の桁数か検証番号が正しくありません。そのまま保持しました。"
        "保険証等と照合してください。",
    ),
    "computed-quantity": (
        _N,
        "Quantity computed from dose and days or times.",
        "数量を用量と日数・回数から計算しました。",
    ),
    "invisible-character": (
        _W,
        "Invisible characters in a name; shown as their code points.",
        "氏名に不可視文字があります。コードポイントで表示しています。",
    ),
    "trimmed-blank": (
        _N,
        "Blanks around a code were left out.",
        "コードの前後の空白を除きました。",
    ),
    "version-unknown": (
        _W,
        "Version above the known ones; read as the newest known.",
        "未知の版です。既知の最新版として読みました。",
    ),
    "lost-character": (
        _W,
        "A character that the sender could not write (■, or ? in Japanese text); kept as sent.",
        "送信元で記録できなかった文字(■または?)があります。そのまま保管しました。",
    ),
    "record-order": (
        _W,
        "A record that stands twice, out of order, or apart from its RP or drug; check the sender.",
        "レコードが重複しているか、順序または対応するRP・薬品が正しくありません。",
    ),
    "dose-clash": (
        _W,
        "Doses of one drug do not agree with one another; all are kept as sent. Ask the sender.",
        "同じ薬品の用量の記載が一致しません。すべてそのまま保持しました。送信元に確認してください。",
    ),
    "signature-verified": (_N, "The signature is verified.", "署名を検証しました。"),
    "signature-unverifiable": (
        _W,
        "The signature cannot be verified now; the file waits and is verified again every hour.",
        "署名を今は検証できません。ファイルを保留し、1時間ごとに再検証します。",
    ),
    "signature-missing": (
        _W,
        "There is no signature; the content is not assured by anybody.",
        "署名がありません。内容は誰にも保証されていません。",
    ),
    "outside-signature": (
        _N,
        "Stands beside what is signed; kept and not taken into the record.",
        "署名の対象外の情報です。保管のみ行い、記録には取り込んでいません。",
    ),
    # structure, HL7 table 0357
    "segment-order": (_W, "Segment missing or out of order.", "セグメントの欠落または順序違い。"),
    "field-missing": (_W, "Required field missing.", "必須項目がありません。"),
    "field-type": (_W, "Value is not of the field's type.", "値が項目の型に合いません。"),
    "field-table": (_W, "Value is not in the field's table.", "値が項目の表にありません。"),
    # bytes and text
    japanese.ENCODING_DETECTED: (
        _W,
        "Character set found by the bytes, not declared so.",
        "文字コードは宣言ではなく内容から判定しました。",
    ),
    japanese.NONSTANDARD_ESCAPE: (
        _W,
        "Escape sequences outside the standard; read nevertheless.",
        "規格外のエスケープシーケンスを読み取りました。",
    ),
    japanese.VENDOR_CHARACTER: (
        _N,
        "Vendor's extension characters; kept.",
        "機種依存文字を保持しました。",
    ),
    japanese.USER_CHARACTER: (
        _W,
        "User-defined characters; kept as private characters.",
        "外字を私用領域の文字として保持しました。",
    ),
    hl7v2.LINE_TERMINATOR: (
        _N,
        "Segments end with LF instead of CR.",
        "セグメントの終端が CR ではなく LF です。",
    ),
    hl7v2.YEN_ESCAPE: (
        _N,
        "A yen sign stands for the escape character.",
        "エスケープ文字が円記号になっています。",
    ),
    # rows of CSV and fixed records
    "csv-quoting": (
        _E,
        "Broken quoting: a quote inside a cell must be doubled and the cell quoted.",
        "引用符が正しくありません。セル内の引用符は二重にして全体を引用符で囲んでください。",
    ),
    "bad-characters": (
        _E,
        "Characters that are not of the mapping's encoding, or control characters.",
        "対応表の文字コードにない文字か、制御文字があります。",
    ),
    "row-too-long": (_E, "Row or cell longer than the limit.", "行またはセルが長すぎます。"),
    "row-shape": (
        _E,
        "Another number of cells than the header has; correct the row.",
        "列数が見出しと異なります。行を直してください。",
    ),
    "exponent-number": (
        _E,
        "A number in exponent form: a spreadsheet lost its digits. Export the column as text.",
        "指数表記の番号です。表計算ソフトで桁が失われています。文字列として出力してください。",
    ),
    "id-not-plain": (
        _E,
        "A patient number with full-width, invisible or unsafe characters; correct it.",
        "患者番号に全角文字や使用できない文字があります。直してください。",
    ),
    "person-clash": (
        _E,
        "Another birth date or sex under the same patient number; the row is held.",
        "同じ患者番号で生年月日または性別が異なります。行を保留しました。",
    ),
    "empty-row": (_N, "A row without content.", "内容のない行です。"),
    "value-in-comment": (
        _N,
        "The value was read from the comment fields: it was wider than its own.",
        "値が桁あふれのためコメント欄から読み取りました。",
    ),
    "id-may-be-cut": (
        _W,
        "The chart id fills its ten positions and may be cut off; link it with care.",
        "患者番号が10桁を満たしており、切れている可能性があります。確認してください。",
    ),
    "cut-character": (
        _N,
        "A two-byte character was cut at the end of its field; the half was left out.",
        "項目の末尾で文字が途切れていたため、その半分を除きました。",
    ),
    # claims
    "billing-only": (
        _N,
        "Points, amounts, shares and fees are billing and not part of the record; kept.",
        "点数・金額・負担区分などの請求項目は記録に取り込まず、原本を保管しました。",
    ),
    "name-not-loaded": (
        _N,
        "Codes without a name: load the published masters (gateway codes load).",
        "名称のないコードがあります。マスターを読み込んでください(gateway codes load)。",
    ),
    "unit-not-stated": (
        _N,
        "Claims give this amount without a unit; that of a drug is in the drug master.",
        "レセプトの数量に単位がありません。薬剤の単位は医薬品マスターにあります。",
    ),
    "zeros-restored": (
        _W,
        "A code had lost its leading zeros; they were put back. Do not save claims in a "
        "spreadsheet.",
        "コードの先頭の0を補いました。レセプトを表計算ソフトで保存しないでください。",
    ),
    "month-order": (
        _W,
        "A date after the month that it belongs to; check it.",
        "診療年月や請求年月より後の日付です。確認してください。",
    ),
    "institution-differs": (
        _W,
        "The institution code differs from that of the sender's chart id domain; check it.",
        "医療機関コードが送信施設のものと異なります。確認してください。",
    ),
    "other-person": (
        _W,
        "About the donor of an organ, who is somebody else; kept, not taken over.",
        "臓器提供者(別人)の情報です。取り込まず、原本を保管しました。",
    ),
    "row-order": (
        _W,
        "A record without the one it belongs to before it; kept.",
        "対応する前のレコードがありません。原本を保管しました。",
    ),
    "totals-not-checked": (
        _N,
        "One volume of several, or no counts: completeness could not be checked.",
        "分割ファイルまたは件数の記載がなく、欠けの有無を確認できませんでした。",
    ),
    "no-receipt": (_W, "A claim file without any receipt.", "レセプトのない請求ファイルです。"),
    **DOCUMENTS,
    # archives and folders
    "unsafe-name": (
        _E,
        "A name that is no plain relative path; rename it and send it again.",
        "安全な相対パスではない名前です。名前を直して送り直してください。",
    ),
    "link-or-device": (
        _E,
        "A link or a device instead of a file; send the file itself.",
        "ファイルではなくリンクまたはデバイスです。実体を送ってください。",
    ),
    "nested-archive": (
        _E,
        "An archive inside an archive; send its files in one archive.",
        "書庫の中に書庫があります。一つの書庫にまとめてください。",
    ),
    "encrypted": (
        _E,
        "Encrypted; send it without a password, the connection is protected.",
        "暗号化されています。通信路は保護されているので、パスワードなしで送ってください。",
    ),
    "compression-unknown": (
        _E,
        "Compressed in an unusual way; use the common one (deflate).",
        "対応していない圧縮方式です。標準の方式(deflate)を使ってください。",
    ),
    "too-large": (_E, "Larger than the limit.", "上限を超える大きさです。"),
}
"Finding code to severity, English and Japanese."

PROBLEMS = {"100": "segment-order", "101": "field-missing", "102": "field-type"}
PROBLEMS |= {"103": "field-table"}
"HL7 table 0357 code of a structural problem to its finding."


@lru_cache(maxsize=4096)
def finding(code: str, at: str = "") -> Finding:
    """The finding of that code at a place."""
    severity, english, text = CODES[code]
    return Finding(code=code, severity=severity, at=at, text=english, japanese=text)


def refused(refusal: Refusal) -> Finding:
    """A refusal of a whole file, as its finding."""
    return Finding(
        code=refusal.code,
        severity=Severity.ERROR,
        at=refusal.at,
        text=refusal.english,
        japanese=refusal.japanese,
    )
