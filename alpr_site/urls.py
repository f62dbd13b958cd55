"""All addresses. Every one has a gate or a reasoned exception (tests/architecture)."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path

admin.autodiscover()
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("api/", include("alpr_site.api_urls")),
    path("", include("gateway.urls")),
    path("", include("dashboard.urls")),
]
