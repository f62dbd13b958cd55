"""Pages and the API as WSGI (served inside `alpr_site.asgi`)."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alpr_site.settings")
application = get_wsgi_application()
