-- CreateTable
CREATE TABLE "instance" (
    "id" INTEGER NOT NULL DEFAULT 1,
    "epoch" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "instance_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "users" (
    "id" UUID NOT NULL,
    "email" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "is_admin" BOOLEAN NOT NULL DEFAULT false,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "users_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "projects" (
    "id" UUID NOT NULL,
    "slug" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "dashboard_url" TEXT,
    "task_url_template" TEXT,
    "offline_after_seconds" INTEGER NOT NULL DEFAULT 30,
    "rules_version" BIGINT NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "projects_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "memberships" (
    "project_id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "role" TEXT NOT NULL,
    "joined_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "memberships_pkey" PRIMARY KEY ("project_id","user_id")
);

-- CreateTable
CREATE TABLE "api_tokens" (
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "hash" BYTEA NOT NULL,
    "project_id" UUID,
    "user_id" UUID,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3),
    "last_used_at" TIMESTAMPTZ(3),

    CONSTRAINT "api_tokens_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "channels" (
    "id" UUID NOT NULL,
    "owner_id" UUID NOT NULL,
    "project_id" UUID,
    "user_id" UUID,
    "name" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "config" JSONB NOT NULL,
    "secrets" TEXT NOT NULL,
    "is_active" BOOLEAN NOT NULL DEFAULT true,
    "disabled_reason" TEXT,
    "version" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "channels_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "channel_health" (
    "channel_id" UUID NOT NULL,
    "last_success_at" TIMESTAMPTZ(3),
    "last_failure_at" TIMESTAMPTZ(3),
    "last_error" TEXT,
    "consecutive_failures" INTEGER NOT NULL DEFAULT 0,
    "failing_since" TIMESTAMPTZ(3),
    "noticed" BOOLEAN NOT NULL DEFAULT false,
    "unreachable" INTEGER NOT NULL DEFAULT 0,
    "probe_at" TIMESTAMPTZ(3),
    "held_until" TIMESTAMPTZ(3),

    CONSTRAINT "channel_health_pkey" PRIMARY KEY ("channel_id")
);

