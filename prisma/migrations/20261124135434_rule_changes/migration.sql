-- CreateTable
CREATE TABLE "rule_changes" (
    "project_id" UUID NOT NULL,
    "version" BIGINT NOT NULL,
    "subscription_id" UUID NOT NULL,

    CONSTRAINT "rule_changes_pkey" PRIMARY KEY ("project_id","version","subscription_id")
);

-- Notes which subscriptions a change concerns, under the version of the rules that it makes: whoever changes one has moved the version before (src/db/locks.ts).
CREATE FUNCTION note_rule_changes(subscription_ids UUID[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO "rule_changes" ("project_id", "version", "subscription_id")
    SELECT p.id, p.rules_version, s.id FROM subscriptions AS s JOIN projects AS p ON p.id = s.project_id WHERE s.id = ANY (subscription_ids)
    ON CONFLICT DO NOTHING;
$$;

CREATE FUNCTION subscriptions_note_rule_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO "rule_changes" ("project_id", "version", "subscription_id")
        SELECT id, rules_version, OLD.id FROM projects WHERE id = OLD.project_id
        ON CONFLICT DO NOTHING;
    ELSE
        PERFORM note_rule_changes(ARRAY[NEW.id]);
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION subscription_channels_note_rule_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_rule_changes(ARRAY[CASE TG_OP WHEN 'DELETE' THEN OLD.subscription_id ELSE NEW.subscription_id END]);
    RETURN NULL;
END
$$;

CREATE FUNCTION channels_note_rule_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_rule_changes(ARRAY(SELECT subscription_id FROM subscription_channels WHERE channel_id = NEW.id));
    RETURN NULL;
END
$$;

CREATE FUNCTION memberships_note_rule_changes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    membership memberships%ROWTYPE := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    PERFORM note_rule_changes(ARRAY(SELECT id FROM subscriptions WHERE project_id = membership.project_id AND owner_id = membership.user_id));
    RETURN NULL;
END
$$;

CREATE TRIGGER note_rule_changes AFTER INSERT OR DELETE ON "subscriptions" FOR EACH ROW EXECUTE FUNCTION subscriptions_note_rule_changes();
-- All that the matcher reads; not last_fired_at, name and times.
CREATE TRIGGER note_rule_changes_of_update AFTER UPDATE OF "trigger", "is_active", "in_app", "is_default_copy", "priority_min", "priority_max", "task_name_pattern", "queue",
    "cooldown_seconds", "cooldown_by", "muted_until" ON "subscriptions" FOR EACH ROW
    WHEN ((OLD."trigger", OLD."is_active", OLD."in_app", OLD."is_default_copy", OLD."priority_min", OLD."priority_max", OLD."task_name_pattern", OLD."queue",
        OLD."cooldown_seconds", OLD."cooldown_by", OLD."muted_until") IS DISTINCT FROM (NEW."trigger", NEW."is_active", NEW."in_app", NEW."is_default_copy",
        NEW."priority_min", NEW."priority_max", NEW."task_name_pattern", NEW."queue", NEW."cooldown_seconds", NEW."cooldown_by", NEW."muted_until"))
    EXECUTE FUNCTION subscriptions_note_rule_changes();
CREATE TRIGGER note_rule_changes AFTER INSERT OR DELETE ON "subscription_channels" FOR EACH ROW EXECUTE FUNCTION subscription_channels_note_rule_changes();
CREATE TRIGGER note_rule_changes AFTER UPDATE OF "name", "is_active" ON "channels" FOR EACH ROW
    WHEN ((OLD."name", OLD."is_active") IS DISTINCT FROM (NEW."name", NEW."is_active")) EXECUTE FUNCTION channels_note_rule_changes();
CREATE TRIGGER note_rule_changes AFTER INSERT OR DELETE ON "memberships" FOR EACH ROW EXECUTE FUNCTION memberships_note_rule_changes();
