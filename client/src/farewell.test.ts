import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFarewell } from './farewell.ts';

const MESSAGES = { de: 'Tschau', en: 'Bye', pt: 'Adeus', 'pt-BR': 'Tchau', 'zh-Hant': '再見' };

test('the message is that of the locale, else of its language, else in English, else the first', () => {
  for (const [locale, message] of [
    ['pt-BR', 'Tchau'],
    ['pt_br', 'Tchau'],
    ['pt-PT', 'Adeus'],
    ['zh-Hant-TW', '再見'],
    ['zh', 'Bye'],
    ['fr-FR', 'Bye'],
    ['', 'Bye'],
  ]) {
    assert.equal(readFarewell({ messages: MESSAGES }, locale).message, message, locale);
  }
  assert.equal(readFarewell({ messages: { fr: 'Salut', de: 'Tschau' } }, 'nl-NL').message, 'Salut');
  assert.equal(readFarewell({ messages: { en: 'Bye', und: 'Salut' } }, 'nl-NL').message, 'Salut');
  assert.equal(readFarewell({ messages: { 'en-GB': 'Cheers', fr: 'Salut' } }, 'en-GB').message, 'Cheers');
});

test('without a locale, the platform says which one', () => {
  const { locale } = Intl.DateTimeFormat().resolvedOptions();
  const language = globalThis.navigator?.language ?? locale;
  assert.equal(readFarewell({ messages: { xx: 'other', [language]: 'mine' } }, undefined).message, 'mine');
});

test('what is missing or of another type is left out', () => {
  const whole = { reason: 'AFK', message: 'Bye', until: 1_700_000_000_000, requestId: 'r-1', more: true };
  const { more: _, ...farewell } = { ...whole, until: new Date(whole.until) };
  assert.deepEqual(readFarewell(whole, undefined), farewell);
  assert.deepEqual(readFarewell({ until: 1e300 }, 'en'), {});
  assert.deepEqual(readFarewell({ reason: 1, message: {}, until: 'soon', requestId: null }, 'en'), {});
  for (const messages of [null, 'text', 7, [], {}, { en: 7 }]) assert.deepEqual(readFarewell({ messages }, 'en'), {});
});
