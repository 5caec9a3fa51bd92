"""Operations: what a person may do to a job or a run, as an action of the list and as a button on the page."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from jobs.admin.revoking import Revoker

MOST_AT_ONCE = 1_000
"""How many objects one action handles; each is a transaction of its own."""

MOST_NAMED = 20
"""How many objects one message names."""


@dataclass(frozen=True, slots=True)
class Operator:
    """Who operates, and by what the workers are told."""

    name: str
    revoke: Revoker = field(default_factory=Revoker)


@dataclass(frozen=True, slots=True)
class Told:
    """What came of an operation on one object. `made` is the object to link to, if it made one."""

    level: int
    what: str
    made: Model | None = None
    changed: bool = True

    @classmethod
    def done(cls, what: str, made: Model | None = None) -> "Told":
        """It did what was asked."""
        return cls(messages.SUCCESS, what, made)

    @classmethod
    def partly(cls, what: str, made: Model | None = None) -> "Told":
        """It did something, which is not all that was asked."""
        return cls(messages.WARNING, what, made)

    @classmethod
    def lost(cls, what: str) -> "Told":
        """Nothing was changed."""
        return cls(messages.WARNING, what, changed=False)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. `permission` names a `has_…_permission` method of the page; `fits` says whether an object gets
    the button; `question` is asked before the button acts."""

    name: str
    label: str
    permission: str
    perform: Callable[[Any, Operator], Told]
    fits: Callable[[Any], bool]
    question: str = ""


Action = Callable[[Any, HttpRequest, Any], None]


def as_action(operation: Operation) -> Action:
    """The operation as an action of Django's list, with its permission."""

    def act(page: OperationsAdmin, request: HttpRequest, objects: Any) -> None:
        page.operate(request, operation, objects)

    act.__name__ = operation.name
    return admin.action(act, permissions=[operation.permission], description=operation.label)


class OperationsAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A page of the admin whose objects can be operated."""

    operations: ClassVar[Sequence[Operation]] = ()
    change_form_template = "admin/jobs/operations_change_form.html"

    def __init__(self, model: type[Model], admin_site: admin.AdminSite) -> None:
        super().__init__(model, admin_site)
        self.actions = [as_action(operation) for operation in self.operations]

    def get_urls(self) -> list[URLPattern | URLResolver]:  # type: ignore[override]
        view = self.admin_site.admin_view(self.operate_view)
        name = f"jobs_{self.opts.model_name}_operate"
        return [path("<path:object_id>/operate/<slug:name>/", view, name=name), *super().get_urls()]

    def operate_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """What a button does: POST only, with the operation's permission and that to see the object."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        operation = next((known for known in self.operations if known.name == name), None)
        if operation is None:
            raise Http404(f"there is no operation {name}")
        if not self._may(request, operation) or not self.has_view_permission(request):
            raise PermissionDenied
        target = self.get_object(request, unquote(object_id))
        if target is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined,no-any-return]
        self.operate(request, operation, [target])
        return HttpResponseRedirect(self._address("change", target))

    def operate(self, request: HttpRequest, operation: Operation, objects: "QuerySet[Any] | Sequence[Any]") -> None:
        """Perform it on each object, log what changed, and tell what came of it."""
        chosen = list(objects[: MOST_AT_ONCE + 1])
        if len(chosen) > MOST_AT_ONCE:
            self.message_user(request, f"Nothing was done: select at most {MOST_AT_ONCE:,} at a time.", messages.ERROR)
            return
        operator = Operator(request.user.get_username())
        told = [(target, self._perform(request, operation, target, operator)) for target in chosen]
        self._report(request, operation, told)

    def _perform(self, request: HttpRequest, operation: Operation, target: Any, operator: Operator) -> Told:
        outcome = operation.perform(target, operator)
        if outcome.changed:
            self.log_change(request, target, f"{operation.label}: {outcome.what}")
        return outcome

    def _report(self, request: HttpRequest, operation: Operation, told: Iterable[tuple[Any, Told]]) -> None:
        groups: dict[tuple[int, str], list[SafeString]] = {}
        for target, outcome in told:
            groups.setdefault((outcome.level, outcome.what), []).append(_link(outcome.made or target, target))
        for (level, what), names in groups.items():
            self.message_user(request, _sentence(operation.label, what, names), level)

    def _address(self, page: str, target: Model, *more: str) -> str:
        return reverse(f"{self.admin_site.name}:jobs_{self.opts.model_name}_{page}", args=[target.pk, *more])

    def _may(self, request: HttpRequest, operation: Operation) -> bool:
        return bool(getattr(self, f"has_{operation.permission}_permission")(request))

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        target = context.get("original")
        fitting = [one for one in self.operations if target and one.fits(target) and self._may(request, one)]
        context["operations"] = [
            {"label": one.label, "question": one.question, "url": self._address("operate", target, one.name)}
            for one in fitting
        ]
        return super().render_change_form(request, context, *args, **kwargs)


def _link(to: Model, name: Model) -> SafeString:
    return format_html(
        '<a href="{}">{}</a>', reverse(f"admin:jobs_{to._meta.model_name}_change", args=[to.pk]), str(name)
    )


def _sentence(label: str, what: str, names: Sequence[SafeString]) -> SafeString:
    listed = format_html_join(", ", "{}", ((name,) for name in names[:MOST_NAMED]))
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return format_html("{}: {} ({}{}).", label, what, listed, more)
