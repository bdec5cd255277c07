import type { Payload } from '@respark/protocol';

/** What the server said before it closed the connection. */
export interface Farewell {
  /** A code of the game's own. */
  readonly reason?: string;
  /** A text for the player, in the language that fits the locale best. */
  readonly message?: string;
  /** Until when the player is kept out. */
  readonly until?: Date;
  /** The request id of the management call that closed the connection. */
  readonly requestId?: string;
}

/** Reads the payload of a farewell. What is not of the right type is left out, for it comes from outside. */
export function readFarewell(payload: Payload, locale: string | undefined): Farewell {
  const { reason, messages, until, requestId } = payload;
  const isMap = typeof messages === 'object' && messages !== null;
  const message = payload.message ?? (isMap ? textFor(locale ?? platformLocale(), messages) : undefined);
  return {
    ...(typeof reason === 'string' && { reason }),
    ...(typeof message === 'string' && { message }),
    ...(isTime(until) && { until: new Date(until) }),
    ...(typeof requestId === 'string' && { requestId }),
  };
}

/** Whether a `Date` can hold it. An invalid `Date` would throw when an app writes it as text. */
function isTime(ms: unknown): ms is number {
  return typeof ms === 'number' && !Number.isNaN(new Date(ms).getTime());
}

/** The text of the locale, else of its language, else the one for all others, else in English, else the first. */
function textFor(locale: string, messages: object): unknown {
  const all = new Map(Object.entries(messages).map(([key, text]) => [key.toLowerCase(), text]));
  for (const wanted of [locale.replaceAll('_', '-').toLowerCase(), 'und', 'en']) {
    for (let tag = wanted; tag !== ''; tag = tag.slice(0, Math.max(0, tag.lastIndexOf('-')))) {
      if (all.has(tag)) return all.get(tag);
    }
  }
  return [...all.values()][0];
}

/** Neither is everywhere: Node.js 20 has no `navigator`, and some builds of React Native no `Intl`. */
function platformLocale(): string {
  const platform: Partial<Pick<typeof globalThis, 'navigator' | 'Intl'>> = globalThis;
  return platform.navigator?.language ?? platform.Intl?.DateTimeFormat().resolvedOptions().locale ?? '';
}
