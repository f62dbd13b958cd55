"""A case's life after the judge: policies, payments, appeals; and the database holds the way."""

import django.db.models.deletion
import enforcement.cases.policies
import uuid
import vault.models
from django.conf import settings
from django.db import migrations, models


_WAYS = """
        ('candidate', 'review'), ('review', 'candidate'),
        ('candidate', 'confirmed'), ('review', 'confirmed'),
        ('candidate', 'closed'), ('review', 'closed'),
        ('candidate', 'dismissed'), ('review', 'dismissed'), ('confirmed', 'dismissed'),
        ('confirmed', 'notice-issued'),
        ('notice-issued', 'paid'), ('notice-issued', 'appealed'),
        ('notice-issued', 'cancelled'), ('notice-issued', 'written-off'),
        ('appealed', 'upheld'), ('appealed', 'cancelled'), ('appealed', 'paid'),
        ('appealed', 'written-off'),
        ('upheld', 'paid'), ('upheld', 'cancelled'), ('upheld', 'written-off')"""

_TRANSITIONS = """
CREATE OR REPLACE FUNCTION cases_hold_transitions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state NOT IN ('candidate', 'review') THEN
            RAISE EXCEPTION 'a case begins as candidate or review, not as %', NEW.state
                USING ERRCODE = 'check_violation', CONSTRAINT = 'case_transition';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.number <> OLD.number OR NEW.subject_key <> OLD.subject_key
        OR NEW.site_id <> OLD.site_id THEN
        RAISE EXCEPTION 'a case keeps its number, site and subject'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'case_transition';
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN ({ways}
    ) THEN
        RAISE EXCEPTION 'a case can''t go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'case_transition';
    END IF;{more}
    RETURN NEW;
END $$;
"""

# a case paid before it was taken back is cancelled too: the money goes back
_MORE_WAYS = (
    _WAYS
    + """,
        ('paid', 'cancelled')"""
)

_MORE = """
    -- the changes of state are numbered here, so that each can be asked for its line of history
    NEW.turn := OLD.turn + (NEW.state <> OLD.state)::int;
    IF NEW.state = 'confirmed' AND OLD.state <> 'confirmed' THEN
        PERFORM cases_hold_confirmation(NEW);
    END IF;"""

CONFIRMATION = """
CREATE FUNCTION cases_hold_confirmation(asked cases_case) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    policy cases_casepolicy%ROWTYPE;
BEGIN
    SELECT * INTO policy FROM cases_casepolicy
        WHERE site_id = asked.site_id AND effective_from <= asked.decided_at
        ORDER BY effective_from DESC LIMIT 1;
    IF policy.four_eyes AND (asked.vouched_by_id IS NULL OR asked.decided_by_id IS NULL
        OR asked.vouched_by_id = asked.decided_by_id) THEN
        RAISE EXCEPTION 'two people must confirm a case of this site'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'case_four_eyes';
    END IF;
    IF asked.decided_by_id IS NULL AND NOT coalesce(policy.auto_confirm, false) THEN
        RAISE EXCEPTION 'nothing is confirmed without a person at this site'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'case_auto_confirm';
    END IF;
END $$;
"""
HISTORY = """
CREATE FUNCTION cases_event_of_turn() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT turn INTO NEW.turn FROM cases_case WHERE id = NEW.case_id;
    RETURN NEW;
END $$;
CREATE TRIGGER cases_event_turn BEFORE INSERT ON cases_caseevent
    FOR EACH ROW EXECUTE FUNCTION cases_event_of_turn();

-- Who, when and why of every change of state. Deferred: the case is changed first.
CREATE FUNCTION cases_turn_told() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM cases_case WHERE id = NEW.id) AND NOT EXISTS (
        SELECT 1 FROM cases_caseevent WHERE case_id = NEW.id AND turn = NEW.turn
            AND from_state = OLD.state AND to_state = NEW.state AND actor <> '' AND reason <> ''
    ) THEN
        RAISE EXCEPTION 'a case went from % to % and its history says not who and why',
            OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'case_turn_told';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER cases_turn_has_event AFTER UPDATE ON cases_case
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.state <> NEW.state)
    EXECUTE FUNCTION cases_turn_told();

CREATE FUNCTION cases_payment_unchanged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a payment that was recorded stays' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER cases_payment_no_change BEFORE UPDATE ON cases_casepayment
    FOR EACH ROW EXECUTE FUNCTION cases_payment_unchanged();
CREATE CONSTRAINT TRIGGER cases_payment_no_delete AFTER DELETE ON cases_casepayment
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION cases_event_with_case();
"""
FORWARD = (CONFIRMATION, _TRANSITIONS.format(ways=_MORE_WAYS, more=_MORE), HISTORY)
NO_HISTORY = """
DROP TRIGGER cases_payment_no_delete ON cases_casepayment;
DROP TRIGGER cases_payment_no_change ON cases_casepayment;
DROP FUNCTION cases_payment_unchanged();
DROP TRIGGER cases_turn_has_event ON cases_case;
DROP FUNCTION cases_turn_told();
DROP TRIGGER cases_event_turn ON cases_caseevent;
DROP FUNCTION cases_event_of_turn();
"""
BACKWARD = (
    NO_HISTORY,
    _TRANSITIONS.format(ways=_WAYS, more=""),
    "DROP FUNCTION cases_hold_confirmation(cases_case);",
)


