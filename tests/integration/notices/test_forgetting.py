"""Retention: a notice goes whole with its case, and the chain that attests it stays."""

from datetime import timedelta
from pathlib import Path

import pytest

from enforcement.cases.chain import chain_verify
from enforcement.cases.models import Case, ChainEntry
from enforcement.cases.settling import case_cancel
from enforcement.notices.models import Notice, NoticeDelivery
from enforcement.retention.services import forget, keys_destroy_unused, orphans_remove
from tests.integration.notices.issued import clerk, issued, site_with_policy
from vault import files
from vault.models import DataClass, DataKey

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


def test_a_notice_goes_with_its_case_and_the_chain_stays(sealed_store: Path) -> None:
    park, olga = site_with_policy(), clerk()
    notice = issued(park, olga)
    case_cancel(case_id=notice.case_id, user=olga, reason="goodwill", now=park.now)
    assert files.get(notice.pdf)
    forget(now=park.now + timedelta(days=89))
    assert Notice.objects.exists()
    forget(now=park.now + timedelta(days=92))
    assert not Case.objects.exists()
    assert not Notice.objects.exists()
    assert not NoticeDelivery.objects.exists()
    with pytest.raises(FileNotFoundError):
        files.get(notice.pdf)
    assert ChainEntry.objects.filter(kind="notice", content=notice.pdf_sha256).exists()
    assert chain_verify(park.site.pk).broken_at is None


def test_the_key_of_a_notice_lives_as_long_as_the_notice() -> None:
    park, olga = site_with_policy(), clerk()
    notice = issued(park, olga)
    delivery = notice.deliveries.get()
    later = park.now + timedelta(days=30)
    keys_destroy_unused(now=later)
    alive = DataKey.objects.using("keys").filter(destroyed_at__isnull=True)
    assert {notice.data_key, delivery.data_key} <= set(alive.values_list("pk", flat=True))
    assert notice.data_class == DataClass.CASE


def test_the_file_of_a_notice_is_no_orphan() -> None:
    park, olga = site_with_policy(), clerk()
    notice = issued(park, olga)
    orphans_remove(now=park.now + timedelta(days=5))
    assert files.get(notice.pdf)
