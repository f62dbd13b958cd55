"""The evidence chain, corrections and signed manifests, held by the database itself."""

import django.db.models.deletion
import uuid
import vault.models
from django.conf import settings
from django.db import migrations, models

FORWARD = """
ALTER TABLE cases_chainentry
    ADD CONSTRAINT chain_content_is_sha256 CHECK (octet_length(content) = 32);

-- The database numbers and links every entry itself, whoever inserts it. One appender of a site at
-- a time, until its commit: else two would follow the same entry, or a rollback would leave a gap.
CREATE FUNCTION cases_chain_link() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    genesis CONSTANT bytea := decode(repeat('00', 32), 'hex');
    last_seq bigint;
    last_digest bytea;
    back bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(NEW.site_id::text, 7));
    SELECT seq, digest INTO last_seq, last_digest FROM cases_chainentry
        WHERE site_id = NEW.site_id ORDER BY seq DESC LIMIT 1;
    NEW.seq := coalesce(last_seq, 0) + 1;
    NEW.previous := coalesce(last_digest, genesis);
    back := NEW.seq - (NEW.seq & -NEW.seq);
    IF back = 0 THEN
        NEW.skip := genesis;
    ELSIF back = NEW.seq - 1 THEN
        NEW.skip := NEW.previous;
    ELSE
        SELECT digest INTO STRICT NEW.skip FROM cases_chainentry
            WHERE site_id = NEW.site_id AND seq = back;
    END IF;
    NEW.digest := sha256(
        uuid_send(NEW.site_id) || int8send(NEW.seq) || NEW.previous || NEW.skip
        || int8send((extract(epoch FROM NEW.at) * 1000000)::bigint)
        || NEW.content || convert_to(NEW.kind, 'UTF8')
    );
    RETURN NEW;
END $$;
CREATE TRIGGER cases_chain_link BEFORE INSERT ON cases_chainentry
    FOR EACH ROW EXECUTE FUNCTION cases_chain_link();

CREATE FUNCTION cases_attested() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what was attested in % is append-only', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER cases_chain_no_change BEFORE UPDATE OR DELETE ON cases_chainentry
    FOR EACH ROW EXECUTE FUNCTION cases_attested();
CREATE TRIGGER cases_chain_no_truncate BEFORE TRUNCATE ON cases_chainentry
    FOR EACH STATEMENT EXECUTE FUNCTION cases_attested();
CREATE TRIGGER cases_correction_no_change BEFORE UPDATE ON cases_correction
    FOR EACH ROW EXECUTE FUNCTION cases_attested();
CREATE TRIGGER cases_manifest_no_change BEFORE UPDATE ON cases_manifest
    FOR EACH ROW EXECUTE FUNCTION cases_attested();

-- A picture may join a read that was kept; the read itself stays as it was read.
CREATE TRIGGER cases_evidence_no_change BEFORE UPDATE ON cases_evidence FOR EACH ROW
    WHEN ((OLD.id, OLD.case_id, OLD.capture_id, OLD.role, OLD.camera_name, OLD.captured_at,
           OLD.received_at, OLD.text, OLD.salt, OLD.token_exact)
        IS DISTINCT FROM
          (NEW.id, NEW.case_id, NEW.capture_id, NEW.role, NEW.camera_name, NEW.captured_at,
           NEW.received_at, NEW.text, NEW.salt, NEW.token_exact))
    EXECUTE FUNCTION cases_attested();

-- Retention erases a case whole; corrections and manifests go with it, never without it. Deferred,
-- because they are deleted first.
CREATE FUNCTION cases_attested_with_case() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM cases_case WHERE id = OLD.case_id) THEN
        RAISE EXCEPTION 'what was attested in % is append-only', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER cases_correction_no_delete AFTER DELETE ON cases_correction
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION cases_attested_with_case();
CREATE CONSTRAINT TRIGGER cases_manifest_no_delete AFTER DELETE ON cases_manifest
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION cases_attested_with_case();
"""
BACKWARD = """
DROP TRIGGER cases_manifest_no_delete ON cases_manifest;
DROP TRIGGER cases_correction_no_delete ON cases_correction;
DROP FUNCTION cases_attested_with_case();
DROP TRIGGER cases_evidence_no_change ON cases_evidence;
DROP TRIGGER cases_manifest_no_change ON cases_manifest;
DROP TRIGGER cases_correction_no_change ON cases_correction;
DROP TRIGGER cases_chain_no_truncate ON cases_chainentry;
DROP TRIGGER cases_chain_no_change ON cases_chainentry;
DROP FUNCTION cases_attested();
DROP TRIGGER cases_chain_link ON cases_chainentry;
DROP FUNCTION cases_chain_link();
ALTER TABLE cases_chainentry DROP CONSTRAINT chain_content_is_sha256;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("cases", "0002_case_transitions"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="SigningKey",
            fields=[
                ("fingerprint", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("public", models.BinaryField(max_length=32)),
                ("first_used_at", models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name="evidence",
            name="crop_sha256",
            field=models.BinaryField(max_length=32, null=True),
        ),
        migrations.AddField(
            model_name="evidence",
            name="salt",
            field=vault.models.SealedTextField(null=True),
        ),
        migrations.CreateModel(
            name="ChainEntry",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("site_id", models.UUIDField()),
                ("seq", models.BigIntegerField()),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("evidence", "a read was kept"),
                            ("verdict", "the judge's verdict"),
                            ("decision", "a step of a case"),
                            ("correction", "a read was corrected"),
                            ("manifest", "a manifest was signed"),
                            ("notice", "a notice was issued"),
                        ],
                        max_length=12,
                    ),
                ),
                ("content", models.BinaryField(max_length=32)),
                ("at", models.DateTimeField()),
                ("previous", models.BinaryField(max_length=32)),
                ("skip", models.BinaryField(max_length=32)),
                ("digest", models.BinaryField(max_length=32)),
            ],
            options={
                "ordering": ["site_id", "seq"],
                "indexes": [models.Index(fields=["content"], name="chain_content")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("site_id", "seq"), name="one_chain_without_gaps"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "kind__in",
                                [
                                    "evidence",
                                    "verdict",
                                    "decision",
                                    "correction",
                                    "manifest",
                                    "notice",
                                ],
                            )
                        ),
                        name="chain_entry_is_of_a_kind",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Correction",
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
                ("salt", vault.models.SealedTextField()),
                ("token_exact", vault.models.TokenField(db_index=True)),
                ("country", models.CharField(blank=True, max_length=6)),
                ("reason", models.CharField(max_length=40)),
                ("note", models.CharField(blank=True, max_length=500)),
                ("at", models.DateTimeField()),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="corrections",
                        to="cases.case",
                    ),
                ),
                (
                    "evidence",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="corrections",
                        to="cases.evidence",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["at", "pk"],
            },
        ),
        migrations.CreateModel(
            name="Manifest",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("made_at", models.DateTimeField()),
                ("sha256", models.BinaryField(max_length=32)),
                ("chain_seq", models.BigIntegerField()),
                ("signature", models.BinaryField(max_length=64)),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="manifests",
                        to="cases.case",
                    ),
                ),
                (
                    "key",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="cases.signingkey",
                    ),
                ),
            ],
            options={
                "ordering": ["chain_seq"],
            },
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
