"""Grants as people write them: the namespace by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms

from catalog.models import Grant, Namespace

if TYPE_CHECKING:
    FormBase = forms.ModelForm[Grant]
else:
    FormBase = forms.ModelForm  # takes a type argument only in the stubs


class GrantForm(FormBase):
    """Without any grant in a warehouse, the scope of a token alone decides; the first one closes it to all others."""

    namespace = forms.ModelChoiceField(
        queryset=Namespace.objects.filter(deleted_at=None),
        required=False,
        empty_label="the whole warehouse",
        help_text="It covers the namespaces below, too.",
    )

    class Meta:
        model = Grant
        fields = ("principal", "warehouse", "namespace", "privilege")
        help_texts = {  # noqa: RUF012  as Django documents it
            "principal": "The name of an API token, or * for all. The first grant of a warehouse closes it to all "
            "who have none.",
            "privilege": "Each includes those before it.",
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.pk and "namespace" in self.fields:
            rows = Namespace.objects.filter(warehouse=self.instance.warehouse, path=self.instance.path)
            self.fields["namespace"].queryset = (  # type: ignore[attr-defined]
                Namespace.objects.filter(deleted_at=None) | rows
            )
            self.initial["namespace"] = rows.order_by("-deleted_at").last()

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or self.cleaned_data
        space, warehouse = found.get("namespace"), found.get("warehouse")
        if space is not None and warehouse is not None and space.warehouse_id != warehouse.pk:
            self.add_error("namespace", f"{space} lies in the warehouse {space.warehouse}.")
        elif not self.errors:
            self.instance.path = space.path if space is not None else ""
            taken = Grant.objects.filter(
                principal=found["principal"], warehouse=warehouse, path=self.instance.path, privilege=found["privilege"]
            )
            if taken.exclude(pk=self.instance.pk).exists():
                self.add_error(None, "There is such a grant already.")
        return found
