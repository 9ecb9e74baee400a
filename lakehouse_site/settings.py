"""All settings, from the environment: `environment.py` lists the variables, `docs/reference/settings.md` too."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from lakehouse_site import VERSION
from lakehouse_site.data_dir import make_data_dir, secret_key
from lakehouse_site.environment import MEBIBYTE, read_all
from lakehouse_site.logs import logging_config

BASE_DIR = Path(__file__).resolve().parent.parent
_env: dict[str, Any] = read_all()


def _half_of_memory_mb() -> int:
    return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")) // (2 * MEBIBYTE)


# --- what the environment says; each setting has the variable's name -----------------------------------------------
LAKEHOUSE_DATA_DIR: Path = _env["LAKEHOUSE_DATA_DIR"] or BASE_DIR / "var"
LAKEHOUSE_SQLITE_SYNCHRONOUS: str = _env["LAKEHOUSE_SQLITE_SYNCHRONOUS"]
LAKEHOUSE_S3_BUCKET: str = _env["LAKEHOUSE_S3_BUCKET"]
LAKEHOUSE_S3_ENDPOINT_URL: str = _env["LAKEHOUSE_S3_ENDPOINT_URL"]
LAKEHOUSE_MAX_BODY_BYTES: int = _env["LAKEHOUSE_MAX_BODY_BYTES"]
LAKEHOUSE_MAX_BATCH_ITEMS: int = _env["LAKEHOUSE_MAX_BATCH_ITEMS"]
LAKEHOUSE_VECTOR_MEMORY_MB: int = _env["LAKEHOUSE_VECTOR_MEMORY_MB"] or _half_of_memory_mb()
LAKEHOUSE_MAINTENANCE_SECONDS: int = _env["LAKEHOUSE_MAINTENANCE_SECONDS"]
LAKEHOUSE_QUERY_TIMEOUT: int = _env["LAKEHOUSE_QUERY_TIMEOUT"]
LAKEHOUSE_QUERY_MEMORY_MB: int = _env["LAKEHOUSE_QUERY_MEMORY_MB"]
LAKEHOUSE_QUERY_WORKERS: int = _env["LAKEHOUSE_QUERY_WORKERS"]
LAKEHOUSE_LAKE_EXPORTS: bool = _env["LAKEHOUSE_LAKE_EXPORTS"]
LAKEHOUSE_CATALOG_UNDROP_DAYS: int = _env["LAKEHOUSE_CATALOG_UNDROP_DAYS"]
LAKEHOUSE_WORKER: bool = _env["LAKEHOUSE_WORKER"]
LAKEHOUSE_BIND: str = _env["LAKEHOUSE_BIND"]
LAKEHOUSE_AUTH_TOKEN: str = _env["LAKEHOUSE_AUTH_TOKEN"]
LAKEHOUSE_ALLOWED_IPS: str = _env["LAKEHOUSE_ALLOWED_IPS"]
LAKEHOUSE_TRUSTED_PROXIES: str = _env["LAKEHOUSE_TRUSTED_PROXIES"]
LAKEHOUSE_ALLOW_NON_LOOPBACK: bool = _env["LAKEHOUSE_ALLOW_NON_LOOPBACK"]
LAKEHOUSE_ALLOWED_HOSTS: list[str] | None = _env["LAKEHOUSE_ALLOWED_HOSTS"]
LAKEHOUSE_TRUSTED_ORIGINS: list[str] = _env["LAKEHOUSE_TRUSTED_ORIGINS"]
LAKEHOUSE_THROTTLE_RATES: dict[str, str] = _env["LAKEHOUSE_THROTTLE_RATES"]
LAKEHOUSE_EMAIL_URL: dict[str, Any] | None = _env["LAKEHOUSE_EMAIL_URL"]
LAKEHOUSE_WEBHOOK_HOSTS: list[str] = _env["LAKEHOUSE_WEBHOOK_HOSTS"]
LAKEHOUSE_LOG_LEVEL: str = _env["LAKEHOUSE_LOG_LEVEL"]
LAKEHOUSE_DEBUG: bool = _env["LAKEHOUSE_DEBUG"]

make_data_dir(LAKEHOUSE_DATA_DIR)

SECRET_KEY: str = _env["LAKEHOUSE_SECRET_KEY"] or secret_key(LAKEHOUSE_DATA_DIR)
DEBUG = LAKEHOUSE_DEBUG
ALLOWED_HOSTS = LAKEHOUSE_ALLOWED_HOSTS or (
    # Without a token the Host header is what keeps a web page in somebody's browser (DNS rebinding) out.
    ["*"] if LAKEHOUSE_AUTH_TOKEN and LAKEHOUSE_ALLOW_NON_LOOPBACK else ["localhost", "127.0.0.1", "[::1]"]
)

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_tasks_db",
    "lakehouse_site.apps.LakehouseSiteConfig",
    "lakehouse_site.access.apps.AccessConfig",
    "lakehouse_site.tasks.apps.TasksConfig",
    "vectors.apps.VectorsConfig",
    "catalog.apps.CatalogConfig",
    "distillation.apps.DistillationConfig",
    "drift.apps.DriftConfig",
]

MIDDLEWARE = [
    # First: everything below it, static files included, is behind the address layer.
    "lakehouse_site.middleware.DoorMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "lakehouse_site.middleware.SessionMiddleware",
    "lakehouse_site.middleware.CsrfViewMiddleware",
    "lakehouse_site.middleware.AuthenticationMiddleware",
    "lakehouse_site.middleware.MessageMiddleware",
]

ROOT_URLCONF = "lakehouse_site.urls"
WSGI_APPLICATION = "lakehouse_site.wsgi.application"
# CommonMiddleware, which would redirect API calls, is not installed; the admin reads this for its own addresses.
APPEND_SLASH = True

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "lakehouse_site" / "templates"],  # before DRF's own, some of which are replaced there
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]


# --- database ------------------------------------------------------------------------------------------------------
def _database() -> dict[str, Any]:
    config = _env["DATABASE_URL"] or {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(LAKEHOUSE_DATA_DIR / "lakehouse.sqlite3"),
    }
    options = config.setdefault("OPTIONS", {})
    config["CONN_MAX_AGE"] = None
    if config["ENGINE"] != "django.db.backends.sqlite3":
        # A server that has vanished from the network must not hold a request for the minutes that TCP alone would.
        waits = {"connect_timeout": 5, "keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3}
        config["OPTIONS"] = {**waits, "tcp_user_timeout": 30_000, **options}
        return {**config, "CONN_HEALTH_CHECKS": True}
    options.update(
        transaction_mode="IMMEDIATE",  # a transaction that begins by reading cannot fail later for want of the lock
        timeout=30,
        init_command=(
            "PRAGMA journal_mode=WAL;"
            f"PRAGMA synchronous={LAKEHOUSE_SQLITE_SYNCHRONOUS};"
            "PRAGMA cache_size=-16384;"  # KiB, for each thread
            "PRAGMA mmap_size=268435456;"
            "PRAGMA temp_store=MEMORY;"
        ),
    )
    # A file, so that the threads of a test share it.
    config["TEST"] = {"NAME": str(Path(tempfile.gettempdir()) / f"lakehouse-test-{os.getpid()}.sqlite3")}
    return dict(config)


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Throttling remembers its callers here; the default of 300 entries would forget them at once.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}

TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}


# --- object storage ------------------------------------------------------------------------------------------------
def _object_storage() -> dict[str, Any]:
    if not LAKEHOUSE_S3_BUCKET:
        return {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(LAKEHOUSE_DATA_DIR / "objects")},
        }
    from boto3.s3.transfer import TransferConfig  # boto3 takes 0.2 s to import, so only where it is needed
    from botocore.config import Config

    # A request to a service that hangs ends after two attempts, 41 s; by botocore's defaults after five minutes.
    client_config = Config(
        connect_timeout=3,
        read_timeout=20,
        retries={"total_max_attempts": 2, "mode": "standard"},
        s3={"addressing_style": "path" if LAKEHOUSE_S3_ENDPOINT_URL else "auto"},
        # By default botocore sends the CRC of an upload over TLS in a trailer, and so no Content-Length, which services
        # other than Amazon's may refuse (rclone 1.75 does). Without it botocore signs the SHA-256 of the body instead.
        request_checksum_calculation="when_required" if LAKEHOUSE_S3_ENDPOINT_URL else None,
    )
    # One request after the other, so that a transfer holds one part of 8 MiB; by default it is ten threads and as many
    # parts. An answer that breaks off is asked for once more, which makes 82 s of a download that hangs.
    transfer_config = TransferConfig(use_threads=False, num_download_attempts=2)
    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": LAKEHOUSE_S3_BUCKET,
            "endpoint_url": LAKEHOUSE_S3_ENDPOINT_URL or None,
            "file_overwrite": False,
            "client_config": client_config,
            "transfer_config": transfer_config,
            # What is read goes through a temporary file beyond this; the default, 0, means that it never does.
            "max_memory_size": 8 * MEBIBYTE,
        },
    }


STORAGES = {
    "default": _object_storage(),
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True  # files are served from the packages, so there is no collectstatic to forget
WHITENOISE_ALLOW_ALL_ORIGINS = False

# --- HTTP ----------------------------------------------------------------------------------------------------------
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * MEBIBYTE  # forms of the admin; API bodies have LAKEHOUSE_MAX_BODY_BYTES
CSRF_FAILURE_VIEW = "lakehouse_site.problems.csrf_failure"
CSRF_TRUSTED_ORIGINS = LAKEHOUSE_TRUSTED_ORIGINS
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = bool(LAKEHOUSE_TRUSTED_ORIGINS) and all(
    origin.startswith("https:") for origin in LAKEHOUSE_TRUSTED_ORIGINS
)
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SAMESITE = "Lax"
# Tokens are shown once in a message; the cookie keeps them out of the database.
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["lakehouse_site.http.JsonRenderer", "lakehouse_site.browsable.BrowsableRenderer"],
    "DEFAULT_PARSER_CLASSES": ["lakehouse_site.http.JsonParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "lakehouse_site.http.ContentNegotiation",
    "DEFAULT_AUTHENTICATION_CLASSES": [
        # The first one says what a 401 asks for.
        "lakehouse_site.access.authentication.BearerAuthentication",
        "lakehouse_site.access.authentication.StaffSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": [
        "lakehouse_site.access.permissions.SourceAllowed",
        "lakehouse_site.access.permissions.ScopeAllowed",
    ],
    "DEFAULT_THROTTLE_CLASSES": (
        ["lakehouse_site.access.throttling.ScopeThrottle"] if LAKEHOUSE_THROTTLE_RATES else []
    ),
    "DEFAULT_THROTTLE_RATES": LAKEHOUSE_THROTTLE_RATES,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "lakehouse_site.browsable.exception_handler",
    "URL_FORMAT_OVERRIDE": None,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Lakehouse",
    "VERSION": VERSION,
    "DESCRIPTION": "Vector indexes, training sets and drift. Errors are `application/problem+json` (RFC 9457).",
    # drf-spectacular's own default lets anybody in, whatever the defaults above say.
    "SERVE_PERMISSIONS": REST_FRAMEWORK["DEFAULT_PERMISSION_CLASSES"],
    "SERVE_INCLUDE_SCHEMA": False,
    "PREPROCESSING_HOOKS": ["lakehouse_site.schema.without_other_protocols"],
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "lakehouse_site.schema.finish"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# --- mail ----------------------------------------------------------------------------------------------------------
_mail = LAKEHOUSE_EMAIL_URL or {}
EMAIL_HOST: str = _mail.get("EMAIL_HOST", "")  # none: mails are not sent, and the log of deliveries says so
EMAIL_PORT: int = _mail.get("EMAIL_PORT", 25)
EMAIL_HOST_USER: str = _mail.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD: str = _mail.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_SSL: bool = _mail.get("EMAIL_USE_SSL", False)
EMAIL_USE_TLS: bool = _mail.get("EMAIL_USE_TLS", False)
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL: str = _mail.get("DEFAULT_FROM_EMAIL", "lakehouse@localhost")

# --- the rest ------------------------------------------------------------------------------------------------------
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGGING = logging_config(LAKEHOUSE_LOG_LEVEL)
