-- AlterTable
ALTER TABLE "deliveries" ADD COLUMN     "recipients" JSONB;
