# One image for web, workers and beat: the command says which.
FROM python:3.13-slim-bookworm AS build
WORKDIR /app
COPY requirements/base.txt requirements/base.txt
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements/base.txt

FROM python:3.13-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /app platewarden \
    && install -d -o platewarden -g platewarden -m 0700 /data/pictures
WORKDIR /app
COPY --from=build /venv /venv
COPY --chown=root:root . /app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1 \
    DJANGO_SETTINGS_MODULE=alpr_site.settings
# Static files need settings but no service; the values are never used.
RUN printf 'only-for-collecting-static-files-never-for-a-site' > /tmp/secret \
    && DATABASE_URL=postgres://nobody@127.0.0.1/none KEYSTORE_URL=postgres://nobody@127.0.0.1/keys \
       REDIS_URL=redis://127.0.0.1/0 STORAGE_URL=file:///tmp/store SECRET_KEY_FILE=/tmp/secret \
       python manage.py collectstatic --noinput && rm /tmp/secret
USER platewarden
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=4s --start-period=40s --retries=4 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=3)"]
CMD ["uvicorn", "alpr_site.asgi:application", "--host", "0.0.0.0", "--port", "8000", "--http", "h11", "--no-access-log", "--timeout-graceful-shutdown", "5"]
