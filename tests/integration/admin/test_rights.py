"""Rights in the admin: opened with a purpose only, entered by hand, imported as a file."""

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from audit.models import AuditRow
from enforcement.rights.models import Right, RightPlate
from enforcement.watchlist.models import Entry
from tests.integration.admin.conftest import OTHER_PLATE, PLATE, World
from tests.integration.admin.test_changes import audited_since, newest, no_plate_anywhere
from vault import blind

pytestmark = pytest.mark.django_db(databases=["default", "keys"])

PERMITS = "Category;PlateState;PlateNumber;EffectiveDate;ExpiryDate;PermitID\n"


def opened(world: World) -> dict[str, str]:
    """The pages that open something, and what each opens."""
    plate = world.right.plates.get()
    return {
        reverse("admin:rights_plate", args=[world.right.pk, plate.pk]): PLATE,
        reverse("admin:rights_number", args=[world.right.pk]): f"P-{PLATE}",
        reverse("admin:entries_plate", args=[world.entry.pk]): PLATE,
    }


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"purpose": ""},
        {"purpose": "nosiness"},
        {"purpose": "administration"},  # not for people
        {"purpose": "subject-access"},  # needs a reference
        {"purpose": "subject-access", "case_ref": "  "},
        {"purpose": "rights-admin", "case_ref": f"about {PLATE}"},  # says what the seal hides
    ],
)
def test_no_purpose_no_plate(world: World, admin: Client, said: dict[str, str]) -> None:
    before = newest()
    for where, hidden in opened(world).items():
        answer = admin.post(where, said)
        text = answer.content.decode().replace(f'value="{said.get("case_ref", "-")}"', "")
        assert answer.status_code == 200
        assert hidden not in text
        assert "pw-error" in text
    assert audited_since(before) == []


def test_a_purpose_opens_one_plate_once_and_is_written_down(world: World, admin: Client) -> None:
    for where, hidden in opened(world).items():
        before = newest()
        assert hidden not in admin.get(where).content.decode()
        answer = admin.post(where, {"purpose": "customer-request", "case_ref": "2026/77"})
        assert hidden in answer.content.decode()
        assert "no-store" in answer["Cache-Control"]
        row = AuditRow.objects.get(pk__gt=before.pk)
        assert (row.actor, row.action, row.purpose) == ("boss", "view", "customer-request")
        assert row.case_ref == "2026/77"
        assert hidden not in admin.get(where).content.decode()
    no_plate_anywhere(PLATE)


def test_a_plate_is_opened_through_its_own_right_only(world: World, admin: Client) -> None:
    other = RightPlate.objects.get(right=world.right)
    where = reverse("admin:rights_plate", args=[world.entry.pk, other.pk])
    assert admin.post(where, {"purpose": "rights-admin"}).status_code == 404


def test_the_rights_of_a_plate_are_found_with_a_purpose(world: World, admin: Client) -> None:
    where = reverse("admin:rights_right_find")
    row = reverse("admin:rights_right_change", args=[world.right.pk])
    before = newest()
    for said in ({}, {"purpose": "rights-admin"}, {"purpose": "rights-admin", "case_ref": PLATE}):
        answer = admin.post(where, {"plate": PLATE, **said} if "case_ref" in said else said)
        assert row not in answer.content.decode()
    assert audited_since(before) == []
    answer = admin.post(where, {"plate": PLATE.lower(), "purpose": "rights-admin"})
    assert row in answer.content.decode()
    assert PLATE not in answer.content.decode()
    answer = admin.post(where, {"plate": OTHER_PLATE, "purpose": "rights-admin"})
    assert "0 found" in answer.content.decode()
    assert [(who, what) for who, what, _, _ in audited_since(before)] == [("boss", "search")] * 2
    no_plate_anywhere(PLATE, OTHER_PLATE)


# --- by hand ------------------------------------------------------------------------------------


def test_a_permit_for_two_plates_by_hand(world: World, admin: Client) -> None:
    before = newest()
    form = {
        "kind": "permit",
        "plates": f"{OTHER_PLATE}\n1AB 2345",
        "country": "CZ",
        "site": world.site.pk,
        "from": "2026-03-01T00:00",
        "max_present": "1",
        "scheme": "CZ",  # asked of vignettes only: left out
    }
    answer = admin.post(reverse("admin:rights_right_add"), form)
    assert answer.status_code == 302
    right = Right.objects.exclude(pk=world.right.pk).get()
    assert (right.kind, right.site, right.max_present, right.scheme) == (
        "permit",
        world.site,
        1,
        "",
    )
    assert {one.token_exact for one in right.plates.all()} == {
        blind.exact(OTHER_PLATE),
        blind.exact("1AB2345"),
    }
    assert [(who, what) for who, what, _, _ in audited_since(before)] == [("boss", "deliver")] * 2
    assert str(right.pk) in answer["Location"]
    assert LogEntry.objects.get(object_id=str(right.pk)).object_repr == str(right)
    no_plate_anywhere(OTHER_PLATE, "1AB2345")


