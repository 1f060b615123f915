"""The room's table, and the WSDLs that say the same."""

from lxml import etree

from gateway.pix import TRANSACTIONS
from gateway.transaction import index
from gateway.wire import wsdl
from tests.pix.messages import SCHEMAS
from tests.shared import needs_shared

WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
ACTION = "{http://www.w3.org/2006/05/addressing/wsdl}Action"


def test_no_two_rows_answer_one_action() -> None:
    table = index(TRANSACTIONS)
    assert len(table) == 3 + 1 + 1 + 1
    for row in TRANSACTIONS:
        assert row.roots.keys() == row.actions.keys()
        assert set(row.roots.values()) == set(row.request_schemas)
        assert set(row.actions.values()) == set(row.response_schema)


@needs_shared
def test_their_schemas_are_there() -> None:
    assert SCHEMAS is not None
    for row in TRANSACTIONS:
        SCHEMAS.load((*row.request_schemas.values(), *row.response_schema.values()))


def test_the_actions_are_those_of_the_transactions() -> None:
    for transaction in TRANSACTIONS:
        root = etree.fromstring(wsdl.wsdl(transaction.endpoint, "https://localhost/"))
        said = {
            operation.find(f"{WSDL}input").get(ACTION): operation.find(f"{WSDL}output").get(ACTION)
            for operation in root.iterfind(f"{WSDL}portType/{WSDL}operation")
        }
        for action, answer in transaction.actions.items():
            if ":Deferred:" not in action:  # an option that is not offered
                assert said[action] == answer
