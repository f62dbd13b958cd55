"""What was issued stays as it was issued: held by the database, not only by code."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION notices_unchanged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a notice stays as it was issued'
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'notice_unchanged';
END $$;
CREATE TRIGGER notices_no_change BEFORE UPDATE ON notices_notice
    FOR EACH ROW EXECUTE FUNCTION notices_unchanged();

-- Retention erases a case whole; its notice goes with it, never without it. Deferred, because the
-- notice is deleted first.
CREATE FUNCTION notices_with_case() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM cases_case WHERE id = OLD.case_id) THEN
        RAISE EXCEPTION 'a notice goes only with its case'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'notice_unchanged';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER notices_no_delete AFTER DELETE ON notices_notice
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION notices_with_case();
"""
BACKWARD = """
DROP TRIGGER notices_no_delete ON notices_notice;
DROP FUNCTION notices_with_case();
DROP TRIGGER notices_no_change ON notices_notice;
DROP FUNCTION notices_unchanged();
"""


class Migration(migrations.Migration):
    dependencies = [("notices", "0001_notices")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
