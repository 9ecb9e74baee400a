from __future__ import annotations

from urllib.parse import quote

from tests.catalog.protocol_client import SCHEMA, Protocol, set_properties

ODD = [
    "a/b",
    "a%2Fb",
    "100%",
    "with.dot",
    "ünï/ço dé",
    "a b",
    "日本",
    "a+b",
    "'\"",
    "%1F",
    "tables",
    "metrics",
    "a?b#c",
]


def _path(*levels: str) -> str:
    return "%1F".join(quote(level, safe="") for level in levels)


def test_odd_names_are_names(protocol: Protocol) -> None:
    for name in ODD:
        _use(protocol, name)


def _use(protocol: Protocol, name: str) -> None:
    assert protocol.post("namespaces", {"namespace": [name, "in"]}).status == 200
    place = f"namespaces/{_path(name, 'in')}"
    assert protocol.get(place).body["namespace"] == [name, "in"]

    assert protocol.post(f"{place}/tables", {"name": name, "schema": SCHEMA}).status == 200
    table = f"{place}/tables/{quote(name, safe='')}"
    body = {"requirements": [], "updates": [set_properties(a="1")]}
    assert protocol.post(table, body).status == 200
    assert protocol.get(table).body["metadata"]["properties"]["a"] == "1"
    assert protocol.post(f"{table}/metrics", {}).status == 204
    assert protocol.get(f"{place}/tables").body["identifiers"] == [{"namespace": [name, "in"], "name": name}]
    # Once as it is, and encoded twice as pyiceberg does.
    assert protocol.get(f"namespaces?parent={quote(name, safe='')}").body["namespaces"] == [[name, "in"]]
    twice = quote(quote(name, safe=""), safe="")
    assert protocol.get(f"namespaces?parent={twice}").body["namespaces"] == [[name, "in"]]
    assert protocol.call("DELETE", table).status == 204
    assert protocol.call("DELETE", place).status == 204


REFUSED = ("", "a\x00b", "a\nb", "a\x1fb", "\x7f", ".", "..", "a/../b", "/a", "a/", "a//b", "a/tables/b", "x" * 256)


def test_names_that_no_address_could_hold_are_refused(protocol: Protocol) -> None:
    protocol.create("t")
    for name in REFUSED:
        names = {"source": {"namespace": ["ns"], "name": "t"}, "destination": {"namespace": ["ns"], "name": name}}
        assert protocol.post("namespaces", {"namespace": [name]}).error == (400, "BadRequestException"), name
        assert protocol.create(name).error == (400, "BadRequestException"), name
        assert protocol.post("tables/rename", names).error == (400, "BadRequestException"), name


def test_control_characters_in_an_address_are_refused(protocol: Protocol) -> None:
    for path in ("namespaces/a%00b", "namespaces/ns/tables/a%00b", "namespaces/ns/tables/a%0Ab"):
        assert protocol.get(path).error == (400, "BadRequestException"), path


def test_what_is_no_namespace_is_refused(protocol: Protocol) -> None:
    for levels in ([], "ns", 7, None, [7], [None], ["a"] * 33, ["x" * 255] * 20):
        assert protocol.post("namespaces", {"namespace": levels}).error == (400, "BadRequestException"), levels


def test_addresses_work_with_and_without_the_prefix(protocol: Protocol) -> None:
    protocol.create()

    for path in ("main/namespaces/ns/tables/t", "namespaces/ns/tables/t", "namespaces/ns/tables/t/"):
        assert protocol.get(path).status == 200
    assert protocol.get("other/namespaces/ns/tables/t").error == (404, "NoSuchWarehouseException")


def test_namespaces_are_listed_by_level_and_by_page(protocol: Protocol) -> None:
    for levels in (["a"], ["a", "b"], ["a", "c"], ["a", "b", "d"], ["A"], ["b"]):
        assert protocol.post("namespaces", {"namespace": levels}).status == 200

    found = protocol.get("namespaces").body
    assert sorted(found["namespaces"]) == [["A"], ["a"], ["b"], ["ns"]]
    assert "next-page-token" not in found
    assert protocol.get("namespaces?parent=a").body["namespaces"] == [["a", "b"], ["a", "c"]]
    assert protocol.get("namespaces?parent=none").error == (404, "NoSuchNamespaceException")
    assert protocol.get("namespaces/none/tables").error == (404, "NoSuchNamespaceException")

    pages, token = [], ""
    for _ in range(4):
        body = protocol.get(f"namespaces?pageSize=1&pageToken={token}").body
        pages += body["namespaces"]
        token = quote(body.get("next-page-token", ""))
        if not token:
            break
    assert sorted(pages) == sorted(found["namespaces"])


def test_tables_are_listed_by_page(protocol: Protocol) -> None:
    for name in ("c", "a", "b"):
        protocol.create(name)

    first = protocol.get("namespaces/ns/tables?pageToken=&pageSize=2").body
    second = protocol.get(f"namespaces/ns/tables?pageSize=2&pageToken={quote(first['next-page-token'])}").body

    assert [one["name"] for one in first["identifiers"]] == ["a", "b"]
    assert [one["name"] for one in second["identifiers"]] == ["c"]
    assert "next-page-token" not in second
    for query in ("pageToken=%21", "pageToken=&pageSize=0", "pageSize=x&pageToken="):
        assert protocol.get(f"namespaces/ns/tables?{query}").error == (400, "BadRequestException")


def test_properties_of_a_namespace_change(protocol: Protocol) -> None:
    protocol.post("namespaces", {"namespace": ["p"], "properties": {"a": "1", "b": "2"}})

    answer = protocol.post("namespaces/p/properties", {"removals": ["a", "x"], "updates": {"c": "3\u0000"}})

    assert answer.body == {"updated": ["c"], "removed": ["a"], "missing": ["x"]}
    assert protocol.get("namespaces/p").body["properties"] == {"b": "2", "c": "3\u0000"}
    both = protocol.post("namespaces/p/properties", {"removals": ["b"], "updates": {"b": "3"}})
    assert both.error == (422, "UnprocessableEntityException")
    assert protocol.post("namespaces/p/properties", {"updates": {"b": 3}}).error == (400, "BadRequestException")
    assert protocol.post("namespaces", {"namespace": ["p"]}).error == (409, "AlreadyExistsException")


def test_a_plus_that_nothing_has_is_a_space_as_java_writes_it(protocol: Protocol) -> None:
    protocol.post("namespaces", {"namespace": ["a b", "c+d"]})
    protocol.create("x y", "a b\x1fc+d")
    protocol.create("x+y", "a b\x1fc+d")

    assert protocol.get("namespaces?parent=a%2Bb").body["namespaces"] == [["a b", "c+d"]]
    assert protocol.get("namespaces/a+b").body["namespace"] == ["a b"]
    assert protocol.get("namespaces/a+b/tables").status == 200
    assert protocol.get("namespaces/a%20b%1Fc%2Bd/tables/x+y").body["metadata"]["location"].find("/x-y-") > 0
    assert protocol.call("DELETE", "namespaces/a%20b%1Fc%2Bd/tables/x%2By").status == 204
    assert protocol.call("HEAD", "namespaces/a%20b%1Fc%2Bd/tables/x+y").status == 204
    assert protocol.get("namespaces/none+there").error == (404, "NoSuchNamespaceException")
