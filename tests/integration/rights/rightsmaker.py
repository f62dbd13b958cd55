"""Providers, sites and deliveries for the tests of rights."""

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.test import Client

from audit.services import Actor
from cameras.models import Organisation, Site
from enforcement.rights.keys import provider_key_create
from enforcement.rights.models import Provider, ProviderKey

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
ADMIN = Actor("person", "admin")
RIGHTS = "/api/v1/rights"


@dataclass
class Seller:
    """A provider with a key and its own way to the API."""

    provider: Provider
    key: ProviderKey
    shown: str
    client: Client

    @property
    def actor(self) -> Actor:
        return Actor("provider", self.provider.name)

    def post(self, body: Any, path: str = RIGHTS) -> Any:
        data = body if isinstance(body, bytes) else json.dumps(body)
        return self.client.post(
            path, data, "application/json", headers={"Authorization": f"Bearer {self.shown}"}
        )

    def get(self, path: str) -> Any:
        return self.client.get(path, headers={"Authorization": f"Bearer {self.shown}"})

    def delete(self, path: str) -> Any:
        return self.client.delete(path, headers={"Authorization": f"Bearer {self.shown}"})


def make_site(organisation: Organisation, slug: str, kind: str = "parking") -> Site:
    return Site.objects.create(
        organisation=organisation, name=slug, slug=slug, kind=kind, timezone="Europe/Prague"
    )


def make_seller(organisation: Organisation, *sites: Site) -> Seller:
    provider = Provider.objects.create(
        name=f"seller {uuid.uuid4().hex[:8]}", organisation=organisation
    )
    provider.sites.set(sites)
    key, shown = provider_key_create(provider=provider, actor=ADMIN, now=NOW)
    return Seller(provider, key, shown, Client())


def whole_database() -> str:
    """Every row of every table as text; bytes both as PostgreSQL prints them and decoded."""
    texts = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            texts += [row[0] for row in cursor.fetchall()]
    return "\n".join(texts)
