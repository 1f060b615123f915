"""The WSDLs: every endpoint, every operation, nothing fetched."""

import pytest
from lxml import etree

from gateway.wire import wsdl

WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
ACTION = "{http://www.w3.org/2006/05/addressing/wsdl}Action"
XS = "{http://www.w3.org/2001/XMLSchema}"
ENDPOINTS = (
    "/pix", "/pix/consumer", "/pdq", "/xcpd", "/xca/query", "/xca/retrieve", "/registry",
    "/repository", "/uploads/soap",
)  # fmt: skip


def test_every_endpoint_has_one() -> None:
    assert tuple(wsdl.SERVICES) == ENDPOINTS
    with pytest.raises(KeyError):
        wsdl.wsdl("/uploads", "https://localhost/uploads")


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_each_is_whole_in_itself(endpoint: str) -> None:
    address = f"https://gateway.example.jp:8443{endpoint}?a=1&b=2"
    root = etree.fromstring(wsdl.wsdl(endpoint, address))
    assert root.find(f"{WSDL}service//{{*}}address").get("location") == address
    assert not list(root.iter(f"{XS}import", f"{XS}include", f"{WSDL}import"))
    declared = {
        f"{{{schema.get('targetNamespace')}}}{element.get('name')}"
        for schema in root.iter(f"{XS}schema")
        for element in schema.iter(f"{XS}element")
    }
    for schema in root.iter(f"{XS}schema"):
        etree.XMLSchema(schema)
    used = set()
    for part in root.iter(f"{WSDL}part"):
        prefix, _, name = part.get("element").partition(":")
        used.add(f"{{{part.nsmap[prefix]}}}{name}")
    assert used == declared
    messages = {message.get("name") for message in root.iter(f"{WSDL}message")}
    for operation in root.iter(f"{WSDL}operation"):
        for direction in operation.iter(f"{WSDL}input", f"{WSDL}output"):
            named = direction.get("message")
            assert named is None or named.partition(":")[2] in messages
