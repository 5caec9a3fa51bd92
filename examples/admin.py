"""The contacts, to look at: the CSV file is where they are changed."""

from django.contrib import admin
from django.http import HttpRequest

from examples.models import Contact


@admin.register(Contact)
class ContactAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Read-only: what is changed here, the next sync would undo."""

    list_display = ("name", "team", "email")
    list_filter = ("team",)
    search_fields = ("name", "email")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Contact | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Contact | None = None) -> bool:
        return False