def test_a_vignette_by_hand_and_its_withdrawal(world: World, admin: Client) -> None:
    form = {
        "kind": "vignette",
        "plates": OTHER_PLATE,
        "country": "CZ",
        "scheme": "CZ",
        "product": "10-day",
        "first_day": "2026-03-01",
        "bought_at": "2026-02-20T10:00",
    }
    assert admin.post(reverse("admin:rights_right_add"), form).status_code == 302
    right = Right.objects.get(kind="vignette")
    assert right.ends_at is not None
    before = newest()
    where = reverse("admin:rights_right_withdraw", args=[right.pk])
    assert admin.post(where).status_code == 302
    right.refresh_from_db()
    assert right.withdrawn_at is not None
    assert [(who, what) for who, what, _, _ in audited_since(before)] == [("boss", "withdraw")]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"plates": "A" * 40}, "40 characters; 16 are allowed"),
        ({"product": "eternal"}, "no such product"),
        ({"scheme": ""}, "needs “scheme”"),
        ({"first_day": ""}, "name it"),
        ({"country": "Q1"}, "two letters"),
        ({"plates": f"{OTHER_PLATE}, 1AB2345"}, "one plate"),
        ({"kind": "payment"}, "needs “from”"),
        (
            {
                "kind": "exemption",
                "reason": f"police {OTHER_PLATE}",
            },
            "leave the plate out",
        ),
    ],
)
def test_a_right_that_is_refused_says_why(
    world: World, admin: Client, change: dict[str, Any], sentence: str
) -> None:
    form = {
        "kind": "vignette",
        "plates": OTHER_PLATE,
        "country": "CZ",
        "scheme": "CZ",
        "product": "10-day",
        "first_day": "2026-03-01",
        **change,
    }
    answer = admin.post(reverse("admin:rights_right_add"), form)
    assert answer.status_code == 200
    assert sentence in answer.content.decode()
    assert Right.objects.count() == 1
    no_plate_anywhere(OTHER_PLATE)


def test_rights_are_not_edited(world: World, admin: Client) -> None:
    where = reverse("admin:rights_right_change", args=[world.right.pk])
    assert admin.post(where, {"kind": "payment"}).status_code == 403
    where = reverse("admin:rights_right_delete", args=[world.right.pk])
    assert admin.post(where, {"post": "yes"}).status_code == 403


# --- by file ------------------------------------------------------------------------------------


def upload(client: Client, where: str, text: str | bytes, **form: Any) -> Any:
    data = text if isinstance(text, bytes) else text.encode()
    return client.post(where, {**form, "file": SimpleUploadedFile(f"{OTHER_PLATE}.csv", data)})


def report(answer: Any) -> tuple[dict[str, int], str]:
    """The figures of a report by their names, and the whole page."""
    assert answer.status_code == 200
    assert answer.streaming
    page = b"".join(answer.streaming_content).decode()
    assert page.count("</html>") == 1
    found = re.findall(r"<dt>([^<]+)</dt><dd>(\d+)</dd>", page)
    return {name: int(number) for name, number in found}, page


def permits(*plates: str) -> str:
    lines = (f"resident;CZ;{one};2026-01-01;2030-01-01;{one}-a\n" for one in plates)
    return PERMITS + "".join(lines)


def test_a_good_file_is_stored(world: World, admin: Client) -> None:
    where = reverse("admin:rights_right_import_file")
    before = newest()
    plates = [f"2T7{number:04}" for number in range(30)]
    figures, page = report(
        upload(
            admin,
            where,
            permits(*plates),
            kind="permits",
            site=world.site.pk,
            all_or_nothing="on",
        )
    )
    assert figures == {"Rows read": 30, "New or changed": 30, "Known already": 0, "Refused": 0}
    assert "All rows are in" in page
    assert "<progress" in page
    assert Right.objects.filter(site=world.site, kind="permit").count() == 31
    assert ("boss", "import", "rights.right", []) in audited_since(before)
    figures, _ = report(upload(admin, where, permits(*plates), kind="permits", site=world.site.pk))
    assert figures["Known already"] == 30
    no_plate_anywhere(*plates, f"{OTHER_PLATE}.CSV")


