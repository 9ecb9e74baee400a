"""Routes of the protocol, each with and without the prefix, with and without a trailing slash.

Addresses are matched decoded, as servers hand them on: a name may have slashes in it. `catalog.names` sees to it that a
name with slashes has none of the words of these routes in it, so that the shortest match is the only one.
"""

from __future__ import annotations

from django.urls import URLPattern, re_path

from catalog.protocol import namespace_views, oauth, table_views, view_views
from catalog.protocol.config import ConfigView
from catalog.protocol.views import ProtocolView

# Words that stand where the prefix would.
_FIRST = "namespaces|tables|views|transactions|config|oauth"
_PREFIX = rf"^v1/(?:(?!(?:{_FIRST})(?:/|$))(?P<prefix>[^/]+)/)?"
_NAME = r"(?s:.+?)"

# The longer ones first.
ROUTES: tuple[tuple[str, type[ProtocolView]], ...] = (
    ("tables/rename", table_views.RenameView),
    ("views/rename", view_views.RenameViewView),
    ("transactions/commit", table_views.TransactionView),
    ("namespaces/{namespace}/tables/{table}/metrics", table_views.MetricsView),
    ("namespaces/{namespace}/tables/{table}/credentials", table_views.CredentialsView),
    ("namespaces/{namespace}/tables/{table}/unregister", table_views.UnregisterView),
    ("namespaces/{namespace}/tables/{table}", table_views.TableView),
    ("namespaces/{namespace}/views/{view}", view_views.ViewView),
    ("namespaces/{namespace}/tables", table_views.TablesView),
    ("namespaces/{namespace}/views", view_views.ViewsView),
    ("namespaces/{namespace}/properties", namespace_views.NamespacePropertiesView),
    ("namespaces/{namespace}/register", table_views.RegisterView),
    ("namespaces/{namespace}/register-view", view_views.RegisterViewView),
    ("namespaces/{namespace}", namespace_views.NamespaceView),
    ("namespaces", namespace_views.NamespacesView),
)


def _route(template: str, view: type[ProtocolView]) -> URLPattern:
    pattern = template
    for name in ("namespace", "table", "view"):
        pattern = pattern.replace(f"{{{name}}}", f"(?P<{name}>{_NAME})")
    return re_path(rf"{_PREFIX}{pattern}/?$", view.as_view())


urlpatterns = [
    re_path(r"^v1/config/?$", ConfigView.as_view()),
    re_path(r"^v1/oauth/tokens/?$", oauth.TokensView.as_view()),
    *(_route(template, view) for template, view in ROUTES),
]
