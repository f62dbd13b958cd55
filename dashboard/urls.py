"""The pages' addresses. They carry row ids, never a plate."""

from django.urls import path

from dashboard.views import (
    alerts,
    audit,
    cameras,
    cases,
    cases_after,
    cases_together,
    feed,
    health,
    notice_page,
    notices,
    overview,
    purpose,
    reads,
)
from dashboard.views import search as searching

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("figures/", overview.overview_figures, name="overview_figures"),
    path("counts/", overview.counts, name="counts"),
    path("purpose/", purpose.purpose, name="purpose"),
    path("feed/", feed.feed, name="feed"),
    path("feed/reads/", feed.feed_reads, name="feed_reads"),
    path("feed/verdicts/", feed.feed_verdicts, name="feed_verdicts"),
    path("reads/<uuid:read_id>/", reads.read, name="read"),
    path("reads/<uuid:read_id>/open/", reads.read_open, name="read_open"),
    path("reads/<uuid:read_id>/plate/", reads.read_plate, name="read_plate"),
    path(
        "reads/<uuid:read_id>/picture/",
        reads.read_picture,
        {"which": "picture"},
        name="read_picture",
    ),
    path("reads/<uuid:read_id>/crop/", reads.read_picture, {"which": "crop"}, name="read_crop"),
    path("reads/<uuid:read_id>/ask/", reads.read_ask, name="read_ask"),
    path("cases/", cases.cases, name="cases"),
    path("cases/<uuid:case_id>/", cases.cases_case, name="cases_case"),
    path("cases/<uuid:case_id>/open/", cases.cases_open, name="cases_open"),
    path("cases/<uuid:case_id>/decide/", cases.cases_decide, name="cases_decide"),
    path("cases/start/", cases.cases_start, name="cases_start"),
    path("cases/together/", cases_together.cases_together, name="cases_together"),
    path("cases/together/open/", cases_together.cases_together_open, name="cases_together_open"),
    path(
        "cases/together/decide/",
        cases_together.cases_together_decide,
        name="cases_together_decide",
    ),
    path(
        "cases/<uuid:case_id>/evidence/<uuid:evidence_id>/correct/",
        cases.cases_correct,
        name="cases_correct",
    ),
    path("cases/<uuid:case_id>/pay/", cases_after.cases_pay, name="cases_pay"),
    path("cases/<uuid:case_id>/appeal/", cases_after.cases_appeal, name="cases_appeal"),
    path("cases/<uuid:case_id>/answer/", cases_after.cases_answer, name="cases_answer"),
    path("cases/<uuid:case_id>/end/", cases_after.cases_end, name="cases_end"),
    path(
        "cases/<uuid:case_id>/evidence/<uuid:evidence_id>/picture/",
        cases.cases_evidence,
        {"which": "picture"},
        name="cases_picture",
    ),
    path(
        "cases/<uuid:case_id>/evidence/<uuid:evidence_id>/crop/",
        cases.cases_evidence,
        {"which": "crop"},
        name="cases_crop",
    ),
    path("cases/<uuid:case_id>/notice/draft/", notices.notices_preview, name="notices_preview"),
    path("cases/<uuid:case_id>/notice/issue/", notices.notices_issue, name="notices_issue"),
    path("cases/<uuid:case_id>/notice/pdf/", notices.notices_pdf, name="notices_pdf"),
    path("cases/<uuid:case_id>/notice/again/", notices.notices_again, name="notices_again"),
    path("cases/<uuid:case_id>/evidence/pdf/", notices.notices_pack, name="notices_pack"),
    path("letters/", notices.letters, name="letters"),
    path("letters/<uuid:delivery_id>/returned/", notices.notices_returned, name="notices_returned"),
    path("letters/print/<uuid:site_id>/", notices.letters_print, name="letters_print"),
    path("letters/batch/<uuid:batch_id>/pdf/", notices.letters_pdf, name="letters_pdf"),
    path("letters/batch/<uuid:batch_id>/list/", notices.letters_list, name="letters_list"),
    # the addressee's page: the secret in its address is the gate
    path("notice/<str:number>/<str:secret>/", notice_page.notice_page, name="notice_page"),
    path(
        "notice/<str:number>/<str:secret>/pdf/",
        notice_page.notice_page_pdf,
        name="notice_page_pdf",
    ),
    path("alerts/", alerts.alerts, name="alerts"),
    path("alerts/rows/", alerts.alerts_rows, name="alerts_rows"),
    path(
        "alerts/<uuid:alert_id>/acknowledge/", alerts.alerts_acknowledge, name="alerts_acknowledge"
    ),
    path("alerts/<uuid:alert_id>/entry/", alerts.alerts_entry, name="alerts_entry"),
    path("cameras/", cameras.cameras, name="cameras"),
    path("cameras/<uuid:camera_id>/", cameras.cameras_camera, name="cameras_camera"),
    path("cameras/<uuid:camera_id>/open/", cameras.cameras_open, name="cameras_open"),
    path(
        "cameras/<uuid:camera_id>/thumbnail/", cameras.cameras_thumbnail, name="cameras_thumbnail"
    ),
    path("cameras/<uuid:camera_id>/setup/", cameras.cameras_setup, name="cameras_setup"),
    path("search/", searching.search, name="search"),
    path("audit/", audit.audit, name="audit"),
    path("audit/verify/", audit.audit_verify, name="audit_verify"),
    path("healthz", health.healthz, name="healthz"),
    path("metrics", health.metrics, name="metrics"),
]