-- CreateTable
CREATE TABLE "subscriptions" (
    "id" UUID NOT NULL,
    "project_id" UUID NOT NULL,
    "user_id" UUID,
    "owner_id" UUID NOT NULL,
    "name" TEXT,
    "trigger" TEXT NOT NULL,
    "priority_min" INTEGER,
    "priority_max" INTEGER,
    "task_name_pattern" TEXT,
    "queue" TEXT,
    "cooldown_seconds" INTEGER NOT NULL DEFAULT 0,
    "cooldown_by" TEXT NOT NULL DEFAULT 'SUBSCRIPTION',
    "muted_until" TIMESTAMPTZ(3),
    "in_app" BOOLEAN NOT NULL,
    "is_active" BOOLEAN NOT NULL DEFAULT true,
    "is_default_copy" BOOLEAN NOT NULL DEFAULT false,
    "last_fired_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "subscriptions_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "subscription_channels" (
    "subscription_id" UUID NOT NULL,
    "channel_id" UUID NOT NULL,

    CONSTRAINT "subscription_channels_pkey" PRIMARY KEY ("subscription_id","channel_id")
);

-- CreateTable
CREATE TABLE "cooldowns" (
    "subscription_id" UUID NOT NULL,
    "key" TEXT NOT NULL,
    "last_fired_at" TIMESTAMPTZ(6) NOT NULL,
    "suppressed" INTEGER NOT NULL DEFAULT 0,
    "claim" UUID NOT NULL,
    "claim_suppressed" INTEGER NOT NULL DEFAULT 0,
    "claim_since" TIMESTAMPTZ(6),

    CONSTRAINT "cooldowns_pkey" PRIMARY KEY ("subscription_id","key")
);

-- CreateTable
CREATE TABLE "default_subscriptions" (
    "id" UUID NOT NULL,
    "project_id" UUID NOT NULL,
    "trigger" TEXT NOT NULL,
    "priority_min" INTEGER,
    "priority_max" INTEGER,
    "task_name_pattern" TEXT,
    "queue" TEXT,
    "cooldown_seconds" INTEGER NOT NULL DEFAULT 0,
    "cooldown_by" TEXT NOT NULL DEFAULT 'SUBSCRIPTION',
    "muted_until" TIMESTAMPTZ(3),
    "in_app" BOOLEAN NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "default_subscriptions_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "default_subscription_channels" (
    "default_id" UUID NOT NULL,
    "channel_id" UUID NOT NULL,

    CONSTRAINT "default_subscription_channels_pkey" PRIMARY KEY ("default_id","channel_id")
);

-- CreateTable
CREATE TABLE "events" (
    "id" UUID NOT NULL,
    "project_id" UUID NOT NULL,
    "event_id" TEXT NOT NULL,
    "trigger" TEXT NOT NULL,
    "is_thin" BOOLEAN NOT NULL,
    "occurred_at" TIMESTAMPTZ(3),
    "accepted_at" TIMESTAMPTZ(3) NOT NULL,
    "task_id" TEXT,
    "task_name" TEXT,
    "queue" TEXT,
    "engine" TEXT,
    "priority" INTEGER,
    "state" TEXT,
    "agent" TEXT,
    "runtime_ms" INTEGER,
    "exception" TEXT,
    "traceback" TEXT,
    "data" JSON,

    CONSTRAINT "events_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "deliveries" (
    "id" UUID NOT NULL,
    "project_id" UUID,
    "channel_id" UUID NOT NULL,
    "channel_name" TEXT NOT NULL,
    "channel_type" TEXT NOT NULL,
    "channel_user_id" UUID,
    "user_id" UUID,
    "event_ref" UUID,
    "event_id" TEXT,
    "trigger" TEXT NOT NULL,
    "task_id" TEXT,
    "task_name" TEXT,
    "agent" TEXT,
    "status" TEXT NOT NULL,
    "status_code" INTEGER,
    "reason" TEXT,
    "error" TEXT,
    "response_body" TEXT,
    "attempts" JSONB NOT NULL DEFAULT '[]',
    "attempt_count" INTEGER NOT NULL DEFAULT 0,
    "round_attempts" INTEGER NOT NULL DEFAULT 0,
    "queued_at" TIMESTAMPTZ(3) NOT NULL,
    "next_attempt_at" TIMESTAMPTZ(3),
    "job_id" UUID,
    "url" TEXT,
    "subscription_ids" UUID[],
    "suppressed_count" INTEGER NOT NULL DEFAULT 0,
    "suppressed_since" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "finished_at" TIMESTAMPTZ(3),

    CONSTRAINT "deliveries_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "delivery_viewers" (
    "user_id" UUID NOT NULL,
    "delivery_id" UUID NOT NULL,

    CONSTRAINT "delivery_viewers_pkey" PRIMARY KEY ("user_id","delivery_id")
);

-- CreateTable
CREATE TABLE "inboxes" (
    "user_id" UUID NOT NULL,
    "head" BIGINT NOT NULL DEFAULT 0,
    "floor" BIGINT NOT NULL DEFAULT 0,
    "unread" INTEGER NOT NULL DEFAULT 0,
    "unseen" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "inboxes_pkey" PRIMARY KEY ("user_id")
);

-- CreateTable
CREATE TABLE "inbox_items" (
    "user_id" UUID NOT NULL,
    "seq" BIGINT NOT NULL,
    "kind" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "project_id" UUID,
    "event_ref" UUID,
    "subscription_id" UUID,
    "channel_id" UUID,
    "suppressed_count" INTEGER NOT NULL DEFAULT 0,
    "notice" JSONB,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "seen_at" TIMESTAMPTZ(3),
    "read_at" TIMESTAMPTZ(3),
    "archived_at" TIMESTAMPTZ(3),

    CONSTRAINT "inbox_items_pkey" PRIMARY KEY ("user_id","seq")
);

-- CreateTable
CREATE TABLE "inbox_changes" (
    "user_id" UUID NOT NULL,
    "seq" BIGINT NOT NULL,
    "kind" TEXT NOT NULL,
    "items" BIGINT[],
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "inbox_changes_pkey" PRIMARY KEY ("user_id","seq")
);

-- CreateIndex
CREATE UNIQUE INDEX "users_email_key" ON "users"("email");

-- CreateIndex
CREATE UNIQUE INDEX "projects_slug_key" ON "projects"("slug");

-- CreateIndex
CREATE INDEX "memberships_user_id_idx" ON "memberships"("user_id");

-- CreateIndex
CREATE UNIQUE INDEX "api_tokens_hash_key" ON "api_tokens"("hash");

-- CreateIndex
CREATE INDEX "api_tokens_project_id_id_idx" ON "api_tokens"("project_id", "id");

-- CreateIndex
CREATE INDEX "api_tokens_user_id_id_idx" ON "api_tokens"("user_id", "id");

-- CreateIndex
CREATE INDEX "channels_project_id_id_idx" ON "channels"("project_id", "id");

-- CreateIndex
CREATE INDEX "channels_user_id_id_idx" ON "channels"("user_id", "id");

-- CreateIndex
CREATE UNIQUE INDEX "channels_owner_id_name_key" ON "channels"("owner_id", "name");

-- CreateIndex
CREATE INDEX "subscriptions_user_id_id_idx" ON "subscriptions"("user_id", "id");

-- CreateIndex
CREATE INDEX "subscriptions_project_id_id_idx" ON "subscriptions"("project_id", "id");

-- CreateIndex
CREATE UNIQUE INDEX "subscriptions_project_id_owner_id_name_key" ON "subscriptions"("project_id", "owner_id", "name");

-- CreateIndex
CREATE INDEX "subscription_channels_channel_id_idx" ON "subscription_channels"("channel_id");

-- CreateIndex
CREATE INDEX "default_subscriptions_project_id_id_idx" ON "default_subscriptions"("project_id", "id");

-- CreateIndex
CREATE INDEX "default_subscription_channels_channel_id_idx" ON "default_subscription_channels"("channel_id");

-- CreateIndex
CREATE UNIQUE INDEX "events_project_id_event_id_key" ON "events"("project_id", "event_id");

-- CreateIndex
CREATE INDEX "deliveries_project_id_id_idx" ON "deliveries"("project_id", "id");

-- CreateIndex
CREATE INDEX "deliveries_queued" ON "deliveries"("channel_id", "id") WHERE (status = 'QUEUED');

-- CreateIndex
CREATE INDEX "delivery_viewers_delivery_id_idx" ON "delivery_viewers"("delivery_id");

-- CreateIndex
CREATE INDEX "inbox_items_user_id_project_id_seq_idx" ON "inbox_items"("user_id", "project_id", "seq");

-- CreateIndex
CREATE INDEX "inbox_items_unread" ON "inbox_items"("user_id", "seq") WHERE (read_at IS NULL AND archived_at IS NULL);

-- CreateIndex
CREATE INDEX "inbox_items_event_ref_idx" ON "inbox_items"("event_ref");

-- AddForeignKey
ALTER TABLE "memberships" ADD CONSTRAINT "memberships_project_id_fkey" FOREIGN KEY ("project_id") REFERENCES "projects"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "memberships" ADD CONSTRAINT "memberships_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "api_tokens" ADD CONSTRAINT "api_tokens_project_id_fkey" FOREIGN KEY ("project_id") REFERENCES "projects"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "api_tokens" ADD CONSTRAINT "api_tokens_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "channels" ADD CONSTRAINT "channels_project_id_fkey" FOREIGN KEY ("project_id") REFERENCES "projects"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "channels" ADD CONSTRAINT "channels_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "channel_health" ADD CONSTRAINT "channel_health_channel_id_fkey" FOREIGN KEY ("channel_id") REFERENCES "channels"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_project_id_fkey" FOREIGN KEY ("project_id") REFERENCES "projects"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "subscription_channels" ADD CONSTRAINT "subscription_channels_subscription_id_fkey" FOREIGN KEY ("subscription_id") REFERENCES "subscriptions"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "subscription_channels" ADD CONSTRAINT "subscription_channels_channel_id_fkey" FOREIGN KEY ("channel_id") REFERENCES "channels"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "cooldowns" ADD CONSTRAINT "cooldowns_subscription_id_fkey" FOREIGN KEY ("subscription_id") REFERENCES "subscriptions"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "default_subscriptions" ADD CONSTRAINT "default_subscriptions_project_id_fkey" FOREIGN KEY ("project_id") REFERENCES "projects"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "default_subscription_channels" ADD CONSTRAINT "default_subscription_channels_default_id_fkey" FOREIGN KEY ("default_id") REFERENCES "default_subscriptions"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "default_subscription_channels" ADD CONSTRAINT "default_subscription_channels_channel_id_fkey" FOREIGN KEY ("channel_id") REFERENCES "channels"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "inboxes" ADD CONSTRAINT "inboxes_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;
