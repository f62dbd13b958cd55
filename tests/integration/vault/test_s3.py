"""The sealed store on an S3-compatible service: a real S3 API, spoken over HTTP."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from alpr_site import environment
from plates.models import Passage
from vault import files
from vault.models import DataClass, DoomedFile
from vault.sealing import assign_key, open_file, seal_file

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


@pytest.fixture
def bucket(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    s3 = boto3.resource("s3", endpoint_url=endpoint, region_name="eu-central-1")
    made = s3.create_bucket(
        Bucket="plates", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    monkeypatch.setenv("STORAGE_URL", f"s3://plates/sealed?endpoint={endpoint}&region=eu-central-1")
    settings.STORAGES = settings.STORAGES | {"sealed": environment.storage()}
    files._store.cache_clear()
    yield made
    server.stop()


def test_pictures_are_sealed_fetched_listed_and_removed(bucket: Any) -> None:
    row = Passage(id=uuid.uuid4())
    assign_key(row, scope="s", data_class=DataClass.PENDING, now=NOW)
    seal_file(row, "country", b"a picture", now=NOW)
    (stored,) = bucket.objects.all()
    assert stored.key == f"sealed/{row.country}"
    assert b"a picture" not in stored.get()["Body"].read()
    assert open_file(row, "country") == b"a picture"
    assert files.names_before(NOW + timedelta(days=2)) == [row.country]
    files.doom([row.country], now=NOW)
    assert list(bucket.objects.all()) == []
    assert not DoomedFile.objects.exists()
    with pytest.raises(FileNotFoundError):
        open_file(row, "country")
