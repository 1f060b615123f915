"""Questions to parsed XML and templates: exact, and never less escaped than needed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway.errors import Malformed
from gateway.wire import xml
from gateway.wire.xml import Fragment, Template

HL7 = 'xmlns="urn:hl7-org:v3"'


def test_one_wants_exactly_one() -> None:
    root = xml.parse(f"<a {HL7}><b><c x='1'/></b><d/><d/></a>".encode())
    assert xml.one(root, "hl7:b/hl7:c").get("x") == "1"
    for path, word in (("hl7:e", "missing"), ("hl7:d", "more than once")):
        with pytest.raises(Malformed, match=word) as caught:
            xml.one(root, path)
        assert caught.value.at == path
    assert xml.maybe(root, "hl7:e") is None
    with pytest.raises(Malformed):
        xml.maybe(root, "hl7:d")
    assert len(xml.many(root, "hl7:d")) == 2


def test_attribute_names_what_is_missing() -> None:
    root = xml.parse(b'<id root="1.2"/>')
    assert xml.attribute(root, "root") == "1.2"
    with pytest.raises(Malformed) as caught:
        xml.attribute(root, "extension")
    assert caught.value.at == "id/@extension"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"<a>one<!-- x -->two</a>", id="a comment"),
        pytest.param(b"<a><b/></a>", id="a child"),
        pytest.param(b"<a>one<b/>two</a>", id="mixed"),
    ],
)
def test_an_identifier_is_plain_text(content: bytes) -> None:
    """A-07: what stands before a comment is not the value."""
    with pytest.raises(Malformed) as caught:
        xml.text(xml.parse(content))
    assert caught.value.log == "XML-MIXED"


def test_text_is_exact_and_whole_text_is_whole() -> None:
    assert xml.text(xml.parse(b"<a> x <![CDATA[<y>]]> </a>")) == " x <y> "
    assert xml.text(xml.parse(b"<a/>")) == ""
    mixed = xml.parse("<a>山<!-- no -->田<b>太<!-- no -->郎</b>！</a>".encode())
    assert xml.whole_text(mixed) == "山田太郎！"


def test_location_counts_from_one_and_starts_at_the_payload() -> None:
    soap = f'xmlns:e="{xml.NAMESPACES["env"]}"'
    root = xml.parse(
        f"<e:Envelope {soap}><e:Body><q><v/><w/><v/></q></e:Body></e:Envelope>".encode()
    )
    places = [xml.location(element) for element in root.iter("q", "v", "w")]
    assert places == ["/q", "/q/v[1]", "/q/w", "/q/v[2]"]


def test_fragment_is_verbatim_with_its_namespaces() -> None:
    root = xml.parse(
        f'<x xmlns:h="urn:hl7-org:v3" {HL7}><h:q a="&lt;&#10;"><!-- c -->t</h:q>tail</x>'.encode()
    )
    copied = xml.fragment(root[0])
    again = etree.fromstring(copied)
    assert again.tag == "{urn:hl7-org:v3}q"
    assert again.get("a") == "<\n"
    assert "<!-- c -->t" in copied
    assert "tail" not in copied
    assert xml.serialize(root[0]).decode() == copied


def test_a_template_joins_its_lines() -> None:
    template = Template(
        """<a x="1"
             y="{y}">
             <b>{text}</b>
           {rest}
         </a>"""
    )
    assert template.fill(y="2", text="t", rest=xml.EMPTY) == '<a x="1" y="2"><b>t</b></a>'


def test_a_template_keeps_percent_signs() -> None:
    assert Template("<a>100% {x}</a>").fill(x="%s") == "<a>100% %s</a>"


def test_a_template_wants_its_names() -> None:
    template = Template("<a>{x}</a>")
    for values in ({}, {"y": "1"}, {"x": "1", "y": "1"}):
        with pytest.raises(KeyError):
            template.fill(**values)


def test_only_this_modules_own_xml_stays_as_it_is() -> None:
    inner = Template("<b>{x}</b>").fill(x="<&>")
    assert inner == "<b>&lt;&amp;&gt;</b>"
    assert Template("<a>{x}</a>").fill(x=inner) == f"<a>{inner}</a>"
    assert Template("<a>{x}</a>").fill(x=str(inner)) != f"<a>{inner}</a>"
    assert xml.join([inner, inner]) == inner + inner


ODD = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs", "Cc", "Co")))


@given(ODD)
def test_what_goes_in_comes_out(value: str) -> None:
    made = Template('<a x="{v}">{v}</a>').fill(v=value)
    root = etree.fromstring(made.encode())
    expected = xml._ILLEGAL.sub("\ufffd", value)
    assert root.get("x") == expected
    assert (root.text or "") == expected


@pytest.mark.parametrize("value", ["\x00", "\x0b", "\ufffe", "\ud800"])
def test_characters_that_xml_cannot_carry_are_marked(value: str) -> None:
    assert xml.escape(f"a{value}b") == "a\ufffdb"


def test_fragment_is_a_plain_string_for_readers() -> None:
    assert isinstance(Template("<a/>").fill(), Fragment)
