-- CreateTable
CREATE TABLE "test_throttles" (
    "key" TEXT NOT NULL,
    "hits" JSONB NOT NULL,
    "last_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "test_throttles_pkey" PRIMARY KEY ("key")
);
