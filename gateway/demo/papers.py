"""Two documents of the demo, as facilities really send them: a PDF and a CDA R2 document."""

import uuid
from datetime import datetime
from xml.sax.saxutils import escape, quoteattr

from conformance.messages import Person

_CDA = """<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
  <id root="{id}"/>
  <code code="34133-9" codeSystem="2.16.840.1.113883.6.1" displayName="診療経過要約"/>
  <title>診療経過要約</title>
  <effectiveTime value="{at}"/>
  <confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/>
  <languageCode code="ja-JP"/>
  <recordTarget><patientRole><id root={domain} extension={chart}/>
    <patient><name><family>{family}</family><given>{given}</given></name>
      <administrativeGenderCode code="{gender}" codeSystem="2.16.840.1.113883.5.1"/>
      <birthTime value="{birth}"/></patient></patientRole></recordTarget>
  <author><time value="{at}"/><assignedAuthor><id nullFlavor="NI"/>
    <assignedPerson><name><family>例示</family><given>医師</given></name></assignedPerson>
  </assignedAuthor></author>
  <custodian><assignedCustodian><representedCustodianOrganization>
    <id root={domain}/><name>例示診療所</name>
  </representedCustodianOrganization></assignedCustodian></custodian>
  <component><structuredBody><component><section>
    <title>経過</title><text>血圧は安定しており、処方を継続する。</text>
  </section></component></structuredBody></component>
</ClinicalDocument>
"""


def summary(person: Person, domain: str, chart: str, at: datetime) -> bytes:
    """A CDA R2 episode note of the clinic; not signed."""
    return _CDA.format(
        id=uuid.uuid4(), at=f"{at:%Y%m%d%H%M%S+0000}", domain=quoteattr(domain),
        chart=quoteattr(chart), family=escape(person.family), given=escape(person.given),
        gender=person.gender, birth=person.birth,
    ).encode()  # fmt: skip


def referral(person: Person, at: datetime) -> bytes:
    """A one-page PDF of a referral (診療情報提供書), to be signed by the doctor's card."""
    lines = (
        "診療情報提供書", f"{person.family} {person.given} 様",
        f"生年月日 {person.birth}", "傷病名 高血圧症", f"{at:%Y-%m-%d} 見本病院 見本 医師",
    )  # fmt: skip
    text = "BT /F1 14 Tf 72 760 Td 24 TL " + " ".join(
        f"<{line.encode('utf-16-be').hex()}> Tj T*" for line in lines
    )
    stream = f"{text} ET".encode()
    return _pdf(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type0 /BaseFont /HeiseiMin-W3 /Encoding /UniJIS-UCS2-H"
        b" /DescendantFonts [6 0 R] >>",
        b"<< /Type /Font /Subtype /CIDFontType0 /BaseFont /HeiseiMin-W3 /DW 1000"
        b" /CIDSystemInfo << /Registry (Adobe) /Ordering (Japan1) /Supplement 2 >>"
        b" /FontDescriptor 7 0 R >>",
        b"<< /Type /FontDescriptor /FontName /HeiseiMin-W3 /Flags 6 /FontBBox [-123 -257 1001 910]"
        b" /ItalicAngle 0 /Ascent 859 /Descent -140 /CapHeight 709 /StemV 80 >>",
    )


def _pdf(*objects: bytes) -> bytes:
    """A PDF 1.4 file of these objects, numbered from 1; the first is the catalog."""
    content = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places)
    count, start = len(objects) + 1, len(content)
    content += b"xref\n0 %d\n%strailer\n" % (count, table)
    return content + b"<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (count, start)
