"""Make a table the same as a CSV file."""

from collections.abc import Mapping

from celery import shared_task
from django.db import connection, transaction

from examples.contacts_csv import COLUMNS, BadFile, read_contacts
from examples.files import below
from examples.models import Contact
from jobs.current import current_run


@shared_task(name="examples.sync_contacts")
def sync_contacts(path: str = "contacts.csv") -> dict[str, int]:
    """Insert, update and delete contacts until the table holds what the file holds, in one transaction.

    `path` is relative to the examples' folder. ValueError for a wrong path, a file with bad lines (each is named) or
    one without any contact, which would empty the table; then nothing is changed.
    """
    file = below("path", path)
    if not file.is_file():
        raise ValueError(f"path: {file} is not a file")
    wanted = read_contacts(file)
    if not wanted:
        raise BadFile(f"{file.name} holds no contact; the table is not emptied")
    current_run().progress(0.5, f"{len(wanted)} contacts read")
    counts = _sync(wanted)
    current_run().progress(1, ", ".join(f"{count} {what}" for what, count in counts.items()))
    return counts


@transaction.atomic
def _sync(wanted: Mapping[str, Contact]) -> dict[str, int]:
    with connection.cursor() as cursor:  # one sync at a time; readers are not held up
        cursor.execute(f"LOCK TABLE {Contact._meta.db_table} IN SHARE ROW EXCLUSIVE MODE")
    present = {contact.email: contact for contact in Contact.objects.all()}
    created = wanted.keys() - present.keys()
    updated = {email for email in wanted.keys() & present.keys() if _differ(wanted[email], present[email])}
    Contact.objects.bulk_create(
        [wanted[email] for email in sorted(created | updated)],
        batch_size=1000,
        update_conflicts=True,
        unique_fields=["email"],
        update_fields=["name", "team"],
    )
    deleted = present.keys() - wanted.keys()
    Contact.objects.filter(email__in=deleted).delete()
    return {
        "created": len(created),
        "updated": len(updated),
        "deleted": len(deleted),
        "unchanged": len(wanted) - len(created) - len(updated),
    }


def _differ(one: Contact, other: Contact) -> bool:
    return any(getattr(one, column) != getattr(other, column) for column in COLUMNS)
