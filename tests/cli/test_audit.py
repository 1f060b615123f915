"""`gateway audit …`: the chain, who saw whom, and that nothing is shared without consent."""

from sqlalchemy import create_engine, text

from tests.served import Installation


def change(installation: Installation, statement: str, **given: object) -> None:
    engine = create_engine(installation.database)
    with engine.begin() as db:
        db.execute(text(statement), given)
    engine.dispose()


def test_nothing_is_shared_without_consent(installation: Installation) -> None:
    assert installation.command("audit", "consistency") == {"findings": []}


def test_what_is_shared_without_consent_is_found(installation: Installation) -> None:
    """A link that was torn by force: the chart's data are shared and nobody consents (AUD-05)."""
    chart = {"domain": "2.999.30.1", "value": "0000100001"}
    change(
        installation,
        "UPDATE identifier SET person = 'nobody' WHERE domain = :domain AND value = :value",
        **chart,
    )
    (found,) = installation.command("audit", "consistency", exit_code=1)["findings"]
    assert found["patients"] == [chart]
    assert found["items"] > 0
    assert found["documents"] > 0


def test_the_chain_is_verified(installation: Installation) -> None:
    found = installation.command("audit", "verify")
    assert found["good"] is True
