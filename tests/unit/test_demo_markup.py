"""One answer, two dialects."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

from hypothesis import example, given
from hypothesis import strategies as st

from daemon.demo.markup import Container, Entry, Rendered, container, element

texts = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\t\n"))


@given(texts)
@example("\t\n\r<&>\"'")
def test_any_text_survives_xml_and_json(text: str) -> None:
    answer = container([element("Video", ratingKey="1", type="movie", title=text)])
    parsed = ET.fromstring(answer.xml())
    assert parsed[0].get("title") == text
    assert json.loads(answer.json_text())["MediaContainer"]["Metadata"][0]["title"] == text


def test_xml_writes_text_where_json_keeps_types() -> None:
    answer = container([element("Part", id=7, exists=False, file=None)])
    assert '<Part id="7" exists="0"/>' in answer.xml()
    assert json.loads(answer.json_text())["MediaContainer"] == {
        "size": 1,
        "Part": [{"id": 7, "exists": False}],
    }


def test_an_empty_list_has_no_key_in_json() -> None:
    assert json.loads(container().json_text()) == {"MediaContainer": {"size": 0}}


def test_the_children_of_a_session_are_single_objects_in_json() -> None:
    video = element("Video", element("User", id="1"), element("Media", id=3), ratingKey="1")
    told = json.loads(container([video]).json_text())["MediaContainer"]["Metadata"][0]
    assert told == {"ratingKey": "1", "User": {"id": "1"}, "Media": [{"id": 3}]}


def test_a_kept_item_takes_in_what_is_the_users_own() -> None:
    item = element("Directory", element("Guid", id="imdb://1"), ratingKey="5", type="show")
    rendered = Rendered(item)
    deck = element("OnDeck", element("Video", ratingKey="6", type="episode"))
    answer = Container([Entry(rendered, {"viewedLeafCount": 2}, [deck]), Entry(rendered)])
    first, second = ET.fromstring(answer.xml())
    assert first.attrib == {"ratingKey": "5", "type": "show", "viewedLeafCount": "2"}
    assert [child.tag for child in first] == ["Guid", "OnDeck"]
    assert second.attrib == {"ratingKey": "5", "type": "show"}
    told = json.loads(answer.json_text())["MediaContainer"]["Metadata"]
    assert told[0]["OnDeck"] == {"Metadata": [{"ratingKey": "6", "type": "episode"}]}
    assert told[1] == {"ratingKey": "5", "type": "show", "Guid": [{"id": "imdb://1"}]}


def test_a_sections_directory_is_no_metadata_in_json() -> None:
    section = element("Directory", key="1", type="movie", agent="tv.plex.agents.movie")
    assert "Directory" in json.loads(container([section]).json_text())["MediaContainer"]
