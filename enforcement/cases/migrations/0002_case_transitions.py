"""A case's way is held by the database itself: code, admin and a hand on psql alike."""

from django.db import migrations

FORWARD = """
CREATE SEQUENCE cases_number_seq;

CREATE FUNCTION cases_hold_transitions() RETURNS trigger LANGUAGE plpgsql AS $$
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
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('candidate', 'review'), ('review', 'candidate'),
        ('candidate', 'confirmed'), ('review', 'confirmed'),
        ('candidate', 'closed'), ('review', 'closed'),
        ('candidate', 'dismissed'), ('review', 'dismissed'), ('confirmed', 'dismissed'),
        ('confirmed', 'notice-issued'),
        ('notice-issued', 'paid'), ('notice-issued', 'appealed'),
        ('notice-issued', 'cancelled'), ('notice-issued', 'written-off'),
        ('appealed', 'upheld'), ('appealed', 'cancelled'), ('appealed', 'paid'),
        ('appealed', 'written-off'),
        ('upheld', 'paid'), ('upheld', 'cancelled'), ('upheld', 'written-off')
    ) THEN
        RAISE EXCEPTION 'a case can''t go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'case_transition';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER cases_transitions BEFORE INSERT OR UPDATE ON cases_case
    FOR EACH ROW EXECUTE FUNCTION cases_hold_transitions();

CREATE FUNCTION cases_event_unchanged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the history of a case is append-only' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER cases_event_no_change BEFORE UPDATE ON cases_caseevent
    FOR EACH ROW EXECUTE FUNCTION cases_event_unchanged();

-- Retention erases a case whole; its history goes with it, never without it. Deferred, because
-- the history is deleted first.
CREATE FUNCTION cases_event_with_case() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM cases_case WHERE id = OLD.case_id) THEN
        RAISE EXCEPTION 'the history of a case is append-only' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER cases_event_no_delete AFTER DELETE ON cases_caseevent
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION cases_event_with_case();
"""
BACKWARD = """
DROP TRIGGER cases_event_no_delete ON cases_caseevent;
DROP FUNCTION cases_event_with_case();
DROP TRIGGER cases_event_no_change ON cases_caseevent;
DROP FUNCTION cases_event_unchanged();
DROP TRIGGER cases_transitions ON cases_case;
DROP FUNCTION cases_hold_transitions();
DROP SEQUENCE cases_number_seq;
"""


class Migration(migrations.Migration):
    dependencies = [("cases", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
