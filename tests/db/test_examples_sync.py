"""Syncing contacts from a CSV file: the table is as the file, or as it was."""

from pathlib import Path

import pytest
from pytest_django import Settings

from examples.contacts_csv import BadFile
from examples.load import DATA
from examples.models import Contact
from examples.tasks.sync import sync_contacts

HEADING = "email,name,team\n"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def file(settings: Settings, tmp_path: Path) -> Path:
    settings.EXAMPLES_DIR = tmp_path
    return tmp_path / "contacts.csv"


def table() -> list[tuple[str, str, str]]:
    return list(Contact.objects.order_by("email").values_list("email", "name", "team"))


def test_the_table_becomes_as_the_file(file: Path) -> None:
    file.write_text(f"{HEADING}ana@example.org,Ana,Data\nbo@example.org,Bo,Data\ncy@example.org,Cy,Data\n")
    assert sync_contacts() == {"created": 3, "updated": 0, "deleted": 0, "unchanged": 0}
    keys = dict(Contact.objects.values_list("email", "pk"))

    file.write_text(f"{HEADING}BO@example.org, Bo ,Search\n\ncy@example.org,Cy,Data\nDan@example.org,Dan,Data\n")
    assert sync_contacts() == {"created": 1, "updated": 1, "deleted": 1, "unchanged": 1}
    assert table() == [
        ("bo@example.org", "Bo", "Search"),
        ("cy@example.org", "Cy", "Data"),
        ("dan@example.org", "Dan", "Data"),
    ]
    assert Contact.objects.get(email="bo@example.org").pk == keys["bo@example.org"]
    assert sync_contacts() == {"created": 0, "updated": 0, "deleted": 0, "unchanged": 3}


def test_the_file_that_is_shipped(file: Path) -> None:
    file.write_bytes((DATA / "contacts.csv").read_bytes())
    assert sync_contacts()["created"] == 10
    assert Contact.objects.get(email="jonas.berzins@example.org").name == "Jonas Bērziņš"


def test_a_file_from_a_spreadsheet(file: Path) -> None:
    file.write_bytes('\N{BYTE ORDER MARK}email,name,team\r\nana@example.org,"Ana, née Ö",Data\r\n'.encode())
    assert sync_contacts()["created"] == 1
    assert table() == [("ana@example.org", "Ana, née Ö", "Data")]


def test_bad_lines_are_named_and_nothing_is_changed(file: Path) -> None:
    Contact.objects.create(email="old@example.org", name="Old", team="Data")
    file.write_text(
        f"{HEADING}ana@example.org,Ana,Data\nno address,Bo,Data\ncy@example.org,Cy\n\nANA@example.org,Ana,Data\n"
        f"dan@example.org,,Data\nella@example.org,{'e' * 101},Data\nfay@example.org,F\x00y,Data\n"
    )
    with pytest.raises(BadFile) as bad:
        sync_contacts()
    message = str(bad.value)
    assert message.startswith("contacts.csv: 6 bad lines, nothing is changed: ")
    assert "line 3: email: Enter a valid email address." in message
    assert "line 4: has 2 columns in place of 3" in message
    assert "line 6: email: ana@example.org is there twice" in message
    assert "line 7: name: This field cannot be blank." in message
    assert "line 8: name: Ensure this value has at most 100 characters (it has 101)." in message
    assert "line 9: name: holds a control character" in message
    assert table() == [("old@example.org", "Old", "Data")]


def test_of_many_bad_lines_the_first_are_named(file: Path) -> None:
    file.write_text(HEADING + "x\n" * 25)
    with pytest.raises(BadFile, match=r"25 bad lines.*line 21: has 1 columns in place of 3; and 5 more$"):
        sync_contacts()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1: the heading must be email,name,team, not ''"),
        (b"name,email,team\n", "the heading must be email,name,team, not 'name,email,team'"),
        (HEADING.encode(), "holds no contact; the table is not emptied"),
        (HEADING.encode() + b'ana@example.org,"Ana,Data\n', "line 2: unexpected end of data"),
        (HEADING.encode() + b"ana@example.org,An\xe4,Data\n", "is not in UTF-8"),
        (HEADING.encode() + b"x" * 10_000_000, "has 10,000,016 bytes; at most 10,000,000 are read"),
    ],
)
def test_a_bad_file_is_refused(file: Path, content: bytes, message: str) -> None:
    Contact.objects.create(email="old@example.org", name="Old", team="Data")
    file.write_bytes(content)
    with pytest.raises(BadFile, match=message):
        sync_contacts()
    assert table() == [("old@example.org", "Old", "Data")]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("none.csv", "path: .*/none.csv does not exist"),
        ("/etc/passwd", "path: '/etc/passwd' leads out"),
        (".", "path: .* is not a file"),
        (7, "path: 7 is not a text"),
    ],
)
def test_a_wrong_path_is_named(path: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sync_contacts(path)
