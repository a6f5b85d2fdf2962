"""Property paths mean what the SDK makes of them."""

import pytest
from pulumi_rehearsal import paths


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("tags", ("tags",)),
        ("tags.team", ("tags", "team")),
        ("rules[0].fromPort", ("rules", 0, "fromPort")),
        ('tags["a.b"]', ("tags", "a.b")),
        ('["a\\"b"].c', ('a"b', "c")),
        ("rules[*].port", ("rules", "*", "port")),
        ("*", ("*",)),
    ],
)
def test_a_path_has_its_parts(text, parts):
    assert paths.parsed(text) == parts
    assert paths.parsed(paths.written(parts)) == parts


def test_what_is_no_path_is_refused_with_the_form():
    with pytest.raises(ValueError, match=r"'rules\[' is not a property path; write tags\.team"):
        paths.parsed("rules[")


@pytest.mark.parametrize(
    ("path", "old", "new", "result"),
    [
        ("a", {"a": 1}, {"a": 2, "b": 3}, {"a": 1, "b": 3}),
        ("a", {}, {"a": 2}, {}),  # what was not there is taken out again
        ("a", {"a": 1}, {}, {"a": 1}),
        ("a.b", {"a": {"b": 1, "c": 1}}, {"a": {"b": 2, "c": 2}}, {"a": {"b": 1, "c": 2}}),
        ("a.b", {"a": {"b": 1}}, {}, {}),  # nothing to put it into
        ("a[0].b", {"a": [{"b": 1}]}, {"a": [{"b": 2}, {"b": 3}]}, {"a": [{"b": 1}, {"b": 3}]}),
        ("a[1]", {"a": [1, 2]}, {"a": [3]}, {"a": [3]}),  # a list has no holes
        ("a[*].b", {"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 3}, {"b": 4}]}, {"a": [{"b": 1}, {"b": 2}]}),
        ("*", {"a": 1}, {"b": 2}, {"a": 1}),
    ],
)
def test_an_ignored_path_keeps_its_old_value(path, old, new, result):
    assert paths.reset(old, new, [path]) == result


def test_differences_are_found_where_they_are():
    old = {"a": {"b": 1, "c": [1, 2]}, "d": "x", "e": True, "__defaults": []}
    new = {"a": {"b": 1.0, "c": [1, 3, 4]}, "f": "y", "e": 1, "__defaults": ["name"]}

    found = {paths.written(path): (before, after) for path, before, after in paths.changed(old, new)}

    assert found == {"a.c[1]": (2, 3), "a.c[2]": (None, 4), "d": ("x", None), "e": (True, 1), "f": (None, "y")}