class Migration(migrations.Migration):
    dependencies = [
        ("cameras", "0005_capture_picture_due"),
        ("cases", "0003_evidence_chain"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="CaseAppeal",
            fields=[
                (
                    "data_class",
                    models.CharField(
                        choices=[
                            ("pending", "pending read"),
                            ("compliant", "compliant read"),
                            ("unmatched", "unmatched non-violation read"),
                            ("watchlist", "watchlist hit"),
                            ("case", "case evidence"),
                            ("device-image", "device image"),
                            ("right", "right (vignette, permit, payment)"),
                            ("entry", "watchlist entry"),
                        ],
                        max_length=16,
                    ),
                ),
                ("data_key", models.UUIDField(db_index=True, editable=False)),
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("text", vault.models.SealedTextField()),
                ("contact", vault.models.SealedTextField()),
                ("token_exact", vault.models.TokenField(db_index=True)),
                (
                    "through",
                    models.CharField(
                        choices=[
                            ("page", "the notice's page"),
                            ("letter", "letter"),
                            ("mail", "e-mail"),
                            ("spoken", "in person or by telephone"),
                        ],
                        max_length=6,
                    ),
                ),
                ("received_at", models.DateTimeField()),
                ("decided_at", models.DateTimeField(null=True)),
                ("outcome", models.CharField(blank=True, max_length=11)),
                ("reason", models.CharField(blank=True, max_length=40)),
            ],
            options={
                "ordering": ["received_at"],
            },
        ),
        migrations.CreateModel(
            name="CasePayment",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("amount", models.PositiveIntegerField()),
                ("paid_on", models.DateField()),
                ("reference", models.CharField(max_length=64)),
                ("recorded_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["paid_on", "recorded_at"],
            },
        ),
        migrations.CreateModel(
            name="CasePolicy",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("effective_from", models.DateTimeField()),
                (
                    "four_eyes",
                    models.BooleanField(
                        default=False,
                        help_text="A second person must confirm what the first one confirmed.",
                    ),
                ),
                (
                    "auto_confirm",
                    models.BooleanField(
                        default=False,
                        help_text="Candidates are confirmed without anybody looking. Off unless you must.",
                    ),
                ),
                (
                    "currency",
                    models.CharField(
                        help_text="ISO 4217, for example GBP, CZK, EUR.", max_length=3
                    ),
                ),
                (
                    "notice_amount",
                    models.PositiveIntegerField(help_text="In pence, haléře or cents."),
                ),
                (
                    "discount_amount",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="What is due within the discount's time; empty: none.",
                        null=True,
                    ),
                ),
                (
                    "adds_tariff",
                    models.BooleanField(
                        default=False,
                        help_text="The unpaid parking charge is asked for besides the amount.",
                    ),
                ),
                ("scheme", models.CharField(help_text="How deadlines are counted.", max_length=20)),
                (
                    "country",
                    models.CharField(
                        blank=True, help_text="Whose public holidays count.", max_length=2
                    ),
                ),
                (
                    "region",
                    models.CharField(
                        blank=True, help_text="Of that country, for example BY.", max_length=6
                    ),
                ),
                (
                    "issue_days",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="Days to give the notice in; empty: as the scheme says.",
                        null=True,
                    ),
                ),
                ("discount_days", models.PositiveSmallIntegerField()),
                ("due_days", models.PositiveSmallIntegerField()),
                ("appeal_days", models.PositiveSmallIntegerField()),
                (
                    "languages",
                    models.JSONField(
                        default=enforcement.cases.policies._english,
                        help_text="Of notices; the first is proposed.",
                    ),
                ),
                (
                    "payee",
                    models.TextField(
                        help_text="Who asks for the money, line by line.", max_length=500
                    ),
                ),
                ("pay_texts", models.JSONField(blank=True, default=dict)),
                ("appeal_texts", models.JSONField(blank=True, default=dict)),
            ],
            options={
                "verbose_name_plural": "case policies",
                "ordering": ["site", "-effective_from"],
            },
        ),
        migrations.AlterModelOptions(
            name="caseevent",
            options={"ordering": ["at", "turn"]},
        ),
        migrations.RemoveConstraint(
            model_name="case",
            name="decided_case_says_who_when_why",
        ),
        migrations.AddField(
            model_name="case",
            name="amount",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="case",
            name="appeal_until",
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name="case",
            name="currency",
            field=models.CharField(blank=True, max_length=3),
        ),
        migrations.AddField(
            model_name="case",
            name="discount_amount",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="case",
            name="discount_until",
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name="case",
            name="due_on",
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name="case",
            name="issued_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="case",
            name="last_issue_day",
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name="case",
            name="taken_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="case",
            name="taken_until",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="case",
            name="tariff_amount",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="case",
            name="turn",
            field=models.PositiveIntegerField(default=0, editable=False),
        ),
        migrations.AddField(
            model_name="case",
            name="vouched_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="case",
            name="vouched_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="case",
            name="withdrawal_asked_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="case",
            name="withdrawal_reason",
            field=models.CharField(blank=True, max_length=40),
        ),
        migrations.AddField(
            model_name="caseevent",
            name="turn",
            field=models.PositiveIntegerField(default=0, editable=False),
        ),
        migrations.AddConstraint(
            model_name="case",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["candidate", "review", "closed"]),
                    models.Q(
                        ("decided_at__isnull", False),
                        ("decided_by__isnull", False),
                        models.Q(("decision_reason", ""), _negated=True),
                    ),
                    models.Q(("decided_at__isnull", False), ("decision_reason", "auto-confirm")),
                    _connector="OR",
                ),
                name="decided_case_says_who_when_why",
            ),
        ),
        migrations.AddConstraint(
            model_name="case",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("issued_at__isnull", False),
                    ("state__in", ["candidate", "review", "confirmed", "dismissed", "closed"]),
                    _connector="OR",
                ),
                name="issued_case_says_when",
            ),
        ),
        migrations.AddConstraint(
            model_name="case",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("issued_at__isnull", True),
                    models.Q(
                        models.Q(("currency", ""), _negated=True),
                        ("amount__isnull", False),
                        ("due_on__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="issued_case_says_what_is_due",
            ),
        ),
        migrations.AddConstraint(
            model_name="case",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("vouched_at__isnull", True), ("vouched_by__isnull", True)),
                    models.Q(("vouched_at__isnull", False), ("vouched_by__isnull", False)),
                    _connector="OR",
                ),
                name="vouched_case_says_who_and_when",
            ),
        ),
        migrations.AddField(
            model_name="caseappeal",
            name="case",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="appeals", to="cases.case"
            ),
        ),
        migrations.AddField(
            model_name="caseappeal",
            name="decided_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="casepayment",
            name="case",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="payments",
                to="cases.case",
            ),
        ),
        migrations.AddField(
            model_name="casepayment",
            name="recorded_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="casepolicy",
            name="site",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="case_policies",
                to="cameras.site",
            ),
        ),
        migrations.AddConstraint(
            model_name="caseappeal",
            constraint=models.UniqueConstraint(
                condition=models.Q(("decided_at__isnull", True)),
                fields=("case",),
                name="one_open_appeal",
            ),
        ),
        migrations.AddConstraint(
            model_name="caseappeal",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("decided_at__isnull", True), ("decided_by__isnull", True), ("outcome", "")
                    ),
                    models.Q(
                        ("decided_at__isnull", False),
                        models.Q(("outcome", ""), _negated=True),
                        models.Q(("reason", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="decided_appeal_says_what",
            ),
        ),
        migrations.AddConstraint(
            model_name="casepayment",
            constraint=models.UniqueConstraint(
                fields=("case", "reference"), name="case_payment_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="casepayment",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gt", 0)), name="case_payment_is_some"
            ),
        ),
        migrations.AddConstraint(
            model_name="casepolicy",
            constraint=models.UniqueConstraint(
                fields=("site", "effective_from"), name="one_case_policy_per_instant"
            ),
        ),
        migrations.AddConstraint(
            model_name="casepolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("discount_amount__isnull", True),
                    ("discount_amount__lte", models.F("notice_amount")),
                    _connector="OR",
                ),
                name="case_policy_discount_is_one",
            ),
        ),
        migrations.AddConstraint(
            model_name="casepolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(("discount_days__lte", models.F("due_days"))),
                name="case_policy_discount_before_due",
            ),
        ),
        migrations.AddConstraint(
            model_name="casepolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(("four_eyes", False), ("auto_confirm", False), _connector="OR"),
                name="case_policy_four_eyes_or_none",
            ),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
