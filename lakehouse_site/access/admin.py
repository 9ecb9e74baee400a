from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest

from lakehouse_site.access.models import ApiToken
from lakehouse_site.access.services import check_new_token, create_token, revoke_token
from lakehouse_site.errors import InvalidInput


class ApiTokenForm(ModelForm):  # type: ignore[type-arg]
    """Tells the service's objections beside the fields."""

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        try:
            check_new_token(
                name=self.cleaned_data.get("name", ""),
                scope=self.cleaned_data.get("scope", ""),
                index_pattern=self.cleaned_data.get("index_pattern", ""),
                expires_at=self.cleaned_data.get("expires_at"),
            )
        except InvalidInput as error:
            for fault in error.faults:
                self.add_error(fault.pointer.strip("/"), fault.detail)
        return cleaned


@admin.register(ApiToken)
class ApiTokenAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Tokens are made and revoked here, never changed, and never deleted: an empty table asks nobody for a token."""

    list_display = (
        "name",
        "prefix",
        "scope",
        "index_pattern",
        "created_at",
        "expires_at",
        "revoked_at",
        "last_used_at",
    )
    list_filter = ("scope",)
    search_fields = ("name", "prefix")
    actions = ("revoke",)
    form = ApiTokenForm
    fields = ("name", "scope", "index_pattern", "expires_at")

    def has_change_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        return False

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("access.change_apitoken"))

    def save_model(self, request: HttpRequest, obj: ApiToken, form: ModelForm[ApiToken], change: bool) -> None:
        created = create_token(
            name=obj.name, scope=obj.scope, index_pattern=obj.index_pattern, expires_at=obj.expires_at
        )
        obj.__dict__.update(created.row.__dict__)
        messages.warning(request, f"The token of {obj.name}, shown only now: {created.token}")

    @admin.action(description="Revoke the selected tokens", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        for row in queryset:
            revoke_token(name=row.name)
        messages.success(request, f"{queryset.count()} tokens are revoked.")
