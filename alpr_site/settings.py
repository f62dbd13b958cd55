"""Django settings, all from the environment (`alpr_site.environment`; docs/settings.md)."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog
from django.templatetags.static import static
from django.urls import reverse_lazy

from alpr_site import environment as env
from core.logs import bare_exception

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = env.secret_key()
DEBUG = env.read("PLATEWARDEN_DEBUG")
PLATEWARDEN_URL = env.read("PLATEWARDEN_URL")
ALLOWED_HOSTS = [*env.read("PLATEWARDEN_HOSTS"), urlsplit(PLATEWARDEN_URL).hostname or "localhost"]
CSRF_TRUSTED_ORIGINS = [PLATEWARDEN_URL]

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django_prometheus",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "django_htmx",
    "chartkick.django",
    "core",
    "vault",
    "audit",
    "cameras",
    "plates",
    "enforcement.rights",
    "enforcement.watchlist",
    "enforcement.visits",
    "enforcement.cases",
    "enforcement.notices",
    "enforcement.retention",
    "gateway",
    "dashboard",
    "demo",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "dashboard.middleware.ContentSecurityPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "alpr_site.urls"
WSGI_APPLICATION = "alpr_site.wsgi.application"
APPEND_SLASH = False  # a redirect would lose a POST's body; urls take both forms where it matters

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "dashboard.context.operator",
            ],
        },
    },
]

# --- databases: the main one, and the key store that its backups don't contain -----------------
DATABASES = {"default": env.database("DATABASE_URL"), "keys": env.database("KEYSTORE_URL")}
if (DATABASES["default"]["HOST"], DATABASES["default"]["PORT"], DATABASES["default"]["NAME"]) == (
    DATABASES["keys"]["HOST"],
    DATABASES["keys"]["PORT"],
    DATABASES["keys"]["NAME"],
):
    raise env.SettingError("KEYSTORE_URL must not be the main database")
DATABASE_ROUTERS = ["vault.routers.KeyStoreRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.read("REDIS_URL")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "pw",
    }
}
SESSION_ENGINE = "django.contrib.sessions.backends.db"  # survives the loss of the cache

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},  # nothing stores in clear
    "sealed": env.storage(),
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "static_built"
STATICFILES_DIRS = [BASE_DIR / "static"]
if DEBUG:
    STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    WHITENOISE_USE_FINDERS = True

# --- uploads: memory only, since Django's temporary files would hold plates in clear -----------
_UPLOAD_BYTES = env.read("PLATEWARDEN_UPLOAD_MB") * 1024 * 1024
UPLOAD_MAX_BYTES = _UPLOAD_BYTES
UPLOAD_MAX_SECONDS = env.read("PLATEWARDEN_UPLOAD_SECONDS")
WEB_THREADS = env.read("PLATEWARDEN_WEB_THREADS")
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]
FILE_UPLOAD_MAX_MEMORY_SIZE = _UPLOAD_BYTES
DATA_UPLOAD_MAX_MEMORY_SIZE = _UPLOAD_BYTES
DATA_UPLOAD_MAX_NUMBER_FILES = 400

# --- the product's own -------------------------------------------------------------------------
PLATEWARDEN_MASTER_KEY_FILE = env.read("PLATEWARDEN_MASTER_KEY_FILE")
PLATEWARDEN_INDEX_KEY_FILE = env.read("PLATEWARDEN_INDEX_KEY_FILE")
PLATEWARDEN_SIGNING_KEY_FILE = env.read("PLATEWARDEN_SIGNING_KEY_FILE")
PICTURE_MAX_BYTES = env.read("PLATEWARDEN_PICTURE_MB") * 1024 * 1024
PICTURE_MAX_PIXELS = env.read("PLATEWARDEN_PICTURE_MEGAPIXELS") * 1_000_000
SECOND_READER = env.read("PLATEWARDEN_SECOND_READER")
PICTURE_TILES = env.read("PLATEWARDEN_TILES")
DEVICE_RATE = env.read("PLATEWARDEN_DEVICE_RATE")
DEVICE_BURST = env.read("PLATEWARDEN_DEVICE_BURST")
CAPTURE_MAX_AGE = timedelta(days=env.read("PLATEWARDEN_MAX_AGE_DAYS"))
CAPTURE_MAX_AHEAD = timedelta(minutes=env.read("PLATEWARDEN_MAX_AHEAD_MINUTES"))
RECOGNISE_LEASE = timedelta(seconds=env.read("PLATEWARDEN_LEASE_SECONDS"))

LOOKUP_HOSTS = env.read("PLATEWARDEN_LOOKUP_HOSTS")
LOOKUP_NETWORKS = env.read("PLATEWARDEN_LOOKUP_NETWORKS")

MQTT_BROKER = env.mqtt()
FRIGATE_CAMERAS = env.read("PLATEWARDEN_FRIGATE_CAMERAS")

# --- queue -------------------------------------------------------------------------------------
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 120  # below the broker's visibility timeout, always
CELERY_TASK_SOFT_TIME_LIMIT = 100
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 300,
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "retry_on_timeout": True,
    "max_retries": 0,  # of a doorbell: the sweeper rings again, a 202 must not wait
    "health_check_interval": 5,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    stage: {
        "task": f"stage.{stage}",
        "schedule": seconds,
        "options": {"queue": "house", "expires": 2 * seconds},
    }
    for stage, seconds in (
        ("sweep", 3.0),
        ("lookup", 5.0),
        ("forget", 5.0),
        ("health", 20.0),
        ("tidy", 21_600.0),
    )
}

# --- people ------------------------------------------------------------------------------------
AUTH_USER_MODEL = "core.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "dashboard.accounts.ClosedAdapter"  # people are added by an admin
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = False
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = urlsplit(PLATEWARDEN_URL).hostname in ("localhost",)
MFA_TOTP_ISSUER = "Platewarden"
MFA_ALLOW_UNVERIFIED_EMAIL = True  # sign-up is closed: nobody takes somebody else's address

# --- REST --------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "core.api.exception_handler",
    "STRICT_JSON": True,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Platewarden",
    "DESCRIPTION": "Captures and rights in, verdicts out. Plates sealed; every look audited.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "PREPROCESSING_HOOKS": ["cameras.schema.plain_paths"],
}

# --- time, language, security ------------------------------------------------------------------
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-gb"
USE_I18N = True

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
if PLATEWARDEN_URL.startswith("https://"):
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_HSTS_SECONDS = 31_536_000
if env.read("PLATEWARDEN_PROXY"):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
EMAIL_FROM = DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.read("EMAIL_FROM")
globals().update(env.email())
NOTICE_FONTS = env.read("PLATEWARDEN_FONTS")

# --- the admin: rooms of the house as groups, colours of static/platewarden/app.css ------------


def _item(title: str, icon: str, model: str, page: str = "changelist") -> dict[str, Any]:
    """A line of the admin's menu, for whoever may see the rows of `model` (app.model)."""
    app, name = model.split(".")
    link = reverse_lazy(f"admin:{app}_{name}_{page}")

    def is_here(request: Any) -> bool:
        if page != "changelist":
            return bool(request.path == link)
        match = request.resolver_match
        own_line = match is not None and match.url_name in _PAGES_OF_THEIR_OWN
        return request.path.startswith(str(link)) and not own_line

    return {
        "title": title,
        "icon": icon,
        "link": link,
        "active": is_here,
        "permission": lambda request: request.user.has_perm(f"{app}.view_{name}"),
    }


