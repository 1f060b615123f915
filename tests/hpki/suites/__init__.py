"""The published suites of signatures, run as they are: suite × cases × passed × explained.

`python -m tests.hpki.suites --write docs/signature-suites.md` writes the table; a test keeps it
true. What differs from a suite's own expectation is explained by a row of the table under
"Signature suites" in `conformance/divergences.md`, and by nothing else.
"""
