import { isDay } from '../calendar.ts';
import { CommandError } from './world.ts';

const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** The time in milliseconds. Throws a CommandError (exit code 2) for anything but a duration or an ISO 8601 time. */
export function parseSince(text: string, nowMs: number, option = '--since'): number {
  const [, count, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  if (count !== undefined) return Math.max(0, nowMs - Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS]);
  const time = timeIn(text);
  if (!Number.isNaN(time)) return Math.max(0, time);
  throw new CommandError(
    `${option} must be a duration such as 30m, 1h or 2d, or a time such as 2026-01-31T12:00:00Z, got "${text}"`,
    { exitCode: 2 },
  );
}

/** Milliseconds since 1970 of a time such as 2026-01-31T12:00:00Z, or of the beginning of a day; NaN for any other text. */
export function timeIn(text: string): number {
  const isTime = /^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d)?)?$/.test(text);
  return isTime && isDay(text) ? Date.parse(text) : Number.NaN;
}

/** The seconds of a duration. Throws a CommandError (exit code 2) for anything else. */
export function parseDurationSeconds(option: string, text: string): number {
  const [, count, unit] = /^([1-9]\d{0,8})([smhd])$/.exec(text) ?? [];
  if (count !== undefined) return (Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS]) / 1000;
  throw new CommandError(`${option} must be a duration such as 30m, 1h or 2d, got "${text}"`, { exitCode: 2 });
}

/** The number. Throws a CommandError (exit code 2) for anything but 1 to `max`. */
export function parseCount(option: string, text: string, max: number): number {
  const count = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= max) return count;
  throw new CommandError(`${option} must be 1-${max}, got "${text}"`, { exitCode: 2 });
}