_PAGES_OF_THEIR_OWN = {
    "rights_right_import_file",
    "retention_policy_table",
    "retention_erasurereport_dry_run",
}

UNFOLD = {
    "SITE_TITLE": "Platewarden",
    "SITE_HEADER": "Platewarden",
    "SITE_SUBHEADER": "Administration",
    "SITE_SYMBOL": "shield_lock",
    "SITE_URL": "/",
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda request: static("platewarden/favicon.svg"),
        }
    ],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "BORDER_RADIUS": "6px",
    "STYLES": [lambda request: static("platewarden/admin.css")],
    "SCRIPTS": [lambda request: static("platewarden/admin.js")],
    "COLORS": {
        "base": {
            "50": "#f2f4f8",
            "100": "#e8ecf2",
            "200": "#d6dde7",
            "300": "#b6c2d2",
            "400": "#7c8ba0",
            "500": "#56657b",
            "600": "#47556a",
            "700": "#33435a",
            "800": "#263244",
            "900": "#131b26",
            "950": "#0b1118",
        },
        "primary": {
            "50": "#f0f5fd",
            "100": "#e3ecfb",
            "200": "#c5d8f6",
            "300": "#a9caff",
            "400": "#86b4ff",
            "500": "#86b4ff",
            "600": "#0a49a8",
            "700": "#083a87",
            "800": "#172a4a",
            "900": "#0c2856",
            "950": "#0c1a36",
        },
        "font": {
            "subtle-light": "#47556a",
            "subtle-dark": "#a8b5c7",
            "default-light": "#33475f",
            "default-dark": "#c3cede",
            "important-light": "#131c2b",
            "important-dark": "#e9eef6",
        },
    },
    "ACCOUNT": {
        "navigation": [
            {"title": "Operators' pages", "link": reverse_lazy("overview")},
            {"title": "Second factors", "link": reverse_lazy("mfa_index")},
        ],
    },
    "SIDEBAR": {
        "show_search": False,  # what is typed there would stand in addresses
        "show_all_applications": False,
        "navigation": [
            {
                "title": "Sites and cameras",
                "items": [
                    _item("Organisations", "corporate_fare", "cameras.organisation"),
                    _item("Sites", "location_on", "cameras.site"),
                    _item("Rules", "rule", "rights.siterules"),
                    _item("Tariffs", "payments", "rights.tariff"),
                    _item("Zones", "grid_view", "cameras.zone"),
                    _item("Cameras", "photo_camera", "cameras.camera"),
                    _item("Device keys", "key", "cameras.devicekey"),
                    _item("Captures", "image_search", "cameras.capture"),
                    _item("Heartbeats", "monitor_heart", "cameras.heartbeat"),
                    _item("Counts by day", "bar_chart", "cameras.daycount"),
                ],
            },
            {
                "title": "Rights",
                "separator": True,
                "items": [
                    _item("Rights", "verified", "rights.right"),
                    _item("Import", "upload_file", "rights.right", "import_file"),
                    _item("Schemes", "calendar_month", "rights.scheme"),
                    _item("Providers", "storefront", "rights.provider"),
                    _item("Provider keys", "vpn_key", "rights.providerkey"),
                ],
            },
            {
                "title": "Watchlists and cases",
                "separator": True,
                "items": [
                    _item("Watchlists", "playlist_add_check", "watchlist.watchlist"),
                    _item("Entries", "list", "watchlist.entry"),
                    _item("Cases", "gavel", "cases.case"),
                    _item("Notices", "mail", "notices.notice"),
                    _item("Outbox", "outbox", "notices.noticedelivery"),
                    _item("Case policies", "policy", "cases.casepolicy"),
                ],
            },
            {
                "title": "Retention",
                "separator": True,
                "items": [
                    _item("What is kept", "table", "retention.policy", "table"),
                    _item("Policies", "schedule", "retention.policy"),
                    _item("Legal holds", "lock_clock", "retention.hold"),
                    _item("Erasure reports", "summarize", "retention.erasurereport"),
                    _item("What is due", "delete_sweep", "retention.erasurereport", "dry_run"),
                ],
            },
            {
                "title": "People and audit",
                "separator": True,
                "items": [
                    _item("People", "group", "core.user"),
                    _item("Roles", "badge", "cameras.siterole"),
                    _item("Groups", "admin_panel_settings", "auth.group"),
                    _item("Audit log", "history", "audit.auditrow"),
                ],
            },
        ],
    },
}

# --- logs: one JSON line each; request and statement texts never enter them ---------------------
_LEVEL = env.read("PLATEWARDEN_LOG").upper()
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        bare_exception,
        structlog.processors.JSONRenderer(),
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": "structlog.stdlib.ProcessorFormatter",
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
            "foreign_pre_chain": [
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                bare_exception,
            ],
        }
    },
    "filters": {"bare": {"()": "core.logs.BareExceptions"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "json", "filters": ["bare"]}
    },
    "root": {"handlers": ["stderr"], "level": _LEVEL},
    "loggers": {
        "django.request": {"level": "ERROR"},
        "django.server": {"level": "ERROR"},
        # its own handlers would print exceptions past our filter
        "uvicorn": {"handlers": [], "propagate": True},
        "uvicorn.access": {"handlers": [], "propagate": True, "level": "ERROR"},
        "celery": {"level": "WARNING"},
        "celery.app.trace": {"level": "ERROR"},
    },
}
