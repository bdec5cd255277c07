/** Whether a month has the day that a text such as 2026-02-28 begins with: JavaScript takes February 30 for the second of March. */
export function isDay(text: string): boolean {
  const [year, month, day] = text.slice(0, 10).split('-').map(Number) as [number, number, number];
  const last = new Date(0);
  last.setUTCFullYear(year, month, 0);
  return day <= last.getUTCDate();
}
