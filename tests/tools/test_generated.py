"""What the documentation says of the code is what the code says."""

from tools.docs.generate import ROOT, renewed


def test_the_generated_parts_of_the_readme_are_up_to_date():
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    assert renewed(text) == text, "README.md is stale; `make docs` writes its generated parts anew"
