import { ofBrowser } from '../storage.ts';
import { signal } from '../store.ts';
import { TEXTS } from './texts.ts';

export const LANGUAGES = { en: 'English', de: 'Deutsch' } as const;
export type Language = keyof typeof LANGUAGES;
export type TextKey = keyof typeof TEXTS;

const STORED = 'respark.language';

export const language = signal<Language>(firstLanguage());

function firstLanguage(): Language {
  const stored = ofBrowser.getItem(STORED);
  if (stored === 'en' || stored === 'de') return stored;
  return navigator.language.startsWith('de') ? 'de' : 'en';
}

export function choose(chosen: Language): void {
  ofBrowser.setItem(STORED, chosen);
  document.documentElement.lang = chosen;
  language.set(chosen);
}

/** The text in the reader's language, with each `{name}` replaced by the value of that name. */
export function t(key: TextKey, values: Readonly<Record<string, string | number>> = {}): string {
  const text = TEXTS[key][language.get() === 'en' ? 0 : 1];
  return text.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name] ?? '';
    return typeof value === 'number' ? formatNumber(value) : value;
  });
}

/** A key for one, and one with `Many` behind it for any other number, which both may show as `{n}`. */
export function counted(
  key: { [K in TextKey]: `${K}Many` extends TextKey ? K : never }[TextKey],
  n: number,
  values: Readonly<Record<string, string | number>> = {},
): string {
  return t(n === 1 ? key : (`${key}Many` as TextKey), { ...values, n });
}

const TIME = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' } as const;
const DAY = { day: 'numeric', month: 'short', year: 'numeric' } as const;

const numbers = inLanguage((spoken) => new Intl.NumberFormat(spoken));
const times = inLanguage((spoken) => new Intl.DateTimeFormat(spoken, TIME));
const moments = inLanguage((spoken) => new Intl.DateTimeFormat(spoken, { ...TIME, fractionalSecondDigits: 3 }));
const days = inLanguage((spoken) => new Intl.DateTimeFormat(spoken, { ...DAY, ...TIME }));

/** What the language needs, made once: a browser takes a hundred times as long to make a format as to use it. */
function inLanguage<T>(make: (spoken: Language) => T): () => T {
  let made: { readonly spoken: Language; readonly format: T } | undefined;
  return () => {
    const spoken = language.get();
    if (made?.spoken !== spoken) made = { spoken, format: make(spoken) };
    return made.format;
  };
}

export function formatNumber(value: number): string {
  return numbers().format(value);
}

/** In the reader's own zone; the seconds matter when a record is compared with another. */
export function formatTime(iso: string | number | Date): string {
  const at = new Date(iso);
  const isToday = at.toDateString() === new Date().toDateString();
  return (isToday ? times() : days()).format(at);
}

/** For what happens in quick succession. */
export function formatMoment(at: number): string {
  return moments().format(at);
}

/** Short times with a digit more, because there it matters. */
export function formatMilliseconds(ms: number): string {
  return ms.toLocaleString(language.get(), { maximumFractionDigits: ms < 100 ? 1 : 0 });
}

/** How long something has lasted, in its largest unit, and in the next one while that says more than a tenth. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const units = [
    ['d', 86_400],
    ['h', 3_600],
    ['min', 60],
    ['s', 1],
  ] as const;
  const first = units.findIndex(([, size]) => seconds >= size);
  if (first === -1) return '0 s';
  const isShort = seconds < 10 * (units[first]?.[1] ?? 1);
  const parts = units.slice(first, first + (isShort ? 2 : 1)).map(([unit, size], index) => {
    const previous = units[first + index - 1]?.[1] ?? Number.POSITIVE_INFINITY;
    return [Math.floor((seconds % previous) / size), unit] as const;
  });
  return parts
    .filter(([value], index) => index === 0 || value > 0)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(' ');
}
