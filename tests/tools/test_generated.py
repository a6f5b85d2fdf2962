"""What the documentation says of the code is what the code says."""

import pytest

from tools.docs.generate import PAGES, renewed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_generated_parts_of_a_page_are_up_to_date(page):
    text = page.read_text(encoding="utf-8")

    assert renewed(text) == text, f"{page.name} is stale; `make docs` writes its generated parts anew"