BAD = permits(OTHER_PLATE) + f"resident;CZ;{'7' * 30};2026-01-01;2030-01-01;b\nshort;row\n"


def test_a_file_with_bad_rows_stores_the_good_ones(world: World, admin: Client) -> None:
    where = reverse("admin:rights_right_import_file")
    figures, page = report(upload(admin, where, BAD, kind="permits", site=world.site.pk))
    assert figures == {"Rows read": 3, "New or changed": 1, "Known already": 0, "Refused": 2}
    assert "<td>3</td><td>PlateNumber</td>" in page
    assert "plate_too_long" in page
    assert "<td>4</td><td>–</td>" in page
    assert "wrong_columns" in page
    assert OTHER_PLATE not in page
    assert "7" * 30 not in page
    assert Right.objects.count() == 2


def test_all_or_nothing_stores_nothing_of_it(world: World, admin: Client) -> None:
    where = reverse("admin:rights_right_import_file")
    before = newest()
    figures, page = report(
        upload(admin, where, BAD, kind="permits", site=world.site.pk, all_or_nothing="on")
    )
    assert figures["Refused"] == 2
    assert "Nothing was stored" in page
    assert Right.objects.count() == 1
    row = AuditRow.objects.get(pk__gt=before.pk)
    assert (row.action, row.outcome) == ("import", "refused")


@pytest.mark.parametrize(
    ("text", "form", "sentence"),
    [
        ("", {"kind": "permits"}, "empty"),
        ("a;b\n1;2\n", {"kind": "permits"}, "must name: PlateNumber, PermitID"),
        (b"\xff\xfeP\x00", {"kind": "permits"}, "UTF-16"),
        (permits(OTHER_PLATE), {"kind": "payments"}, "for which site"),
        (permits(OTHER_PLATE), {"kind": "cars"}, "valid choice"),
        (permits(OTHER_PLATE), {"kind": "permits", "site": "x"}, "not a valid UUID"),
    ],
)
def test_a_file_that_is_none_is_refused_on_the_form(
    world: World, admin: Client, text: str | bytes, form: dict[str, str], sentence: str
) -> None:
    answer = upload(admin, reverse("admin:rights_right_import_file"), text, **form)
    assert answer.status_code == 200
    assert not answer.streaming
    assert sentence in answer.content.decode()
    assert OTHER_PLATE not in answer.content.decode()
    assert Right.objects.count() == 1


def test_an_import_that_breaks_says_so_on_its_page(
    world: World, admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from enforcement.rights.admin import rights
    from enforcement.rights.tables import Progress

    def breaking(*args: Any, **kwargs: Any) -> Any:
        yield Progress(rows=5)
        raise RuntimeError(OTHER_PLATE)

    monkeypatch.setattr(rights, "import_rights", breaking)
    where = reverse("admin:rights_right_import_file")
    _, page = report(upload(admin, where, permits(OTHER_PLATE), kind="permits"))
    assert "The import broke off" in page
    assert OTHER_PLATE not in page


def test_the_form_has_the_fields_scripts_post(world: World, admin: Client) -> None:
    """tests/e2e/test_no_plate_in_clear.py imports as a person does, by these names."""
    text = admin.get(reverse("admin:rights_right_import_file")).content.decode()
    assert reverse("admin:rights_right_import_file") == "/admin/rights/right/import/"
    for name in ("kind", "site", "all_or_nothing", "file"):
        assert f'name="{name}"' in text
    assert re.search(rf'<option value="{world.site.pk}"[^>]*>\s*{world.site.name}', text)
    assert '<option value="permits"' in text


def test_a_hotlist_is_imported_onto_its_list(world: World, admin: Client) -> None:
    where = reverse("admin:watchlist_watchlist_import_file", args=[world.watchlist.pk])
    assert where == f"/admin/watchlist/watchlist/{world.watchlist.pk}/import/"
    text = f"PlateNumber;PlateCountry;Reason\n{OTHER_PLATE};CZ;stolen\n;CZ;none\n"
    figures, page = report(upload(admin, where, text, expires_at="2099-01-01T00:00"))
    assert (figures["New or changed"], figures["Refused"]) == (1, 1)
    assert OTHER_PLATE not in page
    entry = Entry.objects.get(token_exact=blind.exact(OTHER_PLATE))
    assert entry.watchlist == world.watchlist
    assert entry.approved_at is None
    no_plate_anywhere(OTHER_PLATE)
