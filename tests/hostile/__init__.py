"""What others send that is not as it should be, to a real gateway over TLS (`security.md`)."""

import pytest

pytest.register_assert_rewrite("tests.hostile.site", "tests.hostile.forms", "tests.hostile.xua")
