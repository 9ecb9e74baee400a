"""A monitor as a form: what is wrong is told by the same rules as over HTTP, beside the field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.admin.widgets import AdminSplitDateTime

from drift.models import DriftMonitor
from drift.monitor_fields import FIELDS, parse_monitor
from lakehouse_site.errors import InvalidInput

if TYPE_CHECKING:
    ModelForm = forms.ModelForm[DriftMonitor]
else:
    ModelForm = forms.ModelForm  # takes a type argument only in the stubs

_JSON = ("selection", "parameters", "channels")
_MAY_BE_EMPTY = ("selection", "parameters", "channels", "reference_start", "reference_end", "first_window_end")
# Nothing said about these is left to the service: it knows what to take, or keeps what there is.
_LEFT_OUT_IF_EMPTY = ("selection", "parameters", "channels", "first_window_end", "webhook_secret")


class MonitorForm(ModelForm):
    first_window_end = forms.SplitDateTimeField(
        required=False, widget=AdminSplitDateTime, help_text="Now, unless told; in the past, windows are made up for."
    )
    webhook_secret = forms.CharField(
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 16 characters, for a webhook. Never shown; left empty it stays as it is.",
    )

    class Meta:
        model = DriftMonitor
        fields = FIELDS

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name in _JSON:
            if name in self.fields:
                self.fields[name].widget.attrs["rows"] = 3
        for name in _MAY_BE_EMPTY:
            if name in self.fields:  # somebody who may only look has a page without fields
                self.fields[name].required = False

    @property
    def body(self) -> dict[str, Any]:
        """What the same monitor is over HTTP."""
        found: dict[str, Any] = {name: self.cleaned_data.get(name) for name in FIELDS}
        told = {name: value for name, value in found.items() if value or name not in _LEFT_OUT_IF_EMPTY}
        return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in told.items()}

    def clean(self) -> dict[str, Any]:
        super().clean()
        if self.errors:
            return self.cleaned_data
        kept = {"webhook_secret": self.instance.webhook_secret}
        try:
            parse_monitor(kept | self.body)
        except InvalidInput as error:
            for fault in error.faults:
                _, name, *place = fault.pointer.split("/")
                where = f"{'/'.join(place)}: " if place else ""
                self.add_error(name if name in self.fields else None, where + fault.detail)
        return self.cleaned_data
