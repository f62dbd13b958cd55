"""Small pieces of pages: icons, badges, times in a site's own clock, bars."""

import uuid
from datetime import datetime
from typing import Any

from django import template
from django.forms import BoundField, CheckboxInput
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from audit.purposes import PURPOSES
from cameras.models import DeviceSettings, Site
from dashboard import wording
from enforcement.cases.models import Case
from enforcement.cases.reasons import words
from enforcement.cases.selectors import SOON, Deadline, deadlines_of
from enforcement.notices.languages import language
from enforcement.rights.outcomes import Reason

register = template.Library()


@register.simple_tag
def icon(name: str) -> SafeString:
    """One icon of the sprite, for eyes only: the word stands beside it."""
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        static("platewarden/icons.svg"),
        name,
    )


@register.simple_tag(takes_context=True)
def nav(
    context: dict[str, Any], url_name: str, icon_name: str, label: str, count: str = ""
) -> SafeString:
    """One entry of the menu; `count` names the operator's count shown beside it."""
    request = context["request"]
    match = getattr(request, "resolver_match", None)
    here = match is not None and (match.url_name or "").split("_")[0] == url_name.split("_")[0]
    number = getattr(context["operator"], count) if count else 0
    return format_html(
        '<a href="{}"{}>{} {}{}</a>',
        reverse(url_name),
        mark_safe(' aria-current="page"') if here else "",
        icon(icon_name),
        label,
        count_badge(count, number) if count else "",
    )


@register.simple_tag
def count_badge(name: str, number: int, oob: bool = False) -> SafeString:
    """How many wait, beside a menu entry; hidden at 0. `oob` replaces the one in the page."""
    return format_html(
        ' <span class="count" id="{}" data-count="{}"{}>{}'
        '<span class="visually-hidden"> open</span></span>',
        name,
        number,
        mark_safe(' hx-swap-oob="true"') if oob else "",
        number,
    )


def _badge(shown: wording.Shown, *, extra: str = "") -> SafeString:
    return format_html(
        '<span class="badge badge--{}{}">{}{}</span>',
        shown.tone,
        extra,
        icon(shown.icon),
        shown.label,
    )


@register.simple_tag
def verdict_badge(name: str | None, provisional: bool = False) -> SafeString:
    """A verdict's badge; dashed while it may still change."""
    return _badge(wording.verdict(name), extra=" badge--provisional" if provisional else "")


@register.simple_tag
def case_badge(state: str) -> SafeString:
    """A case's state."""
    return _badge(wording.CASE_STATES[state])


@register.simple_tag
def certainty_badge(certainty: str) -> SafeString:
    """How certain an alert is: by word, icon and border, not by colour alone."""
    return _badge(wording.CERTAINTIES[certainty])


@register.simple_tag
def camera_badge(state: str) -> SafeString:
    """A camera's state."""
    return _badge(wording.CAMERA_STATES[state])


@register.simple_tag
def settings_badge(settings: DeviceSettings) -> SafeString:
    """Whether a device has its settings in force."""
    return _badge(wording.SETTINGS_STATES[settings.state])


@register.filter
def verdict_sentence(name: str | None) -> str:
    """What a verdict means, in one sentence."""
    return wording.verdict(name).sentence


@register.filter
def reason_words(name: str | None) -> str:
    """A verdict's reason in words."""
    return wording.reason(name)


@register.filter
def refusal_words(reason: str) -> str:
    """Why finds were turned down, in words."""
    return wording.refusal(reason)


@register.filter
def case_state_words(state: str) -> str:
    """A case's state in words."""
    return wording.CASE_STATES[state].label


@register.filter
def decision_words(code: str) -> str:
    """Why a person decided, or the judge closed, a case, or what else happened to it."""
    return words(code) or (wording.reason(code) if code in set(Reason) else code)


@register.filter
def money(amount: int | None, currency: str) -> str:
    """An amount in minor units with its currency."""
    return "–" if amount is None else language("en").money(amount, currency)


@register.simple_tag
def deadline_badge(deadline: Deadline) -> SafeString:
    """A day that counts down: how many are left, and by tone whether it runs out."""
    left = deadline.left
    if left < 0:
        shown = wording.Shown(f"over since {-left} d", "bad", "cross")
    elif left == 0:
        shown = wording.Shown("today is the last day", "bad", "clock")
    else:
        tone = "warn" if deadline.soon else "none"
        shown = wording.Shown(f"{left} d left", tone, "clock" if deadline.soon else "hourglass")
    return _badge(shown)


@register.simple_tag
def next_deadline(case: Case, now: datetime) -> SafeString | str:
    """The badge of what runs out first for a case, with its word; empty where nothing does soon."""
    running_out = [one for one in deadlines_of(case, now) if one.left <= SOON]
    if not running_out:
        return ""
    first = running_out[0]
    return format_html(
        '<span class="small muted">{} {}</span>',
        wording.DEADLINES[first.name],
        deadline_badge(first),
    )


