"""The pages of indexes in the admin that only show."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import numpy as np
import pytest
from django.test import Client

from tests.factories import add, delete, make_index, random_rows
from tests.vectors.admin_pages import HOSTILE, address, faults_of, get, staff_with, text_of
from vectors.maintenance import snapshot_index
from vectors.models import RecallMeasurement, VectorIndex, VectorItem
from vectors.recall import measure_recall
from vectors.replicas import replicas
from vectors.rows import IndexState, read_state

pytestmark = pytest.mark.usefixtures("vectors_db", "storage")
LIST = "/admin/vectors/vectorindex/"


@pytest.fixture
def docs(vectors_db: None) -> IndexState:
    make_index(dimension=4, distance="euclidean")
    rows = random_rows(120, 4)
    items = [
        {"id": f"i{n:03}", "vector": row.tolist(), "metadata": {"lang": ["en", "de", "fr"][n % 3], "n": n}}
        for n, row in enumerate(rows)
    ]
    add("docs", items)
    delete("docs", "i118", "i119")
    state = read_state("docs")
    assert state is not None
    return state


def test_the_list_has_the_facts_of_every_index(docs: IndexState, boss: Client) -> None:
    make_index("empty", dimension=2)
    snapshot_index(name="docs")
    measure_recall(state=docs, num=5, k=3)

    html = get(boss, LIST)

    text = text_of(html)
    assert "docs 118 4 Euclidean" in text
    assert "0 minutes" in text
    assert "1.0000 2 0" in text  # recall, tombstones, generation
    assert "empty 0 2 Cosine none – not loaded not measured 0 0" in text
    assert "delete_selected" not in html


def test_the_list_does_not_ask_the_database_for_each_index(boss: Client, django_assert_max_num_queries: object) -> None:
    for number in range(12):
        make_index(f"docs-{number}", dimension=2)

    assert callable(django_assert_max_num_queries)
    with django_assert_max_num_queries(12):
        get(boss, LIST)


def test_the_first_page_of_an_index_shows_facts_recall_and_snapshots(docs: IndexState, boss: Client) -> None:
    snapshot_index(name="docs")
    for _ in range(3):
        measure_recall(state=docs, num=5, k=3)
    RecallMeasurement.objects.filter(pk=RecallMeasurement.objects.order_by("pk")[1].pk).update(recall=0.8125)

    html = get(boss, address("change"))

    text = text_of(html)
    assert "Items 118" in text
    assert "Tombstones 2" in text
    assert "Changes since then 0" in text
    assert html.count('class="lh-mark"') == 2
    assert html.count('class="lh-low"') == 1
    assert "0.8125 (low) 3 5" in text
    assert "Verified" in text
    assert f"_vectors/{docs.id}/" in html


def test_an_index_without_anything_has_a_page(boss: Client) -> None:
    make_index("empty", dimension=2)

    text = text_of(get(boss, address("change", "empty")))

    assert "Not measured yet." in text
    assert "None yet." in text
    assert "There is no item yet." in text_of(get(boss, address("map", "empty")))
    assert "No item." in text_of(get(boss, address("items", "empty")))


def test_memory_is_told_once_the_index_is_loaded(docs: IndexState, boss: Client) -> None:
    assert "Memory in this process not loaded" in text_of(get(boss, address("change")))

    replicas.current(docs)

    assert "Memory in this process not loaded" not in text_of(get(boss, address("change")))


def test_items_are_browsed_page_by_page(docs: IndexState, boss: Client) -> None:
    seen: list[str] = []
    url = address("items")
    for _ in range(3):
        html = get(boss, url)
        seen += [f"i{n:03}" for n in range(120) if f"id=i{n:03}" in html]
        _, _, rest = html.partition('<a class="button" href="?cursor=')
        url = f"{address('items')}?cursor={rest.partition(chr(34))[0]}"

    assert seen == [f"i{n:03}" for n in range(118)]
    assert "118 items." in text_of(html)


def test_items_are_filtered(docs: IndexState, boss: Client) -> None:
    wanted = json.dumps({"lang": "de", "n": {"$gte": 100}})

    html = get(boss, address("items"), filter=wanted)

    assert [f"i{n:03}" for n in range(120) if f"id=i{n:03}" in html] == ["i100", "i103", "i106", "i109", "i112", "i115"]
    assert "6 items pass the filter." in text_of(html)


def test_the_pages_of_a_filter_hold_every_item_once(docs: IndexState, boss: Client) -> None:
    wanted = json.dumps({"n": {"$gte": 10}})
    first = get(boss, address("items"), filter=wanted)
    query = urlencode({"cursor": "60", "filter": wanted}).replace("&", "&amp;")

    second = get(boss, address("items"), filter=wanted, cursor="60")

    assert f"?{query}" in first  # labels count from 1, so item 59 has label 60
    assert "id=i059" in first
    assert "id=i060" not in first
    assert "id=i060" in second
    assert "id=i059" not in second


def test_a_wrong_filter_is_told_in_words(docs: IndexState, boss: Client) -> None:
    for query, words in (
        ({"filter": "{"}, "filter: This is not JSON"),
        ({"filter": "[" * 100_000}, "filter: This is not JSON"),
        ({"filter": '{"$foo": 1}'}, "is no operator here"),
        ({"cursor": "%%%"}, "Use the value of next"),
        ({"filter": '{"n": 1}', "cursor": "x"}, "Use the value of next"),
    ):
        assert words in text_of(get(boss, address("items"), **query))


def test_one_item_is_shown_with_its_neighbours(docs: IndexState, boss: Client) -> None:
    add(
        "docs",
        [{"id": "a", "vector": [3, 4, 0, 0], "metadata": {"x": {"y": [1]}}}, {"id": "b", "vector": [3, 4, 0, 1]}],
    )

    html = get(boss, address("item"), id="a")

    text = text_of(html)
    assert "Length (norm) 5" in text
    assert "First components 3, 4, 0, 0 Its" in text
    assert "1 b 1 –" in text
    assert "&quot;x&quot;: {\n    &quot;y&quot;: [\n      1\n    ]" in html


def test_an_item_that_is_not_there_is_told_as_a_message(docs: IndexState, boss: Client) -> None:
    for key in ("nobody", "", "\0", "x" * 10_000):
        response = boss.get(address("item"), {"id": key}, follow=True)

        assert response.status_code == 200
        assert "has no item with the id" in response.content.decode()


def test_every_metadata_that_can_be_stored_is_shown(docs: IndexState, boss: Client) -> None:
    stored = ['{"a":"\\ud800"}', f'{{"a":{"9" * 5_000}}}', '{"a":"\\u0000"}', '{"a":1e300}', "{}"]
    for number, metadata in enumerate(stored):
        VectorItem.objects.filter(key=f"i{number:03}").update(metadata=metadata)

    for number in range(len(stored)):
        get(boss, address("item"), id=f"i{number:03}")
    get(boss, address("items"))
    get(boss, address("map"), key="a")
    get(boss, address("search"), id="i004", k="100")


def test_hostile_ids_and_metadata_are_escaped(boss: Client) -> None:
    make_index(dimension=4, distance="euclidean")
    add("docs", [{"id": f"{HOSTILE}{n}", "vector": [n, 0, 0, 1], "metadata": {HOSTILE: HOSTILE}} for n in range(3)])

    for page, query in (("item", {"id": f"{HOSTILE}1"}), ("items", {}), ("map", {}), ("search", {"id": f"{HOSTILE}1"})):
        html = get(boss, address(page), **query)
        assert "<script>alert" not in html
        assert "&lt;script&gt;alert" in html
    assert urlencode({"id": f"{HOSTILE}2"}) in html  # the neighbours lead to their pages


def test_the_map_has_a_point_for_each_item_and_the_middle_of_each_group(boss: Client) -> None:
    make_index(dimension=3, distance="euclidean")
    rng = np.random.default_rng(7)
    for number, (word, middle) in enumerate({"left": -10, "right": 10}.items()):
        rows = rng.normal((middle, 0, 0), size=(20, 3))
        add(
            "docs",
            [
                {"id": f"{word}{n}", "vector": row.tolist(), "metadata": {"side": word, "serial": f"{number}-{n}"}}
                for n, row in enumerate(rows)
            ],
        )

    html = get(boss, address("map"))

    assert html.count('<circle class="lh-group-') == 40 + 2
    assert '<option value="side" selected>' in html
    assert "left 20 50.0 %" in text_of(html)
    assert "Map of docs by serial" in get(boss, address("map"), key="serial")


def test_staff_without_the_permission_see_nothing(docs: IndexState) -> None:
    client = staff_with()

    assert client.get(LIST).status_code == 403
    for page in ("change", "search", "map", "items", "item"):
        assert client.get(address(page)).status_code == 403


def test_who_is_not_signed_in_is_asked_to(docs: IndexState, client: Client) -> None:
    for page in ("change", "map", "merge", "delete"):
        assert client.get(address(page)).status_code == 302


def test_an_unknown_index_leads_back_to_the_list(docs: IndexState, boss: Client) -> None:
    url = address("map")
    VectorIndex.objects.all().delete()

    for gone in (url, f"{LIST}no-uuid/change/"):
        response = boss.get(gone, follow=True)
        assert "This index does not exist" in response.content.decode()
        assert response.redirect_chain[-1][0] == LIST


def test_the_check_of_the_policy_sees_what_it_should() -> None:
    assert faults_of('<p style="x"><script>1</script><a onclick="x" href="javascript:1"><style></style>') == [
        "p style",
        "inline script",
        "a onclick",
        "a href=javascript:1",
        "inline style",
    ]
