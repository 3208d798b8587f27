-- AlterTable
ALTER TABLE "channels" ADD COLUMN     "destination" TEXT,
ADD COLUMN     "pace" TEXT;

-- AlterTable
ALTER TABLE "deliveries" ADD COLUMN     "has_slot" BOOLEAN NOT NULL DEFAULT false;

-- CreateTable
CREATE TABLE "destinations" (
    "key" TEXT NOT NULL,
    "booked" JSONB NOT NULL DEFAULT '[]',
    "expected" BIGINT NOT NULL DEFAULT 0,
    "held_until" TIMESTAMPTZ(3),

    CONSTRAINT "destinations_pkey" PRIMARY KEY ("key")
);