@register.filter
def same_id(text: str, row_id: uuid.UUID) -> bool:
    """Whether `text` names the row."""
    return text == str(row_id)


@register.filter
def deadline_words(deadline: Deadline) -> str:
    """What a day is the last for."""
    return wording.DEADLINES[deadline.name]


@register.filter
def purpose_words(code: str) -> str:
    """A purpose of the list in words."""
    purpose = PURPOSES.get(code)
    return purpose.label if purpose else code


@register.filter
def is_checkbox(field: BoundField) -> bool:
    """Whether a form's field is a single box to tick."""
    return isinstance(field.field.widget, CheckboxInput)


@register.simple_tag
def site_time(at: datetime | None, site: Site, form: str = "short") -> SafeString | str:
    """A time by the site's own clock. `short` leaves today's date out, `full` names the zone."""
    if at is None:
        return "–"
    local = at.astimezone(site.zone_info)
    if form == "full":
        text = f"{local:%Y-%m-%d %H:%M:%S} {local:%Z}"
    elif local.date() == timezone.now().astimezone(site.zone_info).date():
        text = f"{local:%H:%M:%S}"
    else:
        text = f"{local:%d %b %H:%M}"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        at.isoformat(timespec="seconds"),
        f"{local:%Y-%m-%d %H:%M:%S %Z}",
        text,
    )


@register.simple_tag
def ago(at: datetime | None, now: datetime) -> str:
    """How long ago, in the largest fitting unit."""
    if at is None:
        return "never"
    seconds = max(0, int((now - at).total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit} ago"
    return f"{seconds} s ago"


def _tone(score: float) -> str:
    return "good" if score >= 0.9 else "warn" if score >= 0.7 else "bad"


@register.simple_tag
def score_bar(score: float | None) -> SafeString | str:
    """A score of 0–1 as percent with a bar."""
    if score is None:
        return ""
    return format_html(
        '<span class="score"><svg class="bar" data-tone="{}" viewBox="0 0 100 10"'
        ' preserveAspectRatio="none" aria-hidden="true"><rect width="{}" height="10"></rect></svg>'
        '<span class="num">{} %</span></span>',
        _tone(score),
        round(score * 100, 1),
        int(score * 100),  # down: 99.6 is not 100
    )


@register.simple_tag
def char_bars(text: str, scores: list[float]) -> SafeString | str:
    """The reader's score of each character, drawn; told in words to who can't see it."""
    if not scores or len(scores) != len(text):
        return ""
    columns = format_html_join(
        "",
        '<rect class="ground" x="{}" y="2" width="16" height="40" rx="2"></rect>'
        '<rect class="{}" x="{}" y="{}" width="16" height="{}" rx="2"></rect>'
        '<text x="{}" y="55">{}</text><text class="pct" x="{}" y="65">{}</text>',
        (
            (
                at * 20 + 2,
                _tone(score),
                at * 20 + 2,
                round(42 - 40 * score, 2),
                round(40 * score, 2),
                at * 20 + 10,
                character,
                at * 20 + 10,
                int(score * 100),
            )
            for at, (character, score) in enumerate(zip(text, scores, strict=True))
        ),
    )
    words = ", ".join(
        f"{character} {int(score * 100)} percent"
        for character, score in zip(text, scores, strict=True)
    )
    return format_html(
        '<svg class="chars" viewBox="0 0 {} 68" role="img"'
        ' aria-label="Score of each character: {}">{}</svg>',
        len(text) * 20,
        words,
        columns,
    )


@register.simple_tag
def spark(values: list[int], label: str) -> SafeString:
    """Counts per hour as small columns, oldest first."""
    top = max([*values, 1])
    columns = format_html_join(
        "",
        '<rect class="ground" x="{}" y="0" width="8" height="44" rx="1"></rect>'
        '<rect x="{}" y="{}" width="8" height="{}" rx="1"></rect>',
        (
            (at * 10 + 1, at * 10 + 1, round(44 - 44 * value / top, 1), round(44 * value / top, 1))
            for at, value in enumerate(values)
        ),
    )
    return format_html(
        '<svg class="spark" viewBox="0 0 {} 44" preserveAspectRatio="none" role="img"'
        ' aria-label="{}">{}</svg>',
        len(values) * 10,
        label,
        columns,
    )


@register.filter
def points(quad: list[Any] | None) -> str:
    """Four corners as the `points` of an SVG polygon; takes [x, y, …] and [[x, y], …]."""
    if not quad:
        return ""
    flat: list[float] = []
    for corner in quad:
        flat.extend(corner if isinstance(corner, list) else [corner])
    corners = zip(flat[::2], flat[1::2], strict=True)
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)


@register.filter
def short_id(value: uuid.UUID) -> str:
    """The last part of an id, for people to tell rows apart."""
    return str(value)[-8:]
